import { actedBy } from '../audit/acted-by.ts'
import { type CaseRow, openCaseDetails, openCaseKey } from '../cases/case.ts'
import { Refusal } from '../errors.ts'
import type { Exchange } from '../exchange.ts'
import type { Caller } from '../identity/principal.ts'
import {
  aboutRecord,
  findObjects,
  openRecordDetails,
  openRecordKey,
  pageOfRecords,
  type RecordRow,
  recordOf
} from '../records/record.ts'
import { bundleOf, type CaseSearch, filterOf, pageSize, requireSomebody } from './case-search.ts'
import { casesOf, oneCaseOf } from './cases-of.ts'
import { toDocumentReference } from './document-reference.ts'
import type { Bundle, DocumentReferenceResource } from './r4.ts'

/** One record of the caller's organisation. Throws Refusal `record-not-found`. */
export async function readDocumentReference(
  exchange: Exchange,
  caller: Caller,
  id: string
): Promise<DocumentReferenceResource> {
  const found = await recordOf(exchange.database.read, caller, id)
  if (found.record.copyOf !== null) {
    throw new Refusal('record-not-found', 'a copy', { about: aboutRecord(found) })
  }
  const resource = await toResource(exchange, found.case, found.record)
  await exchange.database.write(tx =>
    exchange.audit.append(tx, {
      action: 'record.read',
      outcome: 'success',
      ...actedBy(caller, { fhir: true }),
      ...aboutRecord(found)
    })
  )
  return resource
}

/**
 * Records of the caller's organisation, newest first, in one page. As in MHD somebody must be asked
 * about: a patient, a case, or one record; otherwise Refusal `request-invalid`. One event tells
 * which were shown.
 */
export async function searchDocumentReferences(
  exchange: Exchange,
  caller: Caller,
  search: CaseSearch
): Promise<Bundle<DocumentReferenceResource>> {
  const filter = filterOf(exchange, caller, search)
  requireSomebody(filter, 'related')
  const size = pageSize(exchange, search)
  const rows = search.isContradiction
    ? []
    : await pageOfRecords(exchange.database.read, { ...filter, limit: size + 1 })
  const shown = rows.slice(0, size)
  const cases = await casesOf(exchange, shown)
  const resources = await Promise.all(
    shown.map(record => toResource(exchange, cases.get(record.caseId), record))
  )
  await exchange.database.write(tx =>
    exchange.audit.append(tx, {
      action: 'record.list',
      outcome: 'success',
      ...actedBy(caller, { shown: shown.map(({ id }) => id), fhir: true }),
      ...oneCaseOf(cases, filter)
    })
  )
  const next = rows.length > size ? shown.at(-1)?.id : undefined
  return bundleOf(exchange, 'DocumentReference', search, filter, { resources, next })
}

async function toResource(
  { database, keyring, publicUrl }: Exchange,
  found: CaseRow | undefined,
  row: RecordRow
): Promise<DocumentReferenceResource> {
  if (found === undefined) throw new Error('A record is in a case that was not read.')
  const key = await openRecordKey(keyring, { record: row, case: found })
  const { patient } = openCaseDetails(await openCaseKey(keyring, found), found)
  const objects = await findObjects(database.read, { recordId: row.id })
  return toDocumentReference(
    { row, objects, patient, details: openRecordDetails(key, row) },
    publicUrl
  )
}
