import type { FastifyReply, FastifyRequest } from 'fastify'
import type { HoldView, RetentionView } from '../../../schemas/retention.ts'
import { caseOf } from '../../cases/case.ts'
import { callerOf } from '../../http/area.ts'
import { isId } from '../../http/page.ts'
import { namesOf } from '../../identity/people.ts'
import { readRetention } from '../../retention/read.ts'
import { formOf, requireNoProblem } from '../form.ts'
import type { Model } from '../pages.ts'
import type { Web } from '../routes.ts'

const REASON_CHARACTERS_MAX = 1000

/** How long each part of a case is kept and why, what holds it, and what of it is gone. */
export async function retentionPage(
  web: Web,
  request: FastifyRequest<{ Params: { case: string } }>,
  reply: FastifyReply,
  more: Model = {}
) {
  const caller = callerOf(request)
  const kept = await readRetention(web.exchange, caller, request.params.case)
  return web.pages.show(request, reply, 'retention/retention', {
    kept,
    holds: await shownHolds(web, kept.holds),
    isErased: isErased(kept),
    mayAct: caller.role === 'administrator',
    ...more
  })
}

/** Where an administrator, who sees no list of cases, says which case they were asked about. */
export function findPage(
  { pages }: Web,
  request: FastifyRequest,
  reply: FastifyReply,
  more: Model = {}
) {
  return pages.show(request, reply, 'retention/find', { typed: '', ...more })
}

export async function findCase(web: Web, request: FastifyRequest, reply: FastifyReply) {
  const { exchange, pages } = web
  const typed = formOf(request).text('case').toLowerCase()
  pages.onRefusal(request, problems => {
    const linked = problems.map(({ text }) => ({ text, href: '#case' }))
    return findPage(web, request, reply, { typed, problems: linked })
  })
  requireNoProblem(isId(typed) ? [] : [pages.texts('retention.wrong-id')])
  const { id } = await caseOf(exchange.database.read, callerOf(request), typed)
  return reply.redirect(`/cases/${id}/retention`, 303)
}

/** Of a case that was erased only the access log is left to be kept. */
export const isErased = ({ parts, erasures }: RetentionView): boolean =>
  erasures.some(({ scope }) => scope === 'case') && parts.every(({ what }) => what === 'audit')

/** Holds with the names of those who put and lifted them, the standing ones first. */
export async function shownHolds({ exchange }: Web, holds: HoldView[]) {
  const ids = new Set(holds.flatMap(({ putBy, liftedBy }) => [putBy, liftedBy ?? putBy]))
  const names = await namesOf(exchange.database.read, exchange.serviceKeys, [...ids])
  const nameOf = (id: string) => names.get(id) ?? id
  return holds
    .map(hold => ({
      ...hold,
      putBy: nameOf(hold.putBy),
      ...(hold.liftedBy !== undefined && { liftedBy: nameOf(hold.liftedBy) })
    }))
    .sort((a, b) => Number(a.liftedAt !== undefined) - Number(b.liftedAt !== undefined))
}

/** Why, as a form says it. Throws Refusal `request-invalid` when it is missing or too long. */
export function reasonIn({ pages }: Web, request: FastifyRequest): string {
  const reason = formOf(request).text('reason')
  const isFit = reason !== '' && reason.length <= REASON_CHARACTERS_MAX
  requireNoProblem(isFit ? [] : [pages.texts('common.reason-missing')])
  return reason
}
