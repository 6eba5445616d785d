import type { FastifyReply, FastifyRequest } from 'fastify'
import { askForLiveShares } from '../../audit/ask/live-shares.ts'
import { countryName } from '../../audit/report/wording.ts'
import { callerOf } from '../../http/area.ts'
import { addressOf } from '../form.ts'
import type { Web } from '../routes.ts'

/** Every share that is live, with whom and until when: one page, newest first. */
export async function liveSharesPage(
  { exchange, pages }: Web,
  request: FastifyRequest,
  reply: FastifyReply
) {
  const cursor = addressOf(request).text('cursor')
  const asked = cursor === '' ? {} : { cursor }
  const { shares, next } = await askForLiveShares(exchange, callerOf(request), asked)
  return pages.show(request, reply, 'log/live-shares', {
    shares: shares.map(share => ({ ...share, country: countryName(share.country) })),
    next
  })
}
