import type { FastifyReply, FastifyRequest } from 'fastify'
import { REVOKE_SHARES_MAX } from '../../../schemas/share.ts'
import { Refusal } from '../../errors.ts'
import { callerOf } from '../../http/area.ts'
import { isId } from '../../http/page.ts'
import { namesOf } from '../../identity/people.ts'
import { endEvery, tellProgress } from '../../shares/end-every.ts'
import { listLive } from '../../shares/live-shares.ts'
import { revokeShares } from '../../shares/revoke-many.ts'
import { addressOf, formOf, requireNoProblem, wholeNumber } from '../form.ts'
import type { Model } from '../pages.ts'
import type { Web } from '../routes.ts'

/** Every live share of the organisation: with whom, until when. Nothing of what is in it. */
export async function sharesPage(
  web: Web,
  request: FastifyRequest,
  reply: FastifyReply,
  more: Model = {}
) {
  const { exchange, pages } = web
  const cursor = addressOf(request).text('cursor')
  const page = cursor === '' ? {} : { cursor }
  const { shares, counts, next } = await listLive(exchange, callerOf(request), page)
  const ids = new Set(shares.flatMap(({ specialist, createdBy }) => [specialist, createdBy]))
  const names = await namesOf(exchange.database.read, exchange.serviceKeys, [...ids])
  return pages.show(request, reply, 'administration/shares', {
    ...more,
    counts,
    next,
    ...withdrawnOf(request),
    shares: shares.map(share => ({
      id: share.id,
      specialist: names.get(share.specialist) ?? share.specialist,
      by: names.get(share.createdBy) ?? share.createdBy,
      expiresAt: share.expiresAt,
      openings: share.openings
    }))
  })
}

/** How many of those that were chosen have been withdrawn: the others had ended before. */
function withdrawnOf(request: FastifyRequest) {
  const number = (name: string) =>
    wholeNumber(addressOf(request).text(name), REVOKE_SHARES_MAX) ?? 0
  const [withdrawn, chosen] = [number('withdrawn'), number('of')]
  return { withdrawn, chosen, endedBefore: Math.max(chosen - withdrawn, 0) }
}

/** Asks once more before anything is withdrawn: that cannot be undone. */
export async function confirmPage(web: Web, request: FastifyRequest, reply: FastifyReply) {
  const shares = chosen(web, request, reply)
  return web.pages.show(request, reply, 'administration/withdraw', { shares })
}

/** Withdraws what was chosen and leads back to what is left. */
export async function withdrawChosen(web: Web, request: FastifyRequest, reply: FastifyReply) {
  const shares = chosen(web, request, reply)
  const { results } = await revokeShares(web.exchange, callerOf(request), { shares })
  const withdrawn = results.filter(({ result }) => result === 'revoked').length
  return reply.redirect(`/administration/shares?withdrawn=${withdrawn}&of=${shares.length}`, 303)
}

/** The shares that were ticked. Throws Refusal `request-invalid` without any, or with no ids. */
function chosen(web: Web, request: FastifyRequest, reply: FastifyReply): string[] {
  web.pages.onRefusal(request, problems => sharesPage(web, request, reply, { problems }))
  const ids = [...new Set(formOf(request).list('share'))]
  if (ids.length === 0 || ids.length > REVOKE_SHARES_MAX || !ids.every(isId)) {
    const problems = [web.pages.texts('administration.choose-shares', { max: REVOKE_SHARES_MAX })]
    throw new Refusal('request-invalid', 'shares', { problems })
  }
  return ids
}

/** A page that was left open for longer is opened again: much may have been shared since. */
const ASKED_MILLISECONDS_MAX = 24 * 3_600_000
const REASON_CHARACTERS_MAX = 1000

/**
 * Asks before every live share ends, and says afterwards how far that has come. The moment at which it
 * was asked goes with it: what is shared from then on is not meant.
 */
export async function endEveryPage(
  { exchange, pages }: Web,
  request: FastifyRequest,
  reply: FastifyReply,
  more: Model = {}
) {
  const now = exchange.clock()
  const asked = momentIn(addressOf(request).text('since'), now)
  const since = asked ?? now
  const progress = await tellProgress(exchange, callerOf(request), since)
  const model = { since, begun: asked !== undefined, ...progress, ...more }
  return pages.show(request, reply, 'administration/end-every', model)
}

/** Ends as many as go at once; the page it leads to has the button for the rest. */
export async function endEveryShare(web: Web, request: FastifyRequest, reply: FastifyReply) {
  const { exchange, pages } = web
  const form = formOf(request)
  const reason = form.text('reason')
  pages.onRefusal(request, problems =>
    endEveryPage(web, request, reply, { problems, typed: reason })
  )
  const since = momentIn(form.text('since'), exchange.clock())
  requireNoProblem([
    ...(since === undefined ? [pages.texts('administration.every-stale')] : []),
    ...(reason.length > REASON_CHARACTERS_MAX ? [pages.texts('administration.reason-long')] : [])
  ])
  await endEvery(exchange, callerOf(request), since ?? 0, reason === '' ? undefined : reason)
  return reply.redirect(`/administration/shares/every?since=${since}`, 303)
}

/** Milliseconds UTC, of the day that has passed. */
function momentIn(text: string, now: number): number | undefined {
  const at = /^\d{13}$/.test(text) ? Number(text) : Number.NaN
  return at <= now && at > now - ASKED_MILLISECONDS_MAX ? at : undefined
}
