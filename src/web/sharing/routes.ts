import type { FastifyPluginAsync } from 'fastify'
import type { Web } from '../routes.ts'
import { choosePage, type OfCase } from './choose.ts'
import { consentPage, saveConsent } from './consent.ts'
import { groundsPage, type OfChoice } from './grounds.ts'
import { endMany, endManyPage, livePage } from './live.ts'
import { linkPage, type OfShare } from './made.ts'
import { recordsPage } from './records.ts'
import { confirmShare, reviewPage } from './review.ts'
import { declineTime, endPage, endShare, giveTime, sendMessage, sharePage } from './share.ts'
import { termsPage } from './terms.ts'

/** From "who should look at it" to "opinion received". */
export function sharingRoutes(web: Web): FastifyPluginAsync {
  return async app => {
    await app.register(stepRoutes(web))
    await app.register(afterwardsRoutes(web))
  }
}

/** The steps of sharing. What was typed goes from one to the next in the forms themselves. */
function stepRoutes(web: Web): FastifyPluginAsync {
  const { guarded } = web
  const start = '/cases/:case/share'
  const step = '/cases/:case/share/:specialist'
  return async app => {
    const choose = guarded('specialist.list', 'clinician')
    app.get<{ Params: OfCase }>(start, choose, (request, reply) => choosePage(web, request, reply))
    app.post<{ Params: OfCase }>(start, choose, (request, reply) => choosePage(web, request, reply))
    app.get<{ Params: OfChoice }>(step, guarded('specialist.read', 'clinician'), (request, reply) =>
      groundsPage(web, request, reply)
    )
    app.get<{ Params: OfChoice & { kind: string } }>(
      `${step}/consent/:kind`,
      guarded('specialist.read', 'clinician'),
      (request, reply) => consentPage(web, request, reply)
    )
    app.post<{ Params: OfChoice & { kind: string } }>(
      `${step}/consent/:kind`,
      guarded('consent.record', 'clinician'),
      (request, reply) => saveConsent(web, request, reply)
    )
    app.get<{ Params: OfChoice }>(
      `${step}/records`,
      guarded('record.list', 'clinician'),
      (request, reply) => recordsPage(web, request, reply)
    )
    app.post<{ Params: OfChoice }>(
      `${step}/terms`,
      guarded('record.list', 'clinician'),
      (request, reply) => termsPage(web, request, reply)
    )
    app.post<{ Params: OfChoice }>(
      `${step}/review`,
      guarded('share.create', 'clinician'),
      (request, reply) => reviewPage(web, request, reply)
    )
    app.post<{ Params: OfChoice }>(
      `${step}/confirm`,
      guarded('share.create', 'clinician'),
      (request, reply) => confirmShare(web, request, reply)
    )
  }
}

/** What has been shared. */
function afterwardsRoutes(web: Web): FastifyPluginAsync {
  const { guarded } = web
  return async app => {
    const list = guarded('share.list', 'clinician')
    const end = guarded('share.revoke', 'clinician')
    const path = '/shares/:share'
    app.get('/shares', list, (request, reply) => livePage(web, request, reply))
    app.post('/shares/end', end, (request, reply) => endManyPage(web, request, reply))
    app.post('/shares/end/confirm', end, (request, reply) => endMany(web, request, reply))
    app.get<{ Params: OfShare }>(path, list, (request, reply) => sharePage(web, request, reply))
    app.get<{ Params: OfShare }>(`${path}/link`, list, (request, reply) =>
      linkPage(web, request, reply)
    )
    app.get<{ Params: OfShare }>(`${path}/end`, list, (request, reply) =>
      endPage(web, request, reply)
    )
    app.post<{ Params: OfShare }>(`${path}/end`, end, (request, reply) =>
      endShare(web, request, reply)
    )
    app.post<{ Params: OfShare }>(
      `${path}/messages`,
      guarded('message.create', 'clinician'),
      (request, reply) => sendMessage(web, request, reply)
    )
    app.post<{ Params: OfShare }>(
      `${path}/more-time`,
      guarded('more-time.give', 'clinician'),
      (request, reply) => giveTime(web, request, reply)
    )
    app.post<{ Params: OfShare }>(
      `${path}/more-time/decline`,
      guarded('more-time.decline', 'clinician'),
      (request, reply) => declineTime(web, request, reply)
    )
  }
}
