import type { KeyObject } from 'node:crypto'
import { timestamp } from '../../schemas/common.ts'
import type {
  ObjectView,
  RecordFields,
  RecordKind,
  RecordSummary,
  RecordView
} from '../../schemas/record.ts'
import { aboutCase, type CaseRow, caseOf, isErased, knownCase } from '../cases/case.ts'
import type { Queries } from '../database/database.ts'
import { Refusal } from '../errors.ts'
import type { Caller } from '../identity/principal.ts'
import type { Keyring } from '../sealing/keyrings/keyring.ts'
import { canonicalContext, openBox, recordKeyContext, sealBox, unwrapKey } from '../sealing/keys.ts'
import { type Candidate, duplicatesIn } from './duplicates.ts'
import type { PatientMatch } from './inspect/patient-match.ts'
import { lineOfRecord, studiesOf } from './inspect/study.ts'
import { openSummary, type StoredSummary } from './object-summary.ts'
import { findObject, findRecord, type ObjectRow, type RecordRow, recordsById } from './queries.ts'
import { quarantineOf, viewScan } from './scan/quarantine.ts'
import type { ScanPolicy } from './scan/scanner.ts'

export type { ObjectRow, RecordRow } from './queries.ts'
export {
  deleteCopies,
  findCopies,
  findObjects,
  insertRecord,
  namedBlobs,
  objectsOfCase,
  pageOfRecords,
  recordsById,
  recordsOfCase,
  segmentRows
} from './queries.ts'

/** A record and the case it is in. */
export interface RecordInCase {
  record: RecordRow
  case: CaseRow
}

/** The record with this id, for a caller of the organisation that owns its case. */
export async function recordOf(
  queries: Queries,
  caller: Caller,
  id: string
): Promise<RecordInCase> {
  const [record] = await findRecord(queries, { id })
  if (record === undefined) throw new Refusal('record-not-found')
  try {
    return { record, case: await caseOf(queries, caller, record.caseId) }
  } catch (err) {
    if (!(err instanceof Refusal)) throw err
    const about = { ...err.extra.about, recordId: id }
    throw new Refusal('record-not-found', err.message, { about })
  }
}

/**
 * The rows of these records, in their order, if all of them are in this case. A copy that was made for
 * another share is none of the case. Throws Refusal `record-not-in-case`, `record-erased`.
 */
export async function requireRecordsOfCase(
  queries: Queries,
  caseId: string,
  ids: string[]
): Promise<RecordRow[]> {
  const rows = await recordsById(queries, ids)
  const elsewhere = rows.find(row => row.caseId !== caseId)
  if (elsewhere !== undefined) {
    // Its owner learns who reached for it; the caller does not learn that it exists.
    const found = { record: elsewhere, case: await knownCase(queries, elsewhere.caseId) }
    throw new Refusal('record-not-in-case', 'elsewhere', { about: aboutRecord(found) })
  }
  if (rows.length !== ids.length) throw new Refusal('record-not-in-case', 'unknown')
  if (rows.some(row => row.copyOf !== null)) throw new Refusal('record-not-in-case', 'a copy')
  const gone = rows.find(isErased)
  if (gone) requireKept({ record: gone, case: await knownCase(queries, caseId) })
  return rows
}

/** One object of a record. */
export async function objectOf(queries: Queries, found: RecordInCase, id: string) {
  const [object] = await findObject(queries, { id, recordId: found.record.id })
  if (object === undefined) {
    throw new Refusal('object-not-found', undefined, { about: aboutRecord(found) })
  }
  return object
}

/** What the access log says about a record. */
export function aboutRecord(found: RecordInCase) {
  return { ...aboutCase(found.case), recordId: found.record.id }
}

/**
 * The key of a record, which seals its objects, title and file names. Refusal `record-erased` when
 * there is none any more.
 */
export async function openRecordKey(keyring: Keyring, found: RecordInCase): Promise<KeyObject> {
  requireKept(found)
  const context = recordKeyContext(found.case.organisationId, found.record.id)
  return await unwrapKey(keyring, context, found.record.wrappedKey)
}

/** Throws Refusal `record-erased` for a record of which only the row is left. */
export function requireKept(found: RecordInCase): void {
  if (!isErased(found.record)) return
  throw new Refusal('record-erased', undefined, { about: aboutRecord(found) })
}

export type RecordDetails = Pick<RecordFields, 'title' | 'date'>

const detailsContext = (id: string): Buffer => canonicalContext('record-details', id)
const nameContext = (id: string): Buffer => canonicalContext('object-name', id)

