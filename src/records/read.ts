import type { RecordSummary, RecordView } from '../../schemas/record.ts'
import { actedBy } from '../audit/acted-by.ts'
import { aboutCase, caseOf } from '../cases/case.ts'
import type { Exchange } from '../exchange.ts'
import type { Caller } from '../identity/principal.ts'
import { findObjects, objectsOfCase, recordsOfCase } from './queries.ts'
import { aboutRecord, openRecordKey, recordOf, viewRecord, viewSummary } from './record.ts'
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
  await database.write(tx =>
    exchange.audit.append(tx, {
      action: 'record.read',
      outcome: 'success',
      ...actedBy(caller),
      ...aboutRecord(found)
    })
  )
  return view
}

/** The records of a case of the caller's organisation, oldest first. */
export async function listRecords(
  exchange: Exchange,
  caller: Caller,
  caseId: string
): Promise<{ records: RecordSummary[] }> {
  const { database, keyring } = exchange
  const found = await caseOf(database.read, caller, caseId)
  const records: RecordSummary[] = []
  const rows = await recordsOfCase(database.read, caseId)
  const ids = rows.map(({ id }) => id)
  const states = await quarantineOfRecords(database.read, ids, exchange.scanner.policy)
  for (const record of rows) {
    const summary = viewSummary(record, await openRecordKey(keyring, { record, case: found }))
    records.push({ ...summary, quarantine: states.get(record.id) ?? 'waiting' })
  }
  await database.write(tx =>
    exchange.audit.append(tx, {
      action: 'record.list',
      outcome: 'success',
      ...actedBy(caller, { shown: records.map(record => record.id) }),
      ...aboutCase(found)
    })
  )
  return { records }
}

/** The grounds on which the owner's clinicians read their own records. */
export async function accessByOwner(
  exchange: Exchange,
  caller: Caller,
  recordId: string
): Promise<Access> {
  const found = await recordOf(exchange.database.read, caller, recordId)
  return {
    caller,
    found,
    event: { ...actedBy(caller), ...aboutRecord(found) },
    // A record stays with its organisation; nothing can end the owner's access half-way.
    stillGranted: async () => {},
    mustEnd: async () => undefined
  }
}
