import type { KeyObject } from 'node:crypto'
import type { ReportedRecord } from '../../../schemas/disclosure-report.ts'
import { type CaseRow, isErased } from '../../cases/case.ts'
import type { Exchange } from '../../exchange.ts'
import {
  findObjects,
  openFileName,
  openRecordKey,
  type RecordRow,
  recordsById,
  viewSummary
} from '../../records/record.ts'

/** A record as the report names it, with those of its files that somebody opened. */
interface NamedRecord {
  record: ReportedRecord
  files: Map<string, { id: string; name?: string; bytes: number }>
}

/** Names of records and files, by the id of the record. What is no longer there has none. */
export type Names = Map<string, NamedRecord>

/** Opens the titles of these records, and the names of these of their files. */
export async function namesOfRecords(
  exchange: Exchange,
  cases: CaseRow[],
  recordIds: Set<string>,
  objectIds: Set<string>
): Promise<Names> {
  const { database, keyring } = exchange
  const caseById = new Map(cases.map(row => [row.id, row]))
  const names: Names = new Map()
  for (const record of await recordsById(database.read, [...recordIds])) {
    const found = caseById.get(record.caseId)
    if (found === undefined) continue
    const key = isErased(record) ? undefined : await openRecordKey(keyring, { record, case: found })
    const { id } = record
    const files: NamedRecord['files'] = new Map()
    for (const object of await findObjects(database.read, { recordId: id })) {
      if (!objectIds.has(object.id)) continue
      files.set(object.id, {
        id: object.id,
        ...(key && { name: openFileName(key, object) }),
        bytes: object.bytes
      })
    }
    names.set(id, { record: reported(record, key), files })
  }
  return names
}

/** Of one that was erased, what is left to tell. */
function reported(record: RecordRow, key: KeyObject | undefined): ReportedRecord {
  const { id } = record
  if (key === undefined) return { id, kind: record.kind as ReportedRecord['kind'], erased: true }
  const { kind, title, date } = viewSummary(record, key)
  return { id, kind, title, date }
}
