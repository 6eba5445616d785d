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
import type { CaseSearch } from './case-search.ts'
import { toDocumentReference } from './document-reference.ts'
import type { DocumentReferenceResource } from './r4.ts'
import { searchInCases } from './search-in-cases.ts'

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
  await exchange.audit.add({
    action: 'record.read',
    outcome: 'success',
    ...actedBy(caller, { fhir: true }),
    ...aboutRecord(found)
  })
  return resource
}

/** Records of a patient, of a case, or one of them: see `searchInCases`. */
export const searchDocumentReferences = (exchange: Exchange, caller: Caller, search: CaseSearch) =>
  searchInCases<RecordRow, DocumentReferenceResource>(exchange, caller, search, {
    name: 'DocumentReference',
    action: 'record.list',
    byCase: 'related',
    page: pageOfRecords,
    toResource
  })

async function toResource(
  { database, keyring, publicUrl }: Exchange,
  found: CaseRow,
  row: RecordRow
): Promise<DocumentReferenceResource> {
  const key = await openRecordKey(keyring, { record: row, case: found })
  const { patient } = openCaseDetails(await openCaseKey(keyring, found), found)
  const objects = await findObjects(database.read, { recordId: row.id })
  return toDocumentReference(
    { row, objects, patient, details: openRecordDetails(key, row) },
    publicUrl
  )
}
