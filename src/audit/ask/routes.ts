import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import {
  AuditExportQuery,
  AuditExportSearch,
  AuditPage,
  AuditQuery,
  AuditSearch
} from '../../../schemas/audit-query.ts'
import type { Exchange } from '../../exchange.ts'
import { callerOf, type Guarded } from '../../http/area.ts'
import { askLog } from './ask.ts'
import { questionRoutes } from './question-routes.ts'
import { sendExport } from './send-export.ts'

export function auditRoutes(exchange: Exchange, guarded: Guarded): FastifyPluginAsyncTypebox {
  return async app => {
    await app.register(questionRoutes(exchange, guarded))
    app.get(
      '/v1/audit/events',
      {
        ...guarded('audit.query', 'auditor'),
        schema: {
          tags: ['audit'],
          summary: 'The access log of your organisation, newest first',
          querystring: AuditQuery,
          response: { 200: AuditPage }
        }
      },
      request => askLog(exchange, callerOf(request), request.query)
    )
    app.post(
      '/v1/audit/events/search',
      {
        ...guarded('audit.query', 'auditor'),
        schema: {
          tags: ['audit'],
          summary: 'The same, also by patient. The identifier is in the body, never in a URL',
          body: AuditSearch,
          response: { 200: AuditPage }
        }
      },
      request => askLog(exchange, callerOf(request), request.body)
    )
    app.get(
      '/v1/audit/events/export',
      {
        ...guarded.proven('audit.export', 'auditor'),
        schema: {
          tags: ['audit'],
          summary: 'All matching events as CSV or NDJSON, with proofs if you like',
          querystring: AuditExportQuery
        }
      },
      (request, reply) => sendExport(exchange, callerOf(request), request.query, reply)
    )
    app.post(
      '/v1/audit/events/export',
      {
        ...guarded.proven('audit.export', 'auditor'),
        schema: {
          tags: ['audit'],
          summary: 'The same, also by patient',
          body: AuditExportSearch
        }
      },
      (request, reply) => sendExport(exchange, callerOf(request), request.body, reply)
    )
  }
}
