import type { FastifyReply, FastifyRequest } from 'fastify'
import { Value } from 'typebox/value'
import { InvitationCreate } from '../../../schemas/invitation.ts'
import { callerOf } from '../../http/area.ts'
import { createInvitation } from '../../register/invite.ts'
import { listSpecialists, readSpecialist } from '../../register/search.ts'
import { filled, formOf, requireNoProblem } from '../form.ts'
import type { Web } from '../routes.ts'
import { onceCookie } from './once.ts'
import { countryItems, languageItems, queryOf, searchOf, showSpecialist } from './people.ts'
import { inPlainWords } from './words.ts'

/** The register, and a search in it. */
export async function specialistsPage(
  { exchange, pages }: Web,
  request: FastifyRequest,
  reply: FastifyReply
): Promise<FastifyReply> {
  const form = formOf(request)
  const search = searchOf(form)
  const query = queryOf(search, form.text('cursor'))
  const { specialists, next } = await listSpecialists(exchange, callerOf(request), query)
  const now = exchange.clock()
  const { texts: t } = pages
  return pages.show(request, reply, 'sharing/specialists', {
    search,
    next,
    specialists: specialists.map(view => showSpecialist(t, view, now)),
    countries: countryItems(t('sharing.any-country')),
    languages: languageItems(t('sharing.any-language'))
  })
}

/** Everything the register says of one. */
export async function specialistPage(
  { exchange, pages }: Web,
  request: FastifyRequest<{ Params: { specialist: string } }>,
  reply: FastifyReply
): Promise<FastifyReply> {
  const { view } = await readSpecialist(exchange, callerOf(request), request.params.specialist)
  return pages.show(request, reply, 'sharing/specialist', {
    specialist: showSpecialist(pages.texts, view, exchange.clock())
  })
}

/** A form for somebody who is not in the register, or has not enrolled. */
export async function invitePage(
  { pages }: Web,
  request: FastifyRequest,
  reply: FastifyReply,
  model: { typed?: Record<string, string>; problems?: { text: string }[] } = {}
): Promise<FastifyReply> {
  return pages.show(request, reply, 'sharing/invite', {
    countries: countryItems(pages.texts('sharing.choose-country')),
    typed: {},
    ...model
  })
}

const inviteFields = [
  'name',
  'email',
  'country',
  'specialty',
  'organisation',
  'message',
  'codeChannel',
  'codeAddress'
] as const

/** Invites them. The code is told on the page after it, once. */
export async function invite(web: Web, request: FastifyRequest, reply: FastifyReply) {
  const { exchange, pages } = web
  const { texts: t } = pages
  const form = formOf(request)
  const typed = Object.fromEntries(inviteFields.map(name => [name, form.text(name)]))
  pages.onRefusal(request, (problems, refusal) =>
    invitePage(web, request, reply, { typed, problems: inPlainWords(t, { problems, refusal }) })
  )
  const needed = ['name', 'email', 'country', 'specialty', 'organisation', 'codeChannel']
  requireNoProblem(
    needed.filter(name => typed[name] === '').map(name => t(`sharing.needs-${name}`))
  )
  const wanted = filled(typed)
  if (!Value.Check(InvitationCreate, wanted)) {
    requireNoProblem([t('sharing.too-long')])
    throw new Error('A form that is not right had no problem.')
  }
  const { invitation, code } = await createInvitation(exchange, callerOf(request), wanted)
  return reply
    .header('set-cookie', onceCookie(invitation.id, code))
    .redirect(`/specialists/invitations/${invitation.id}`, 303)
}
