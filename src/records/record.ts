import type { KeyObject } from 'node:crypto'
import { timestamp } from '../../schemas/common.ts'
import type { ObjectView, RecordFields, RecordSummary, RecordView } from '../../schemas/record.ts'
import { aboutCase, type CaseRow, caseOf, knownCase } from '../cases/case.ts'
import type { Queries } from '../database/database.ts'
import { Refusal } from '../errors.ts'
import type { Caller } from '../identity/principal.ts'
import type { Keyring } from '../sealing/keyrings/keyring.ts'
import { canonicalContext, openBox, recordKeyContext, sealBox, unwrapKey } from '../sealing/keys.ts'
import { findObject, findRecord, type ObjectRow, type RecordRow, recordsById } from './queries.ts'

export type { ObjectRow, RecordRow } from './queries.ts'
export { findObjects, recordsById, recordsOfCase } from './queries.ts'

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
 * The rows of these records, if all of them are in this case. Throws Refusal `record-not-in-case`.
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

/** The key of a record, which seals its objects, title and file names. */
export function openRecordKey(keyring: Keyring, found: RecordInCase): Promise<KeyObject> {
  const context = recordKeyContext(found.case.organisationId, found.record.id)
  return unwrapKey(keyring, context, found.record.wrappedKey)
}

export type RecordDetails = Pick<RecordFields, 'title' | 'date'>

const detailsContext = (id: string): Buffer => canonicalContext('record-details', id)
const nameContext = (id: string): Buffer => canonicalContext('object-name', id)

export function sealRecordDetails(key: KeyObject, id: string, details: RecordDetails): Buffer {
  return sealBox(key, detailsContext(id), Buffer.from(JSON.stringify(details)))
}

export function sealFileName(key: KeyObject, objectId: string, name: string): Buffer {
  return sealBox(key, nameContext(objectId), Buffer.from(name))
}

export function openFileName(key: KeyObject, object: ObjectRow): string {
  return openBox(key, nameContext(object.id), object.nameSealed).toString()
}

function viewWithoutObjects(record: RecordRow, key: KeyObject): Omit<RecordView, 'objects'> {
  const details: RecordDetails = JSON.parse(
    openBox(key, detailsContext(record.id), record.detailsSealed).toString()
  )
  return {
    id: record.id,
    case: record.caseId,
    kind: record.kind as RecordFields['kind'],
    ...details,
    createdBy: record.createdBy,
    createdAt: timestamp(record.createdAt),
    bytes: record.bytes
  }
}

export function viewRecord(record: RecordRow, objects: ObjectRow[], key: KeyObject): RecordView {
  return {
    ...viewWithoutObjects(record, key),
    objects: objects.map(object => viewObject(object, key))
  }
}

export function viewSummary(record: RecordRow, key: KeyObject): RecordSummary {
  return { ...viewWithoutObjects(record, key), objectCount: record.objectCount }
}

function viewObject(object: ObjectRow, key: KeyObject): ObjectView {
  return {
    id: object.id,
    position: object.position,
    fileName: openFileName(key, object),
    type: object.type,
    endToEnd: object.endToEnd,
    bytes: object.bytes,
    sha256: object.sha256.toString('hex')
  }
}
