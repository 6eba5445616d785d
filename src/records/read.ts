import { timestamp } from '../../schemas/common.ts'
import type { ErasedRecord, RecordList, RecordView } from '../../schemas/record.ts'
import { actedBy } from '../audit/acted-by.ts'
import { aboutCase, caseOf, isErased } from '../cases/case.ts'
import type { Exchange } from '../exchange.ts'
import type { Caller } from '../identity/principal.ts'
import {
  erasedOfCase,
  findObjects,
  findRecord,
  findRecordHeld,
  objectsOfCase,
  type RecordRow,
  recordsOfCase
} from './queries.ts'
import {
  aboutRecord,
  openRecordKey,
  recordOf,
  requireKept,
  viewRecord,
  viewSummary
} from './record.ts'
import { quarantineOfRecords } from './scan/quarantine.ts'
import type { Access } from './serve.ts'

/** One record of the caller's organisation, with its objects. */
export async function readRecord(
  exchange: Exchange,
  caller: Caller,
  recordId: string
): Promise<RecordView> {
  const { database, keyring, scanner } = exchange
  const found = await recordOf(database.read, caller, recordId)
  const objects = await findObjects(database.read, { recordId })
  const known = await objectsOfCase(database.read, { caseId: found.case.id })
  const key = await openRecordKey(keyring, found)
  const view = viewRecord(found.record, objects, key, scanner.policy, { known })
  await exchange.audit.add({
    action: 'record.read',
    outcome: 'success',
    ...actedBy(caller),
    ...aboutRecord(found)
  })
  return view
}

/** The records of a case of the caller's organisation, oldest first, and what is left of erased ones. */
export async function listRecords(
  exchange: Exchange,
  caller: Caller,
  caseId: string
): Promise<RecordList> {
  const { database, keyring } = exchange
  const found = await caseOf(database.read, caller, caseId)
  const records: RecordList['records'] = []
  const rows = await recordsOfCase(database.read, caseId)
  const erased = await erasedOfCase(database.read, caseId)
  const ids = rows.map(({ id }) => id)
  const states = await quarantineOfRecords(database.read, ids, exchange.scanner.policy)
  for (const record of rows) {
    const summary = viewSummary(record, await openRecordKey(keyring, { record, case: found }))
    records.push({ ...summary, quarantine: states.get(record.id) ?? 'waiting' })
  }
  await exchange.audit.add({
    action: 'record.list',
    outcome: 'success',
    ...actedBy(caller, {
      shown: records.map(record => record.id),
      ...(erased.length > 0 && { erased: erased.map(({ record }) => record.id) })
    }),
    ...aboutCase(found)
  })
  return { records, ...(erased.length > 0 && { erased: erased.map(viewErased) }) }
}

/**
 * The same with what was found in each: studies, warnings, files. One event tells which were shown,
 * as for the list.
 */
export async function readRecords(
  exchange: Exchange,
  caller: Caller,
  caseId: string
): Promise<RecordView[]> {
  const { database, keyring, scanner } = exchange
  const found = await caseOf(database.read, caller, caseId)
  const rows = await recordsOfCase(database.read, caseId)
  const known = await objectsOfCase(database.read, { caseId })
  const views: RecordView[] = []
  for (const record of rows) {
    const key = await openRecordKey(keyring, { record, case: found })
    const objects = await findObjects(database.read, { recordId: record.id })
    views.push(viewRecord(record, objects, key, scanner.policy, { known }))
  }
  await exchange.audit.add({
    action: 'record.list',
    outcome: 'success',
    ...actedBy(caller, { shown: views.map(({ id }) => id), withFiles: true }),
    ...aboutCase(found)
  })
  return views
}

/** What is left of a record that was erased: nothing that was sealed under its key. */
function viewErased({ record, erasure, at }: Erased): ErasedRecord {
  const { id, kind, objectCount, bytes, createdBy, createdAt } = record
  return {
    id,
    kind: kind as ErasedRecord['kind'],
    objectCount,
    bytes,
    createdBy,
    createdAt: timestamp(createdAt),
    erasedAt: timestamp(at),
    erasure
  }
}

type Erased = Awaited<ReturnType<typeof erasedOfCase>>[number]

/** The grounds on which the owner's clinicians read their own records. */
export async function accessByOwner(
  exchange: Exchange,
  caller: Caller,
  recordId: string
): Promise<Access> {
  const { read } = exchange.database
  const found = await recordOf(read, caller, recordId)
  requireKept(found)
  const stays = ([record]: RecordRow[]) => record !== undefined && !isErased(record)
  return {
    caller,
    found,
    event: { ...actedBy(caller), ...aboutRecord(found) },
    // Only its erasure can end the owner's access to a record half-way.
    stillGranted: async tx => {
      const [record] = await findRecordHeld(tx, { id: recordId })
      if (record !== undefined) requireKept({ ...found, record })
    },
    mustEnd: async () => (stays(await findRecord(read, { id: recordId })) ? undefined : 'revoked')
  }
}
