import type { PatientIdentifier } from '../../schemas/case.ts'
import { ids } from '../audit/fhir/codes.ts'
import { patientRef } from '../cases/patient.ts'
import { Refusal } from '../errors.ts'
import type { Exchange } from '../exchange.ts'
import { isId } from '../http/page.ts'
import type { Caller } from '../identity/principal.ts'
import { openCursor, sealCursor } from './cursor.ts'
import {
  identifierIn,
  type Read,
  readParameters,
  type Sent,
  type Understood
} from './parameters.ts'
import type { Bundle } from './r4.ts'

/** A search for what belongs to cases: by id, by case, by patient. */
export interface CaseSearch extends Understood {
  id?: string
  case?: string
  patient?: PatientIdentifier
  /** Asked for what no resource here can be. */
  isContradiction?: true
}

/** Where a page of a search begins, and whose cases it is about. */
export interface CaseFilter {
  organisationId: string
  id?: string
  caseId?: string
  patientRef?: Buffer
  before?: string
}

const patientNames = [
  'patient',
  'patient:identifier',
  'patient.identifier',
  'subject',
  'subject:identifier',
  'subject.identifier'
]

/** Reads a search. Refusals as in `readParameters`. */
export function readCaseSearch(sent: Sent, readers: Record<string, Read<CaseSearch>>): CaseSearch {
  return readParameters<CaseSearch>({ understood: [] }, sent, {
    readers: { _id: (search, value) => only(search, 'id', value), ...readers },
    isPatientName: name => patientNames.includes(name),
    readPatient(search, value) {
      const { system, value: identifier } = identifierIn(value)
      if (system === ids.patient) {
        only(search, 'case', identifier)
        return
      }
      const known = search.patient
      if (known && (known.system !== system || known.value !== identifier)) {
        search.isContradiction = true
      }
      search.patient = { system, value: identifier }
    },
    granted: { status: ['current'], _sort: ['-_lastUpdated', '-date', '-authored'] }
  })
}

/** A case, as `urn:consilium:case|id` or `ServiceRequest/id`. */
export const readCaseReference: Read<CaseSearch> = (search, value) => {
  const [, local] = /^ServiceRequest\/([^/|]+)$/.exec(value) ?? []
  if (local !== undefined) return only(search, 'case', local)
  const { system, value: id } = identifierIn(value)
  if (system !== ids.case) throw new RangeError(`needs ServiceRequest/id or the system ${ids.case}`)
  only(search, 'case', id)
}

/** There is one of each, so a second value contradicts the first. */
function only(search: CaseSearch, name: 'id' | 'case', value: string): void {
  if (!isId(value) || (search[name] !== undefined && search[name] !== value)) {
    search.isContradiction = true
  }
  search[name] = value
}

/** What the search means for this caller's organisation. Throws Refusal `cursor-invalid`. */
export function filterOf(exchange: Exchange, caller: Caller, search: CaseSearch): CaseFilter {
  const { organisationId } = caller
  const cursor =
    search.cursor === undefined
      ? {}
      : openCursor(exchange.serviceKeys, organisationId, search.cursor)
  const ref = search.patient
    ? patientRef(exchange.serviceKeys.lookup, search.patient)
    : cursor.patientRef
  return {
    organisationId,
    ...(search.id !== undefined && { id: search.id }),
    ...(search.case !== undefined && { caseId: search.case }),
    ...(ref !== undefined && { patientRef: ref }),
    ...(cursor.before !== undefined && { before: cursor.before })
  }
}

/** As in MHD somebody must be asked about. Throws Refusal `request-invalid`. */
export function requireSomebody({ patientRef: ref, caseId, id }: CaseFilter, byCase: string): void {
  if (ref !== undefined || caseId !== undefined || id !== undefined) return
  const problems = [`ask for patient.identifier (by POST), ${byCase} or _id`]
  throw new Refusal('request-invalid', 'search', { problems })
}

/** How many resources a page holds: never more than was asked for (FHIR R4, search.html#count). */
export const pageSize = ({ limits }: Exchange, search: CaseSearch): number =>
  Math.min(search.count ?? limits.pageSizeDefault, limits.pageSizeMax)

/** A page of resources, with the link to the next. A patient is in it only as the cursor seals them. */
export function bundleOf<Resource extends { resourceType: string; id: string }>(
  { publicUrl, serviceKeys }: Exchange,
  kind: string,
  search: CaseSearch,
  filter: CaseFilter,
  page: { resources: Resource[]; next: string | undefined }
): Bundle<Resource> {
  const linkFrom = (before: string | undefined) => {
    const { organisationId, patientRef: ref } = filter
    const parameters = new URLSearchParams(search.understood)
    const [byCase, value] = caseParameter(kind, filter.caseId ?? '')
    if (filter.caseId !== undefined && !parameters.has('_id')) parameters.set(byCase, value)
    if (before !== undefined || ref !== undefined) {
      const cursor = { ...(before && { before }), ...(ref && { patientRef: ref }) }
      parameters.set('_cursor', sealCursor(serviceKeys, organisationId, cursor))
    }
    return `${publicUrl}/fhir/${kind}${parameters.size > 0 ? `?${parameters}` : ''}`
  }
  return {
    resourceType: 'Bundle',
    type: 'searchset',
    link: [
      { relation: 'self', url: linkFrom(filter.before) },
      ...(page.next === undefined ? [] : [{ relation: 'next' as const, url: linkFrom(page.next) }])
    ],
    ...(page.resources.length > 0 && {
      entry: page.resources.map(resource => ({
        fullUrl: `${publicUrl}/fhir/${kind}/${resource.id}`,
        resource,
        search: { mode: 'match' as const }
      }))
    })
  }
}

/** By which parameter each kind is found by its case. */
function caseParameter(kind: string, id: string): [name: string, value: string] {
  if (kind === 'ServiceRequest') return ['_id', id]
  const names: Record<string, string> = { Consent: 'data', DiagnosticReport: 'based-on' }
  return [names[kind] ?? 'related', `ServiceRequest/${id}`]
}
