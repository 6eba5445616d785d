import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import type { Action } from '../../schemas/audit-event.ts'
import { Id } from '../../schemas/common.ts'
import type { Exchange } from '../exchange.ts'
import { callerOf, type Guarded, open } from '../http/area.ts'
import type { Caller } from '../identity/principal.ts'
import { capabilityStatement } from './capability.ts'
import { type CaseSearch, readCaseReference, readCaseSearch } from './case-search.ts'
import { readConsentResource, searchConsents } from './find-consents.ts'
import { readDocumentReference, searchDocumentReferences } from './find-documents.ts'
import { readDiagnosticReport, searchDiagnosticReports } from './find-opinions.ts'
import { readServiceRequest, searchServiceRequests } from './find-requests.ts'
import { fhirSchema, requireFormat, searchIn, sendFhir, takeForms } from './http.ts'

/** One kind of resource that belongs to cases. */
interface Kind {
  name: string
  /** What its id is called elsewhere in the API. */
  id: string
  /** What the log calls a search and a reading. */
  actions: { search: Action; read: Action }
  /** Parameters by which it is found by its case. */
  byCase: string[]
  /** What it is, for the API description. */
  summary: string
  search: (exchange: Exchange, caller: Caller, search: CaseSearch) => Promise<object>
  read: (exchange: Exchange, caller: Caller, id: string) => Promise<object>
}

const kinds: Kind[] = [
  {
    name: 'ServiceRequest',
    id: 'case',
    actions: { search: 'case.list', read: 'request.read' },
    byCase: ['identifier'],
    summary: 'Cases of your organisation',
    search: searchServiceRequests,
    read: readServiceRequest
  },
  {
    name: 'DocumentReference',
    id: 'record',
    actions: { search: 'record.list', read: 'record.read' },
    byCase: ['related', 'related:identifier', 'related.identifier'],
    summary: 'Records of a case',
    search: searchDocumentReferences,
    read: readDocumentReference
  },
  {
    name: 'DiagnosticReport',
    id: 'opinion',
    actions: { search: 'opinion.list', read: 'opinion.read' },
    byCase: ['based-on', 'based-on:identifier', 'based-on.identifier'],
    summary: 'Opinions that came back on a case',
    search: searchDiagnosticReports,
    read: readDiagnosticReport
  },
  {
    name: 'Consent',
    id: 'consent',
    actions: { search: 'consent.list', read: 'consent.list' },
    byCase: ['data', 'data:identifier', 'data.identifier'],
    summary: 'Consents that the patient of a case gave',
    search: searchConsents,
    read: readConsentResource
  }
]

/**
 * What crosses to a hospital's own systems, in FHIR R4 and read only: the cases of the caller's
 * organisation with what belongs to them. The log is in `audit/fhir/routes.ts`.
 */
export function fhirRoutes(exchange: Exchange, guarded: Guarded): FastifyPluginAsyncTypebox {
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
    for (const kind of kinds) await app.register(routesOf(kind, exchange, guarded))
  }
}

function routesOf(kind: Kind, exchange: Exchange, guarded: Guarded): FastifyPluginAsyncTypebox {
  const { name, actions, summary } = kind
  const readers = Object.fromEntries(kind.byCase.map(parameter => [parameter, readCaseReference]))
  const search = async (request: FastifyRequest, reply: FastifyReply) => {
    const asked = readCaseSearch(searchIn(request), readers)
    return sendFhir(reply, await kind.search(exchange, callerOf(request), asked))
  }
  return async app => {
    app.get(
      `/fhir/${name}`,
      {
        ...guarded(actions.search, 'clinician'),
        schema: fhirSchema(`${summary}, newest first`)
      },
      search
    )
    app.post(
      `/fhir/${name}/_search`,
      {
        ...guarded(actions.search, 'clinician'),
        schema: fhirSchema('The same, also by patient, who is named in the form, never in a URL')
      },
      search
    )
    app.get(
      `/fhir/${name}/:${kind.id}`,
      {
        ...guarded(actions.read, 'clinician'),
        schema: { ...fhirSchema(`${summary}: one of them`), params: Type.Object({ [kind.id]: Id }) }
      },
      async (request, reply) => {
        requireFormat(request)
        const id = request.params[kind.id] ?? ''
        return sendFhir(reply, await kind.read(exchange, callerOf(request), id))
      }
    )
  }
}
