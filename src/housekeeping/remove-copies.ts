import { aboutCase, knownCase } from '../cases/case.ts'
import type { Exchange } from '../exchange.ts'
import { deleteCopies } from '../records/record.ts'
import { endedWithCopies } from '../shares/share.ts'

/**
 * Streams are cut within a second of a share's end. But a backup that began before it has copies to save
 * that its database names, and may take hours.
 */
const GRACE_MILLISECONDS = 24 * 60 * 60_000

/** Shares whose copies are removed in one go, so that no request waits long for it. */
const BATCH = 20

/**
 * Removes the pseudonymised copies of shares that ended a day ago or earlier, with the event that says
 * so, and then their blobs: if it stops between the two, those are orphans. The records they were made
 * from stay. Resolves to how many copies there were.
 */
export async function removeCopies(
  exchange: Pick<Exchange, 'database' | 'blobs' | 'audit' | 'clock'>,
  goOn: () => boolean = () => true
): Promise<number> {
  const { database, blobs, audit, clock } = exchange
  let sum = 0
  for (;;) {
    const before = clock() - GRACE_MILLISECONDS
    const ended = await endedWithCopies(database.read, before, BATCH)
    for (const share of ended) {
      if (!goOn()) return sum
      const found = await knownCase(database.read, share.caseId)
      const gone = await database.write(async tx => {
        const removed = await deleteCopies(tx, share.id)
        // Another process may have been here first.
        if (removed.records === 0) return removed
        await audit.append(tx, {
          action: 'copy.remove',
          outcome: 'success',
          ...aboutCase(found),
          details: {
            by: 'housekeeping',
            copies: removed.records,
            files: removed.blobs.length,
            share: share.id
          }
        })
        return removed
      })
      for (const blob of gone.blobs) await blobs.remove(blob)
      sum += gone.records
    }
    if (ended.length < BATCH) return sum
  }
}