export function sealRecordDetails(key: KeyObject, id: string, details: RecordDetails): Buffer {
  return sealBox(key, detailsContext(id), Buffer.from(JSON.stringify(details)))
}

export function openRecordDetails(
  key: KeyObject,
  row: { id: string; detailsSealed: Buffer }
): RecordDetails {
  return JSON.parse(openBox(key, detailsContext(row.id), row.detailsSealed).toString())
}

export function sealFileName(key: KeyObject, objectId: string, name: string): Buffer {
  return sealBox(key, nameContext(objectId), Buffer.from(name))
}

export function openFileName(key: KeyObject, object: ObjectRow): string {
  return openBox(key, nameContext(object.id), object.nameSealed).toString()
}

const reasonContext = (id: string): Buffer => canonicalContext('patient-reason', id)

export function sealReason(key: KeyObject, recordId: string, reason: string): Buffer {
  return sealBox(key, reasonContext(recordId), Buffer.from(reason))
}

/** Who looks: the organisation whose record it is, or the specialist it was shared with. */
export type Reader = 'owner' | 'specialist'

function viewWithoutObjects(record: RecordRow, key: KeyObject, reader: Reader) {
  const details = openRecordDetails(key, record)
  const confirmation = viewConfirmation(record, key, reader)
  return {
    id: record.id,
    case: record.caseId,
    kind: record.kind as RecordKind,
    ...details,
    createdBy: record.createdBy,
    createdAt: timestamp(record.createdAt),
    bytes: record.bytes,
    patientMatch: record.patientMatch as PatientMatch,
    ...(confirmation && { patientConfirmation: confirmation })
  }
}

/** The reason may name another patient, so it stays with the organisation. */
function viewConfirmation(record: RecordRow, key: KeyObject, reader: Reader) {
  const { patientConfirmedBy: by, patientConfirmedAt: at, patientReasonSealed: sealed } = record
  if (by === null || at === null || sealed === null) return undefined
  const reason = openBox(key, reasonContext(record.id), sealed).toString()
  return { by, at: timestamp(at), ...(reader === 'owner' && { reason }) }
}

/**
 * A record with its objects, under the operator's policy on malware. `known` are the objects among
 * which its reader may be told of duplicates: those of the whole case, or of what was shared.
 */
export function viewRecord(
  record: RecordRow,
  objects: ObjectRow[],
  key: KeyObject,
  policy: ScanPolicy,
  { reader = 'owner', known = objects }: { reader?: Reader; known?: readonly Candidate[] } = {}
): RecordView {
  const seen = objects.map(object => ({ object, summary: openSummary(key, object) }))
  const studies = studiesOf(seen.map(({ summary }) => summary))
  const files = seen.map(({ object, summary }) => ({ ...summary, type: object.type }))
  const reasons = reasonsOf(
    record,
    seen.map(({ summary }) => summary)
  )
  return {
    ...viewWithoutObjects(record, key, reader),
    quarantine: quarantineOf(objects, policy),
    ...(reasons.length > 0 && { patientReasons: reasons }),
    summary: lineOfRecord(files, studies),
    studies,
    duplicates: duplicatesIn(record.id, known),
    objects: seen.map(({ object, summary }) => viewObject(object, summary, key, policy))
  }
}

/** Why it is a mismatch. Where no file is one by itself, it is that they are of several patients. */
function reasonsOf(record: RecordRow, summaries: StoredSummary[]): string[] {
  if (record.patientMatch !== 'mismatch') return []
  const reasons = new Set(summaries.flatMap(({ verdict }) => verdict?.reasons ?? []))
  return reasons.size > 0 ? [...reasons] : ['several-patients']
}

/** A record in a list, but for its quarantine, which is asked for all of the list at once. */
export function viewSummary(
  record: RecordRow,
  key: KeyObject,
  reader: Reader = 'owner'
): Omit<RecordSummary, 'quarantine'> {
  return { ...viewWithoutObjects(record, key, reader), objectCount: record.objectCount }
}

function viewObject(
  object: ObjectRow,
  seen: StoredSummary,
  key: KeyObject,
  policy: ScanPolicy
): ObjectView {
  const { verdict, dicom, ...summary } = seen
  const { patient, otherPatients, ...header } = dicom ?? {}
  return {
    id: object.id,
    position: object.position,
    fileName: openFileName(key, object),
    type: object.type,
    endToEnd: object.endToEnd,
    bytes: object.bytes,
    sha256: object.sha256.toString('hex'),
    summary: { ...(dicom && { dicom: header }), ...summary },
    ...(verdict && { patientMatch: verdict.match }),
    ...viewScan(object, policy)
  }
}
