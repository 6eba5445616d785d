import type { FastifyReply, FastifyRequest } from 'fastify'
import { callerOf } from '../../http/area.ts'
import { listStaffCodes } from '../../identity/staff-codes.ts'
import { listInvitations, withdrawInvitation } from '../../register/invite.ts'
import { addressOf } from '../form.ts'
import type { Web } from '../routes.ts'

const PAGE = '/administration/people/codes'

/** Everybody who was let in and may not have come yet: people of the organisation, invited specialists. */
export async function codesPage(
  { exchange, pages }: Web,
  request: FastifyRequest,
  reply: FastifyReply
) {
  const address = addressOf(request)
  const pageOf = (name: string) => {
    const cursor = address.text(name)
    return { limit: 20, ...(cursor !== '' && { cursor }) }
  }
  const caller = callerOf(request)
  const codes = await listStaffCodes(exchange, caller, pageOf('codes'))
  const invited = await listInvitations(exchange, caller, pageOf('invited'))
  return pages.show(request, reply, 'people/codes', {
    enrolments: codes.enrolments,
    codesNext: codes.next,
    invitations: invited.invitations,
    invitedNext: invited.next,
    done: address.text('done') === 'withdrawn' ? 'withdrawn' : undefined
  })
}

/** Withdraws what a clinician sent who is not there any more, or should not have. */
export async function withdrawInvited(
  { exchange }: Web,
  request: FastifyRequest<{ Params: { invitation: string } }>,
  reply: FastifyReply
) {
  await withdrawInvitation(exchange, callerOf(request), request.params.invitation)
  return reply.redirect(`${PAGE}?done=withdrawn`, 303)
}
