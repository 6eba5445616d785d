import { Readable } from 'node:stream'
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { FastifyReply } from 'fastify'
import {
  AuditExportQuery,
  type AuditExportSearch,
  AuditExportSearch as AuditExportSearchBody,
  AuditPage,
  AuditQuery,
  AuditSearch
} from '../../../schemas/audit-query.ts'
import type { Exchange } from '../../exchange.ts'
import { callerOf, type Guarded } from '../../http/area.ts'
import type { Caller } from '../../identity/principal.ts'
import { askLog } from './ask.ts'
import { exportLog } from './export.ts'
import { questionRoutes } from './question-routes.ts'

const NDJSON = 'application/x-ndjson'
const mediaTypes = { csv: 'text/csv; charset=utf-8', ndjson: NDJSON, proof: NDJSON }
const endings = { csv: 'csv', ndjson: 'ndjson', proof: 'proof.ndjson' }

export function auditRoutes(exchange: Exchange, guarded: Guarded): FastifyPluginAsyncTypebox {
  async function sendExport(caller: Caller, asked: AuditExportSearch, reply: FastifyReply) {
    const { format = 'ndjson' } = asked
    let lines: Readable | undefined
    const place = await exchange.streams.enter(caller.accountId, () => lines?.destroy())
    try {
      lines = Readable.from(await exportLog(exchange, caller, asked))
    } catch (err) {
      place.leave()
      throw err
    }
    lines.once('close', place.leave)
    return reply
      .type(mediaTypes[format])
      .header('cache-control', 'no-store')
      .header('content-disposition', `attachment; filename="access-log.${endings[format]}"`)
      .send(lines)
  }

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
      (request, reply) => sendExport(callerOf(request), request.query, reply)
    )
    app.post(
      '/v1/audit/events/export',
      {
        ...guarded.proven('audit.export', 'auditor'),
        schema: {
          tags: ['audit'],
          summary: 'The same, also by patient',
          body: AuditExportSearchBody
        }
      },
      (request, reply) => sendExport(callerOf(request), request.body, reply)
    )
  }
}
