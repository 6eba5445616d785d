import type { FastifyReply, FastifyRequest } from 'fastify'
import { caseOf } from '../../cases/case.ts'
import { Refusal } from '../../errors.ts'
import { callerOf } from '../../http/area.ts'
import { liftHold, putHold } from '../../retention/holds.ts'
import { readRetention } from '../../retention/read.ts'
import { formOf } from '../form.ts'
import type { Model } from '../pages.ts'
import type { Web } from '../routes.ts'
import { reasonIn, retentionPage, shownHolds } from './retention.ts'

/** Puts a case on hold, and leads back to it. */
export async function placeHold(
  web: Web,
  request: FastifyRequest<{ Params: { case: string } }>,
  reply: FastifyReply
) {
  const { exchange, pages } = web
  const caller = callerOf(request)
  // Of a case that is not theirs no page is shown again.
  const { id } = await caseOf(exchange.database.read, caller, request.params.case)
  const typed = formOf(request).text('reason')
  pages.onRefusal(request, problems =>
    retentionPage(web, request, reply, { typed, ...atReason(problems) })
  )
  await putHold(exchange, caller, id, { reason: reasonIn(web, request) })
  return reply.redirect(`/cases/${id}/retention`, 303)
}

/** Asks why a hold is lifted, and says what that lets happen. */
export async function liftPage(
  web: Web,
  request: FastifyRequest<{ Params: { case: string; hold: string } }>,
  reply: FastifyReply,
  more: Model = {}
) {
  const { case: caseId, hold: holdId } = request.params
  const kept = await readRetention(web.exchange, callerOf(request), caseId)
  const holds = await shownHolds(web, kept.holds)
  const hold = holds.find(({ id }) => id === holdId)
  if (hold === undefined) throw new Refusal('hold-not-found', undefined, { about: { caseId } })
  if (hold.liftedAt !== undefined) return reply.redirect(`/cases/${caseId}/retention`, 303)
  const others = holds.filter(({ id, liftedAt }) => id !== holdId && liftedAt === undefined)
  return web.pages.show(request, reply, 'retention/lift', {
    caseId,
    hold,
    others: others.length,
    due: kept.parts.filter(({ isDue, what }) => isDue && what !== 'audit'),
    ...more
  })
}

export async function lift(
  web: Web,
  request: FastifyRequest<{ Params: { case: string; hold: string } }>,
  reply: FastifyReply
) {
  const { exchange, pages } = web
  const caller = callerOf(request)
  const { id } = await caseOf(exchange.database.read, caller, request.params.case)
  const typed = formOf(request).text('reason')
  pages.onRefusal(request, (problems, { code }) =>
    code === 'request-invalid' || code === 'text-invalid'
      ? liftPage(web, request, reply, { typed, ...atReason(problems) })
      : retentionPage(web, request, reply, { problems })
  )
  const names = { case: id, hold: request.params.hold }
  await liftHold(exchange, caller, names, { reason: reasonIn(web, request) })
  return reply.redirect(`/cases/${id}/retention`, 303)
}

/** What is wrong with a reason is said at its field too. */
export const atReason = (problems: { text: string }[]) => ({
  problems: problems.map(({ text }) => ({ text, href: '#reason' })),
  errors: { reason: problems[0] }
})
