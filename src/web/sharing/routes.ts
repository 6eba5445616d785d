import type { FastifyPluginAsync } from 'fastify'
import type { Web } from '../routes.ts'
import { accessPage, accessReport } from './access.ts'
import { choosePage, type OfCase } from './choose.ts'
import { consentPage, saveConsent } from './consent.ts'
import { groundsPage, type OfChoice } from './grounds.ts'
import {
  invitationsPage,
  invitedPage,
  type OfInvitation,
  sendAgain,
  withdrawSent
} from './invitations.ts'
import { endMany, endManyPage, livePage } from './live.ts'
import { linkPage, type OfShare } from './made.ts'
import { acknowledge, opinionPage, opinionsPage } from './opinions.ts'
import { recordsPage } from './records.ts'
import { confirmShare, reviewPage } from './review.ts'
import { declineTime, endPage, endShare, giveTime, sendMessage, sharePage } from './share.ts'
import { invite, invitePage, specialistPage, specialistsPage } from './specialists.ts'
import { termsPage } from './terms.ts'

/** From "who should look at it" to "opinion received". */
export function sharingRoutes(web: Web): FastifyPluginAsync {
  return async app => {
    await app.register(stepRoutes(web))
    await app.register(afterwardsRoutes(web))
    await app.register(registerPages(web))
    await app.register(answerRoutes(web))
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

/** The register as clinicians search it, and invitations to it. */
function registerPages(web: Web): FastifyPluginAsync {
  const { guarded } = web
  return async app => {
    const search = guarded('specialist.list', 'clinician')
    app.get('/specialists', search, (request, reply) => specialistsPage(web, request, reply))
    app.post('/specialists', search, (request, reply) => specialistsPage(web, request, reply))
    app.get<{ Params: { specialist: string } }>(
      '/specialists/:specialist',
      guarded('specialist.read', 'clinician'),
      (request, reply) => specialistPage(web, request, reply)
    )
    const invitation = guarded('invitation.create', 'clinician')
    app.get('/specialists/invite', invitation, (request, reply) => invitePage(web, request, reply))
    app.post('/specialists/invite', invitation, (request, reply) => invite(web, request, reply))
    const invited = '/specialists/invitations/:invitation'
    const listing = guarded('invitation.list', 'clinician')
    app.get('/specialists/invitations', listing, (request, reply) =>
      invitationsPage(web, request, reply)
    )
    app.get(invited, listing, (request: OfInvitation, reply) => invitedPage(web, request, reply))
    app.post(
      `${invited}/resend`,
      guarded('invitation.resend', 'clinician'),
      (request: OfInvitation, reply) => sendAgain(web, request, reply)
    )
    app.post(
      `${invited}/withdraw`,
      guarded('invitation.withdraw', 'clinician'),
      (request: OfInvitation, reply) => withdrawSent(web, request, reply)
    )
  }
}

/** What came back on a case, and who saw what of it. */
function answerRoutes(web: Web): FastifyPluginAsync {
  const { guarded } = web
  const opinion = '/cases/:case/opinions/:share'
  const report = guarded('audit.report', 'clinician')
  return async app => {
    app.get<{ Params: OfCase }>(
      '/cases/:case/opinions',
      guarded('opinion.list', 'clinician'),
      (request, reply) => opinionsPage(web, request, reply)
    )
    app.get<{ Params: OfCase & OfShare }>(
      opinion,
      guarded('opinion.read', 'clinician'),
      (request, reply) => opinionPage(web, request, reply)
    )
    app.post<{ Params: OfCase & OfShare }>(
      `${opinion}/acknowledge`,
      guarded('opinion.acknowledge', 'clinician'),
      (request, reply) => acknowledge(web, request, reply)
    )
    app.get<{ Params: OfCase }>('/cases/:case/access', report, (request, reply) =>
      accessPage(web, request, reply)
    )
    app.get<{ Params: OfCase }>('/cases/:case/access/report', report, (request, reply) =>
      accessReport(web, request, reply)
    )
  }
}
