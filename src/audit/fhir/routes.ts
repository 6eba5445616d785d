import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { Id } from '../../../schemas/common.ts'
import type { Exchange } from '../../exchange.ts'
import { fhirSchema, requireFormat, searchIn, sendFhir, takeForms } from '../../fhir/http.ts'
import { callerOf, type Guarded } from '../../http/area.ts'
import { readEvent, searchEvents } from './bundle.ts'
import { readSearch } from './search.ts'

/** The access log in FHIR R4, for systems that collect the logs of a whole trust. Read only. */
export function auditFhirRoutes(exchange: Exchange, guarded: Guarded): FastifyPluginAsyncTypebox {
  const search = async (request: FastifyRequest, reply: FastifyReply) => {
    const asked = readSearch(searchIn(request))
    return sendFhir(reply, await searchEvents(exchange, callerOf(request), asked))
  }

  return async app => {
    takeForms(app)
    app.get(
      '/fhir/AuditEvent',
      {
        ...guarded('audit.query', 'auditor'),
        schema: fhirSchema('Search the access log of your organisation, newest first')
      },
      search
    )
    app.post(
      '/fhir/AuditEvent/_search',
      {
        ...guarded('audit.query', 'auditor'),
        schema: fhirSchema('The same, also by patient, who is named in the form, never in a URL')
      },
      search
    )
    app.get(
      '/fhir/AuditEvent/:event',
      {
        ...guarded('audit.query', 'auditor'),
        schema: {
          ...fhirSchema('One event of the access log of your organisation'),
          params: Type.Object({ event: Id })
        }
      },
      async (request, reply) => {
        requireFormat(request)
        return sendFhir(reply, await readEvent(exchange, callerOf(request), request.params.event))
      }
    )
  }
}
