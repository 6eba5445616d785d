import type { FastifyReply, FastifyRequest } from 'fastify'
import { callerOf } from '../../http/area.ts'
import { listLive } from '../../shares/live-shares.ts'
import { listShares } from '../../shares/manage.ts'
import { revokeShares } from '../../shares/revoke-many.ts'
import { filled, formOf, requireNoProblem, wholeNumber } from '../form.ts'
import type { Web } from '../routes.ts'
import { showShare } from './show-share.ts'

type Query = Record<string, unknown>
const SHARES_PER_PAGE = '50'
const ENDED_MAX = 1000
const REASON_CHARACTERS_MAX = 1000

/** Shares that can be opened, or will be, the first to end first; or every one there was. */
export async function livePage(
  web: Web,
  request: FastifyRequest,
  reply: FastifyReply,
  model: { problems?: { text: string }[] } = {}
): Promise<FastifyReply> {
  const { exchange, pages } = web
  const caller = callerOf(request)
  const query = request.query as Query
  const one = (name: string) => (typeof query[name] === 'string' ? query[name] : undefined)
  const cursor = one('cursor')
  const asked = { limit: SHARES_PER_PAGE, ...(cursor !== undefined && { cursor }) }
  const isAll = one('state') === 'all'
  const list = isAll
    ? await listShares(exchange, caller, asked)
    : await listLive(exchange, caller, asked)
  const now = exchange.clock()
  return pages.show(request, reply, 'sharing/live', {
    isAll,
    counts: list.counts,
    shares: list.shares.map(share => showShare(pages.texts, share, now)),
    next: list.next,
    ended: wholeNumber(one('ended') ?? '', ENDED_MAX),
    ...model
  })
}

/** Asks once more before several shares end. */
export async function endManyPage(web: Web, request: FastifyRequest, reply: FastifyReply) {
  const { exchange, pages } = web
  pages.onRefusal(request, problems => livePage(web, request, reply, { problems }))
  const chosen = [...new Set(formOf(request).list('shares'))]
  requireNoProblem(chosen.length === 0 ? [pages.texts('sharing.none-chosen')] : [])
  const { shares } = await listLive(exchange, callerOf(request), { limit: '200' })
  const now = exchange.clock()
  return pages.show(request, reply, 'sharing/end-many', {
    shares: shares
      .filter(({ id }) => chosen.includes(id))
      .map(share => showShare(pages.texts, share, now))
  })
}

/** Ends them, all at once. */
export async function endMany(web: Web, request: FastifyRequest, reply: FastifyReply) {
  const { exchange, pages } = web
  pages.onRefusal(request, problems => livePage(web, request, reply, { problems }))
  const shares = [...new Set(formOf(request).list('shares'))]
  requireNoProblem(shares.length === 0 ? [pages.texts('sharing.none-chosen')] : [])
  const reason = formOf(request).text('reason').slice(0, REASON_CHARACTERS_MAX)
  const { results } = await revokeShares(exchange, callerOf(request), {
    shares,
    ...filled({ reason })
  })
  const ended = results.filter(({ result }) => result === 'revoked').length
  return reply.redirect(`/shares?ended=${ended}`, 303)
}
