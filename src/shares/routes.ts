import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { Id, PageQuery } from '../../schemas/common.ts'
import {
  LinkOpen,
  OpenedShare,
  ShareCreate,
  ShareCreated,
  ShareList,
  ShareManifest,
  ShareView
} from '../../schemas/share.ts'
import type { Exchange } from '../exchange.ts'
import { callerOf, type Guarded } from '../http/area.ts'
import { serveObject, serveRecord } from '../records/serve.ts'
import { createShare } from './create.ts'
import { listShares, revokeShare } from './manage.ts'
import { accessByShare, openLink, readManifest } from './open.ts'

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
          response: { 201: ShareCreated }
        }
      },
      async (request, reply) => {
        const { case: caseId } = request.params
        const made = await createShare(exchange, callerOf(request), caseId, request.body)
        return reply.code(201).header('location', `/v1/shares/${made.id}`).send(made)
      }
    )
    app.get(
      '/v1/shares',
      {
        ...guarded('share.list', 'clinician'),
        schema: {
          tags: ['shares'],
          summary: 'Shares your organisation has sent, newest first',
          querystring: Type.Object(
            { ...PageQuery, case: Type.Optional(Id) },
            { additionalProperties: false }
          ),
          response: { 200: ShareList }
        }
      },
      request => listShares(exchange, callerOf(request), request.query, request.query.case)
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
