import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { Id, PageQuery } from '../../schemas/common.ts'
import { ReceivedList, ReceivedShare } from '../../schemas/review.ts'
import {
  LinkOpen,
  OpenedShare,
  ShareCreate,
  ShareCreated,
  ShareList,
  ShareManifest,
  ShareRevokedMany,
  ShareRevokeMany,
  ShareView
} from '../../schemas/share.ts'
import { Refusal } from '../errors.ts'
import type { Exchange } from '../exchange.ts'
import { callerOf, type Guarded } from '../http/area.ts'
import { serveObject, serveRecord } from '../records/serve.ts'
import { createShare } from './create.ts'
import { listLive } from './live-shares.ts'
import { listShares, revokeShare } from './manage.ts'
import { accessByShare, openLink, readManifest } from './open.ts'
import { listReceived, lookAtLink } from './received.ts'
import { revokeShares } from './revoke-many.ts'

/** What the sender does with a share. */
export function shareRoutes(exchange: Exchange, guarded: Guarded): FastifyPluginAsyncTypebox {
  return async app => {
    app.post(
      '/v1/cases/:case/shares',
      {
        ...guarded('share.create', 'clinician'),
        schema: {
          tags: ['shares'],
          summary: 'Share named records with one specialist for a limited time',
          params: Type.Object({ case: Id }),
          body: ShareCreate,
          response: { 200: ShareCreated, 201: ShareCreated }
        }
      },
      async (request, reply) => {
        const { case: caseId } = request.params
        const { isNew, view } = await createShare(exchange, callerOf(request), caseId, request.body)
        return reply
          .code(isNew ? 201 : 200)
          .header('location', `/v1/shares/${view.id}`)
          .send(view)
      }
    )
    app.get(
      '/v1/shares',
      {
        ...guarded('share.list', 'clinician', 'administrator'),
        schema: {
          tags: ['shares'],
          summary:
            'Shares your organisation has sent, newest first; with state=live those that have not ended, the first to end first, with counts',
          querystring: Type.Object(
            {
              ...PageQuery,
              case: Type.Optional(Id),
              specialist: Type.Optional(Id),
              state: Type.Optional(Type.Enum(['live']))
            },
            { additionalProperties: false }
          ),
          response: { 200: ShareList }
        }
      },
      async request => {
        const caller = callerOf(request)
        if (request.query.state === 'live') return listLive(exchange, caller, request.query)
        // They see what is live and withdraw it, and have no clinical content.
        if (caller.role === 'administrator') throw new Refusal('role-refused', caller.role)
        return listShares(exchange, caller, request.query)
      }
    )
    app.post(
      '/v1/shares/revoke',
      {
        ...guarded('share.revoke', 'clinician', 'administrator'),
        schema: {
          tags: ['shares'],
          summary: 'Withdraw many shares for good, all or none',
          body: ShareRevokeMany,
          response: { 200: ShareRevokedMany }
        }
      },
      request => revokeShares(exchange, callerOf(request), request.body)
    )
    app.delete(
      '/v1/shares/:share',
      {
        ...guarded('share.revoke', 'clinician'),
        schema: {
          tags: ['shares'],
          summary: 'Withdraw a share for good. Running downloads are cut within a second',
          params: Type.Object({ share: Id }),
          response: { 200: ShareView }
        }
      },
      request => revokeShare(exchange, callerOf(request), request.params.share)
    )
  }
}

/** What the specialist does with a share. */
export function reviewRoutes(exchange: Exchange, guarded: Guarded): FastifyPluginAsyncTypebox {
  return async app => {
    await app.register(receivedRoutes(exchange, guarded))
    app.post(
      '/v1/links/open',
      {
        ...guarded('link.open', 'specialist'),
        schema: {
          tags: ['review'],
          summary: 'Open a link you were given: counts one opening and tells what is shared',
          body: LinkOpen,
          response: { 200: OpenedShare }
        }
      },
      request => openLink(exchange, callerOf(request), request.body.link)
    )
    app.get(
      '/v1/shares/:share',
      {
        ...guarded('share.read', 'specialist'),
        schema: {
          tags: ['review'],
          summary: 'Everything in an opened share, with every file and its digest',
          params: Type.Object({ share: Id }),
          response: { 200: ShareManifest }
        }
      },
      request => readManifest(exchange, callerOf(request), request.params.share)
    )
    app.route({
      method: ['GET', 'HEAD'],
      url: '/v1/shares/:share/records/:record/content',
      ...guarded('content.read', 'specialist'),
      schema: {
        tags: ['review'],
        summary: 'A shared record: its one file, or all of its files as a ZIP archive',
        params: Type.Object({ share: Id, record: Id })
      },
      async handler(request, reply) {
        const { share, record } = request.params
        const access = await accessByShare(exchange, callerOf(request), share, record)
        return serveRecord(exchange, access, request, reply)
      }
    })
    app.route({
      method: ['GET', 'HEAD'],
      url: '/v1/shares/:share/records/:record/objects/:object/content',
      ...guarded('content.read', 'specialist'),
      schema: {
        tags: ['review'],
        summary: 'One file of a shared record, or a range of it',
        params: Type.Object({ share: Id, record: Id, object: Id })
      },
      async handler(request, reply) {
        const { share, record, object } = request.params
        const access = await accessByShare(exchange, callerOf(request), share, record)
        return serveObject(exchange, access, object, request, reply)
      }
    })
  }
}

/** What a specialist is told of shares without opening them. */
function receivedRoutes(exchange: Exchange, guarded: Guarded): FastifyPluginAsyncTypebox {
  return async app => {
    app.post(
      '/v1/links/look',
      {
        ...guarded('share.list', 'specialist'),
        schema: {
          tags: ['review'],
          summary: 'Who sent you what a link names, and until when. Spends no opening',
          body: LinkOpen,
          response: { 200: ReceivedShare }
        }
      },
      request => lookAtLink(exchange, callerOf(request), request.body.link)
    )
    app.get(
      '/v1/reviews',
      {
        ...guarded('share.list', 'specialist'),
        schema: {
          tags: ['review'],
          summary: 'What was sent to you, newest first',
          querystring: Type.Object(PageQuery, { additionalProperties: false }),
          response: { 200: ReceivedList }
        }
      },
      request => listReceived(exchange, callerOf(request), request.query)
    )
  }
}
