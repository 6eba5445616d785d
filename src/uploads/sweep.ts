import type { Exchange } from '../exchange.ts'
import { aboutDraft } from './draft.ts'
import { discardDraft, expiredDrafts, removeEmpty } from './draft-queries.ts'
import { deleteSegments, endedSegments } from './queries.ts'

/** Rows and blobs handled in one go, so that no request waits long for it. */
const BATCH = 200
/** Blobs that are being removed at once. */
const REMOVING_MAX = 8

type Parts = Pick<Exchange, 'database' | 'blobs' | 'audit' | 'clock'>

/**
 * Housekeeping of uploads: ends the drafts whose time is over, and removes what was ended or refused,
 * blobs first and then their rows. If it stops in between, the rows are still there to go on by.
 * Resolves to how many drafts had expired.
 */
export async function sweepUploads(parts: Parts, goOn: () => boolean): Promise<number> {
  let expired = 0
  for (;;) {
    const count = goOn() ? await expireDrafts(parts) : 0
    expired += count
    if (count < BATCH) break
  }
  while (goOn() && (await removeSegments(parts)) === BATCH);
  while (goOn() && (await removeRows(parts)) >= BATCH);
  return expired
}

/** The first batch at once; the rest is for housekeeping, and so is whatever fails. */
export async function removeEnded(parts: Parts & Pick<Exchange, 'log'>, uploadId?: string) {
  try {
    await removeSegments(parts, uploadId)
    await removeRows(parts)
  } catch (err) {
    parts.log.warn({ err }, 'what an upload left is removed later')
  }
}

async function expireDrafts({ database, audit, clock }: Parts): Promise<number> {
  const now = clock()
  const found = await expiredDrafts(database.read, now, BATCH)
  for (const draft of found) {
    await database.write(async tx => {
      // Another process may have been here, or its owner.
      if (!(await discardDraft(tx, draft.draft.id, now))) return
      await audit.append(tx, {
        action: 'draft.expire',
        outcome: 'success',
        ...aboutDraft(draft),
        details: { by: 'housekeeping', files: draft.draft.files }
      })
    })
  }
  return found.length
}

async function removeSegments({ database, blobs }: Parts, uploadId?: string): Promise<number> {
  const found = (await endedSegments(database.read, BATCH, uploadId)).map(({ blob }) => blob)
  for (let at = 0; at < found.length; at += REMOVING_MAX) {
    const some = found.slice(at, at + REMOVING_MAX)
    await Promise.all(some.map(blob => blobs.remove(blob)))
  }
  if (found.length > 0) await database.write(tx => deleteSegments(tx, found))
  return found.length
}

function removeRows({ database }: Parts): Promise<number> {
  return database.write(tx => removeEmpty(tx, BATCH))
}
