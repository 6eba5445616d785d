import type { CaseRow } from '../cases/case.ts'
import type { Queries } from '../database/database.ts'
import type { Exchange } from '../exchange.ts'
import { findCopies, openRecordKey, type RecordRow, recordsById } from '../records/record.ts'
import { findShareRecords } from './queries.ts'
import type { ShareRow } from './share.ts'

/** One record that the share lets its specialist read: of a pseudonymised share only a copy. */
export async function sharedRecord(
  queries: Queries,
  share: ShareRow,
  recordId: string
): Promise<RecordRow | undefined> {
  if (share.pseudonymised) {
    const copies = await findCopies(queries, { shareId: share.id })
    return copies.find(({ id }) => id === recordId)
  }
  const shared = await findShareRecords(queries, { shareId: share.id })
  if (!shared.some(row => row.recordId === recordId)) return undefined
  const [record] = await recordsById(queries, [recordId])
  return record
}

/** The records of a share in its order, or the copies of a pseudonymised one, each with its key. */
export async function sharedRecords(exchange: Exchange, share: ShareRow, found: CaseRow) {
  const { database, keyring } = exchange
  const named = await findShareRecords(database.read, { shareId: share.id })
  const ids = named.map(row => row.recordId)
  const rows = share.pseudonymised
    ? new Map(
        (await findCopies(database.read, { shareId: share.id })).map(row => [row.copyOf, row])
      )
    : new Map((await recordsById(database.read, ids)).map(row => [row.id, row]))
  const records = []
  for (const id of ids) {
    const record = rows.get(id)
    if (record === undefined) throw new Error('A share names a record that is not there.')
    records.push({ record, key: await openRecordKey(keyring, { record, case: found }) })
  }
  return records
}
