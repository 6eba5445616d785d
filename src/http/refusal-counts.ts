import { createHmac, type KeyObject } from 'node:crypto'
import { lt, sql } from '../../schemas/drizzle.ts'
import { type Database, prepared } from '../database/database.ts'
import type { Exchange } from '../exchange.ts'
import { type CountTogether, type RefusalCounter, refusalCounter } from './refusal-counter.ts'

const p = sql.placeholder

const countOne = prepared<{ key: Buffer; minute: number }, { count: number }[]>(q => {
  const { refusalCounts: counts } = q.tables
  return q
    .insert(counts)
    .values({ key: p('key'), minute: p('minute'), count: 1 })
    .onConflictDoUpdate({
      target: [counts.minute, counts.key],
      set: { count: sql`${counts.count} + 1` }
    })
    .returning({ count: counts.count })
    .prepare('count_refusal')
})

/**
 * One count of refusals for all processes on a database; undefined on SQLite, which has one. Callers
 * are kept for a minute or two and only as their HMAC under `key`: an address is about a person.
 */
function countInDatabase(database: Database, key: KeyObject): CountTogether | undefined {
  if (database.read.kind === 'sqlite') return undefined
  let lastMinute = -1
  return async (caller, minute) => {
    const hashed = createHmac('sha256', key).update(`refusals of ${caller}`).digest()
    const isNew = minute !== lastMinute
    lastMinute = minute
    const [row] = await database.write(async tx => {
      const { refusalCounts } = tx.tables
      if (isNew) await tx.delete(refusalCounts).where(lt(refusalCounts.minute, minute - 1))
      return await countOne(tx, { key: hashed, minute })
    })
    return row?.count ?? 1
  }
}

/** The counter of an exchange: with all processes on its database, where there may be several. */
export function countRefusals(
  { database, serviceKeys, clock }: Pick<Exchange, 'database' | 'serviceKeys' | 'clock'>,
  perMinuteMax: number
): RefusalCounter {
  return refusalCounter(perMinuteMax, clock, countInDatabase(database, serviceKeys.lookup))
}
