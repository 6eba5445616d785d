import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { CaseCreate, CaseList, CaseSearch, CaseView } from '../../schemas/case.ts'
import { Id, PageQuery } from '../../schemas/common.ts'
import type { Exchange } from '../exchange.ts'
import { callerOf, type Guarded } from '../http/area.ts'
import { createCase } from './create.ts'
import { listCases, readCase } from './read.ts'
import { caseMoveRoutes, requestRoutes } from './request-routes.ts'

export function caseRoutes(exchange: Exchange, guarded: Guarded): FastifyPluginAsyncTypebox {
  return async app => {
    await app.register(requestRoutes(exchange, guarded))
    await app.register(caseMoveRoutes(exchange, guarded))
    app.post(
      '/v1/cases',
      {
        ...guarded('case.create', 'clinician'),
        schema: {
          tags: ['cases'],
          summary: 'Make a case: one request for a second opinion on one patient',
          body: CaseCreate,
          response: { 201: CaseView }
        }
      },
      async (request, reply) => {
        const view = await createCase(exchange, callerOf(request), request.body)
        return reply.code(201).header('location', `/v1/cases/${view.id}`).send(view)
      }
    )
    app.get(
      '/v1/cases',
      {
        ...guarded('case.list', 'clinician'),
        schema: {
          tags: ['cases'],
          summary: 'Cases of your organisation, newest first',
          querystring: Type.Object(PageQuery, { additionalProperties: false }),
          response: { 200: CaseList }
        }
      },
      request => listCases(exchange, callerOf(request), request.query)
    )
    app.post(
      '/v1/cases/search',
      {
        ...guarded('case.search', 'clinician'),
        schema: {
          tags: ['cases'],
          summary: 'Cases of one patient. The identifier is in the body, never in a URL',
          querystring: Type.Object(PageQuery, { additionalProperties: false }),
          body: CaseSearch,
          response: { 200: CaseList }
        }
      },
      request => listCases(exchange, callerOf(request), request.query, request.body.identifier)
    )
    app.get(
      '/v1/cases/:case',
      {
        ...guarded('case.read', 'clinician'),
        schema: {
          tags: ['cases'],
          summary: 'One case',
          params: Type.Object({ case: Id }),
          response: { 200: CaseView }
        }
      },
      request => readCase(exchange, callerOf(request), request.params.case)
    )
  }
}
