import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { Id } from '../../schemas/common.ts'
import type { Exchange } from '../exchange.ts'
import { callerOf, type Guarded, open } from '../http/area.ts'
import { capabilityStatement } from './capability.ts'
import { readCaseReference, readCaseSearch } from './case-search.ts'
import { readDocumentReference, searchDocumentReferences } from './find-documents.ts'
import { readServiceRequest, searchServiceRequests } from './find-requests.ts'
import { fhirSchema, requireFormat, searchIn, sendFhir, takeForms } from './http.ts'

/**
 * What crosses to a hospital's own systems, in FHIR R4 and read only: the cases of the caller's
 * organisation as ServiceRequests, their records as DocumentReferences. The log is in
 * `audit/fhir/routes.ts`.
 */
export function fhirRoutes(exchange: Exchange, guarded: Guarded): FastifyPluginAsyncTypebox {
  const requests = async (request: FastifyRequest, reply: FastifyReply) => {
    const search = readCaseSearch(searchIn(request), { identifier: readCaseReference })
    return sendFhir(reply, await searchServiceRequests(exchange, callerOf(request), search))
  }
  const documents = async (request: FastifyRequest, reply: FastifyReply) => {
    const search = readCaseSearch(searchIn(request), {
      related: readCaseReference,
      'related:identifier': readCaseReference,
      'related.identifier': readCaseReference
    })
    return sendFhir(reply, await searchDocumentReferences(exchange, callerOf(request), search))
  }
  const byPost = 'The same, also by patient, who is named in the form, never in a URL'

  return async app => {
    takeForms(app)
    app.get(
      '/fhir/metadata',
      { ...open, schema: fhirSchema('What this server can do') },
      async (request, reply) => {
        requireFormat(request)
        return sendFhir(reply, capabilityStatement(exchange.publicUrl))
      }
    )
    app.get(
      '/fhir/ServiceRequest',
      {
        ...guarded('case.list', 'clinician'),
        schema: fhirSchema('The cases of your organisation, newest first')
      },
      requests
    )
    app.post(
      '/fhir/ServiceRequest/_search',
      { ...guarded('case.list', 'clinician'), schema: fhirSchema(byPost) },
      requests
    )
    app.get(
      '/fhir/ServiceRequest/:case',
      {
        ...guarded('request.read', 'clinician'),
        schema: { ...fhirSchema('One case'), params: Type.Object({ case: Id }) }
      },
      async (request, reply) => {
        requireFormat(request)
        const { case: id } = request.params
        return sendFhir(reply, await readServiceRequest(exchange, callerOf(request), id))
      }
    )
    app.get(
      '/fhir/DocumentReference',
      {
        ...guarded('record.list', 'clinician'),
        schema: fhirSchema('The records of a case (`related`), newest first')
      },
      documents
    )
    app.post(
      '/fhir/DocumentReference/_search',
      { ...guarded('record.list', 'clinician'), schema: fhirSchema(byPost) },
      documents
    )
    app.get(
      '/fhir/DocumentReference/:record',
      {
        ...guarded('record.read', 'clinician'),
        schema: { ...fhirSchema('One record'), params: Type.Object({ record: Id }) }
      },
      async (request, reply) => {
        requireFormat(request)
        const { record } = request.params
        return sendFhir(reply, await readDocumentReference(exchange, callerOf(request), record))
      }
    )
  }
}
