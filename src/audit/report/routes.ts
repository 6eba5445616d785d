import { Readable } from 'node:stream'
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { FastifyReply } from 'fastify'
import {
  DisclosureReport,
  type DisclosureReportAsked,
  DisclosureReportAsked as DisclosureReportBody
} from '../../../schemas/disclosure-report.ts'
import type { Exchange } from '../../exchange.ts'
import { callerOf, type Guarded } from '../../http/area.ts'
import type { Caller } from '../../identity/principal.ts'
import { makeReport } from './gather.ts'
import { reportAsPdf } from './pdf.ts'

const JSON_TYPE = 'application/json; charset=utf-8'

export function reportRoutes(exchange: Exchange, guarded: Guarded): FastifyPluginAsyncTypebox {
  /** A report takes one of the caller's places for downloads, from the question to the last byte. */
  async function sendReport(caller: Caller, asked: DisclosureReportAsked, reply: FastifyReply) {
    const { format = 'pdf' } = asked
    let pdf: Readable | undefined
    const place = await exchange.streams.enter(caller.accountId, () => pdf?.destroy())
    try {
      const report = await makeReport(exchange, caller, asked)
      const name = `disclosure-report-${report.id}.${format}`
      reply
        .header('cache-control', 'no-store')
        .header('content-disposition', `attachment; filename="${name}"`)
      if (format === 'json') return reply.type(JSON_TYPE).send(report)
      pdf = Readable.from(reportAsPdf(report), { objectMode: false })
    } finally {
      if (pdf === undefined) place.leave()
    }
    pdf.once('close', place.leave)
    return reply.type('application/pdf').send(pdf)
  }

  return async app => {
    app.post(
      '/v1/audit/reports',
      {
        ...guarded('audit.report', 'auditor'),
        schema: {
          tags: ['audit'],
          summary: 'Who saw the records of a patient, or of a case: to be given to the patient',
          body: DisclosureReportBody,
          response: { 200: DisclosureReport }
        }
      },
      (request, reply) => sendReport(callerOf(request), request.body, reply)
    )
  }
}
