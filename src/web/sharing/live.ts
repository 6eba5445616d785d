import type { FastifyReply, FastifyRequest } from 'fastify'
import { REVOKE_SHARES_MAX } from '../../../schemas/share.ts'
import { callerOf } from '../../http/area.ts'
import { isId } from '../../http/page.ts'
import { listLive } from '../../shares/live-shares.ts'
import { listShares } from '../../shares/manage.ts'
import { revokeShares } from '../../shares/revoke-many.ts'
import { filled, formOf, requireNoProblem, wholeNumber } from '../form.ts'
import type { Web } from '../routes.ts'
import { showShare } from './show-share.ts'

type Query = Record<string, unknown>
const SHARES_PER_PAGE = '50'
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
  const number = (name: string) => wholeNumber(one(name) ?? '', REVOKE_SHARES_MAX) ?? 0
  const cursor = one('cursor')
  const asked = { limit: SHARES_PER_PAGE, ...(cursor !== undefined && { cursor }) }
  const isAll = one('state') === 'all'
  const list = isAll
    ? await listShares(exchange, caller, asked)
    : await listLive(exchange, caller, asked)
  const now = exchange.clock()
  const [ended, chosen] = [number('ended'), number('of')]
  return pages.show(request, reply, 'sharing/live', {
    isAll,
    counts: list.counts,
    shares: list.shares.map(share => showShare(pages.texts, share, now)),
    next: list.next,
    ended,
    chosen,
    endedBefore: Math.max(chosen - ended, 0),
    ...model
  })
}

/** Asks once more before several shares end. */
export async function endManyPage(web: Web, request: FastifyRequest, reply: FastifyReply) {
  const { exchange, pages } = web
  pages.onRefusal(request, problems => livePage(web, request, reply, { problems }))
  const ids = chosenIn(web, request)
  const { shares } = await listLive(exchange, callerOf(request), { ids, limit: ids.length })
  const now = exchange.clock()
  return pages.show(request, reply, 'sharing/end-many', {
    shares: shares.map(share => showShare(pages.texts, share, now))
  })
}

/** Ends them, all at once. */
export async function endMany(web: Web, request: FastifyRequest, reply: FastifyReply) {
  const { exchange, pages } = web
  pages.onRefusal(request, problems => livePage(web, request, reply, { problems }))
  const shares = chosenIn(web, request)
  // By whole characters: half of one is no text, and nothing would be ended for it.
  const reason = [...formOf(request).text('reason')].slice(0, REASON_CHARACTERS_MAX).join('')
  const { results } = await revokeShares(exchange, callerOf(request), {
    shares,
    ...filled({ reason })
  })
  const ended = results.filter(({ result }) => result === 'revoked').length
  return reply.redirect(`/shares?ended=${ended}&of=${shares.length}`, 303)
}

/** The shares that were ticked, on whichever page of the list. Throws Refusal `request-invalid`. */
function chosenIn({ pages }: Web, request: FastifyRequest): string[] {
  const ids = [...new Set(formOf(request).list('shares'))]
  const isFit = ids.length > 0 && ids.length <= REVOKE_SHARES_MAX && ids.every(isId)
  requireNoProblem(isFit ? [] : [pages.texts('sharing.none-chosen')])
  return ids
}
