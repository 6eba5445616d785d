import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import {
  DisclosureReport,
  DisclosureReportAsked as DisclosureReportBody
} from '../../../schemas/disclosure-report.ts'
import type { Exchange } from '../../exchange.ts'
import { callerOf, type Guarded } from '../../http/area.ts'
import { sendReport } from './send.ts'

export function reportRoutes(exchange: Exchange, guarded: Guarded): FastifyPluginAsyncTypebox {
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
      async (request, reply) => {
        await sendReport(exchange, callerOf(request), request.body, reply)
        return reply
      }
    )
  }
}
