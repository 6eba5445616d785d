import type { FastifyReply, FastifyRequest } from 'fastify'
import { Value } from 'typebox/value'
import { InvitationResend, type InvitationView } from '../../../schemas/invitation.ts'
import { callerOf } from '../../http/area.ts'
import { namesOf } from '../../identity/people.ts'
import {
  listInvitations,
  readInvitation,
  resendInvitation,
  withdrawInvitation
} from '../../register/invite.ts'
import { addressOf, filled, formOf, requireNoProblem } from '../form.ts'
import type { Model } from '../pages.ts'
import type { Web } from '../routes.ts'
import { noOnceCookie, onceCookie, toldOnce } from './once.ts'
import { inPlainWords } from './words.ts'

const LIST = '/specialists/invitations'

export type OfInvitation = FastifyRequest<{ Params: { invitation: string } }>

/** Invitations of the organisation, newest first: who has come, and who is waited for. */
export async function invitationsPage(
  { exchange, pages }: Web,
  request: FastifyRequest,
  reply: FastifyReply
): Promise<FastifyReply> {
  const cursor = addressOf(request).text('cursor')
  const page = cursor === '' ? {} : { cursor }
  const { invitations, next } = await listInvitations(exchange, callerOf(request), page)
  return pages.show(request, reply, 'sharing/invitations', {
    invitations: await withSenders(exchange, invitations),
    next,
    withdrawn: addressOf(request).text('done') === 'withdrawn'
  })
}

/**
 * One invitation: after inviting the code, this once, on a card of its own and never beside the link; and
 * the ways to send it again or to withdraw it, while somebody can still accept.
 */
export async function invitedPage(
  { exchange, pages }: Web,
  request: OfInvitation,
  reply: FastifyReply,
  more: Model = {}
): Promise<FastifyReply> {
  const { invitation: id } = request.params
  const found = await readInvitation(exchange, callerOf(request), id)
  const [invitation] = await withSenders(exchange, [found])
  return pages.show(request, reply.header('set-cookie', noOnceCookie()), 'sharing/invited', {
    invitation,
    isUnended: !['accepted', 'withdrawn'].includes(found.state),
    isMailed: exchange.notices.mail,
    code: toldOnce(request, id),
    typed: {},
    ...more
  })
}

/** Sends it again: another link by mail, another code to pass on; those from before open nothing. */
export async function sendAgain(web: Web, request: OfInvitation, reply: FastifyReply) {
  const { exchange, pages } = web
  const { texts: t } = pages
  const { invitation: id } = request.params
  const { text } = formOf(request)
  const typed = { codeChannel: text('codeChannel'), codeAddress: text('codeAddress') }
  // Of somebody else's invitation there is no page to show again.
  await readInvitation(exchange, callerOf(request), id)
  pages.onRefusal(request, (problems, refusal) =>
    invitedPage(web, request, reply, {
      typed,
      problems: inPlainWords(t, { problems, refusal })
    })
  )
  if (typed.codeChannel === '') requireNoProblem([t('sharing.needs-codeChannel')])
  const wanted = filled(typed)
  if (!Value.Check(InvitationResend, wanted)) {
    requireNoProblem([t('sharing.too-long')])
    throw new Error('A form that is not right had no problem.')
  }
  const { code } = await resendInvitation(exchange, callerOf(request), id, wanted)
  return reply.header('set-cookie', onceCookie(id, code)).redirect(`${LIST}/${id}`, 303)
}

export async function withdrawSent({ exchange }: Web, request: OfInvitation, reply: FastifyReply) {
  await withdrawInvitation(exchange, callerOf(request), request.params.invitation)
  return reply.redirect(`${LIST}?done=withdrawn`, 303)
}

/** Invitations with the name of who sent each. */
async function withSenders({ database, serviceKeys }: Web['exchange'], views: InvitationView[]) {
  const ids = [...new Set(views.map(({ createdBy }) => createdBy))]
  const names = await namesOf(database.read, serviceKeys, ids)
  return views.map(view => ({ ...view, by: names.get(view.createdBy) ?? '' }))
}
