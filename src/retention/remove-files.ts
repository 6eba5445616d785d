import type { Exchange } from '../exchange.ts'
import { blobsOf, type ErasureRow, erasuresWithFiles, noteFiles } from './queries.ts'

/** What a store would not let go is asked for again a day later: a lock runs out one day. */
const KEPT_MILLISECONDS = 24 * 60 * 60_000

/** Erasures looked for in one go. */
const BATCH = 20

type Parts = Pick<Exchange, 'database' | 'blobs' | 'audit' | 'clock' | 'log'>

/**
 * Removes the files of what was erased, all versions of each, and says on the log what the store made
 * of it. Their key is gone already. If it stops half-way, or is done twice, the next run begins anew:
 * to remove what is gone is no mistake. Throws BlobError when the store fails.
 */
export async function removeFiles(exchange: Parts, row: ErasureRow): Promise<ErasureRow> {
  const { database, blobs, audit, clock } = exchange
  const names = await blobsOf(database.read, row.id)
  let kept = 0
  for (const name of names) if ((await blobs.remove(name)) === 'kept') kept += 1
  return await database.write(async tx => {
    const at = clock()
    const now = {
      filesAt: at,
      filesKept: kept,
      filesDue: kept > 0 ? at + KEPT_MILLISECONDS : null
    }
    const [noted] = await noteFiles(tx, row.id, row, now)
    // Another process has done the same meanwhile.
    if (noted === undefined) return { ...row, ...now }
    if (names.length > 0 && (row.filesAt === null || row.filesKept !== kept)) {
      await audit.append(tx, {
        action: 'erasure.files',
        outcome: 'success',
        organisationId: row.organisationId,
        caseId: row.caseId,
        details: { by: 'service', erasure: row.id, files: names.length, kept }
      })
    }
    return noted
  })
}

/**
 * The same for all that is due, erasure by erasure. Resolves to how many were seen to. Throws
 * BlobError when the store fails; what is left is due still.
 */
export async function removeDueFiles(exchange: Parts, goOn: () => boolean): Promise<number> {
  let done = 0
  for (;;) {
    const due = await erasuresWithFiles(exchange.database.read, exchange.clock(), BATCH)
    for (const row of due) {
      if (!goOn()) return done
      await removeFiles(exchange, row)
      done += 1
    }
    if (due.length < BATCH) return done
  }
}
