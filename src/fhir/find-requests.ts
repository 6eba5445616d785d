import { actedBy } from '../audit/acted-by.ts'
import {
  aboutCase,
  type CaseRow,
  caseOf,
  isErased,
  openCaseDetails,
  openCaseKey,
  pageOfCases
} from '../cases/case.ts'
import { openRequest, requestRow } from '../cases/request.ts'
import { Refusal } from '../errors.ts'
import type { Exchange } from '../exchange.ts'
import type { Caller } from '../identity/principal.ts'
import { bundleOf, type CaseFilter, type CaseSearch, filterOf, pageSize } from './case-search.ts'
import type { Bundle, ServiceRequestResource } from './r4.ts'
import { toServiceRequest } from './service-request.ts'

/** One case of the caller's organisation. Throws Refusal `case-not-found`. */
export async function readServiceRequest(
  exchange: Exchange,
  caller: Caller,
  id: string
): Promise<ServiceRequestResource> {
  const row = await caseOf(exchange.database.read, caller, id)
  const resource = await toResource(exchange, row)
  await exchange.audit.add({
    action: 'request.read',
    outcome: 'success',
    ...actedBy(caller, { version: Number(resource.meta.versionId), fhir: true }),
    ...aboutCase(row)
  })
  return resource
}

/** Cases of the caller's organisation, newest first, in one page; one event tells which were shown. */
export async function searchServiceRequests(
  exchange: Exchange,
  caller: Caller,
  search: CaseSearch
): Promise<Bundle<ServiceRequestResource>> {
  const filter = filterOf(exchange, caller, search)
  const size = pageSize(exchange, search)
  const rows = await find(exchange, caller, search, filter, size + 1)
  const shown = rows.slice(0, size)
  const resources = await Promise.all(shown.map(row => toResource(exchange, row)))
  await exchange.audit.add({
    action: filter.patientRef ? 'case.search' : 'case.list',
    outcome: 'success',
    patientRef: filter.patientRef,
    ...actedBy(caller, { shown: shown.map(row => row.id), fhir: true })
  })
  const next = rows.length > size ? shown.at(-1)?.id : undefined
  return bundleOf(exchange, 'ServiceRequest', search, filter, { resources, next })
}

async function find(
  { database }: Exchange,
  caller: Caller,
  search: CaseSearch,
  filter: CaseFilter,
  limit: number
): Promise<CaseRow[]> {
  const { id, caseId } = filter
  if (search.isContradiction || (id !== undefined && caseId !== undefined && id !== caseId))
    return []
  const wanted = id ?? caseId
  if (wanted === undefined) return pageOfCases(database.read, { ...filter, limit })
  const found = await caseOf(database.read, caller, wanted).catch(err => {
    // Searching for what is not there finds nothing.
    if (err instanceof Refusal && err.code === 'case-not-found') return undefined
    throw err
  })
  if (found === undefined || isErased(found)) return []
  const isAskedFor = filter.patientRef === undefined || filter.patientRef.equals(found.patientRef)
  const isBefore = filter.before === undefined || found.id < filter.before
  return isAskedFor && isBefore ? [found] : []
}

async function toResource(exchange: Exchange, row: CaseRow): Promise<ServiceRequestResource> {
  const key = await openCaseKey(exchange.keyring, row)
  const request = await requestRow(exchange.database.read, row.id)
  const details = openRequest(key, request)
  return toServiceRequest({ row, request, details, ...openCaseDetails(key, row) })
}
