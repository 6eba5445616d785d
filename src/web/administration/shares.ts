import type { FastifyReply, FastifyRequest } from 'fastify'
import { REVOKE_SHARES_MAX } from '../../../schemas/share.ts'
import { Refusal } from '../../errors.ts'
import { callerOf } from '../../http/area.ts'
import { isId } from '../../http/page.ts'
import { namesOf } from '../../identity/people.ts'
import { listLive } from '../../shares/live-shares.ts'
import { revokeShares } from '../../shares/revoke-many.ts'
import { addressOf, formOf } from '../form.ts'
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
    withdrawn: Number(addressOf(request).text('withdrawn')) || 0,
    shares: shares.map(share => ({
      id: share.id,
      specialist: names.get(share.specialist) ?? share.specialist,
      by: names.get(share.createdBy) ?? share.createdBy,
      expiresAt: share.expiresAt,
      openings: share.openings
    }))
  })
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
  return reply.redirect(`/administration/shares?withdrawn=${withdrawn}`, 303)
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
