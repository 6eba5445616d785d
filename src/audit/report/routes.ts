import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import {
  DisclosureReport,
  DisclosureReportAsked as DisclosureReportBody
} from '../../../schemas/disclosure-report.ts'
import type { Exchange } from '../../exchange.ts'
import { callerOf, type Guarded } from '../../http/area.ts'
import { sendReport } from './send-report.ts'

export function reportRoutes(exchange: Exchange, guarded: Guarded): FastifyPluginAsyncTypebox {
  return async app => {
    app.post(
      '/v1/audit/reports',
      {
        ...guarded('audit.report', 'clinician', 'auditor'),
        schema: {
          tags: ['audit'],
          summary: 'Who saw the records of a patient, or of a case: to be given to the patient',
          description: 'A clinician names a case; an auditor a case or a patient.',
          body: DisclosureReportBody,
          response: { 200: DisclosureReport }
        }
      },
      (request, reply) => sendReport(exchange, callerOf(request), request.body, reply)
    )
  }
}
