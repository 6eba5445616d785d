import type { Queries } from '../../database/database.ts'
import { openCheckpoint, signCheckpoint } from '../tlog/checkpoint.ts'
import { edgeRoot } from '../tlog/tiles.ts'
import { rootAt } from '../tlog/tree.ts'
import { type Edge, LogFault, storedHashes } from './grow-tree.ts'
import { lastCheckpoint, replaceCheckpoint, type StoredCheckpoint } from './queries.ts'
import type { LogKeys } from './signing-keys.ts'

/** A new checkpoint comes at most this often … */
export const CHECKPOINT_MILLISECONDS_MIN = 1000
/** … and is signed again at least this often, to show that the log is alive. */
export const CHECKPOINT_MILLISECONDS_MAX = 5 * 60_000

/** Whether the next checkpoint is due at `now`, after `last` and for a tree of `size` leaves. */
export function isDue(last: StoredCheckpoint | undefined, size: number, now: number): boolean {
  if (last === undefined) return true
  const wait = size > last.size ? CHECKPOINT_MILLISECONDS_MIN : CHECKPOINT_MILLISECONDS_MAX
  // A clock that was ahead and has been put right must not keep the log unsigned until then.
  return now >= last.signedAt + wait || now < last.signedAt
}

/**
 * Signs the tree as it stands inside the caller's transaction, and puts the checkpoint in the place
 * of the last: nobody may see it before that is on the disk. Undefined when another process was
 * quicker. Throws LogFault when the tree contradicts the last checkpoint: signing it would fork the
 * log.
 */
export async function signTree(
  tx: Queries,
  keys: LogKeys,
  tree: Edge,
  now: number
): Promise<StoredCheckpoint | undefined> {
  const last = await lastCheckpoint(tx)
  if (last !== undefined) await requireConsistent(() => tx, keys, last.note, tree.size)
  const root = edgeRoot(tree.size, tree.edge)
  const note = signCheckpoint({ origin: keys.origin, size: tree.size, root }, keys.signers)
  const next = { size: tree.size, note, signedAt: now }
  return (await replaceCheckpoint(tx, last, next)) ? next : undefined
}

/** Throws LogFault unless a tree of `size` stored leaves extends the one `note` signs. */
export async function requireConsistent(
  queries: () => Queries,
  keys: LogKeys,
  note: string,
  size: number
): Promise<void> {
  const signed = openedCheckpoint(keys, note)
  if (signed.size > size) {
    throw new LogFault(
      `The access log has ${size} events in its tree, and a checkpoint was signed for ${signed.size}.`
    )
  }
  const root = await rootAt(signed.size, storedHashes(queries, size))
  if (!root.equals(signed.root)) {
    throw new LogFault(`The first ${signed.size} events of the access log are not those signed.`)
  }
}

function openedCheckpoint(keys: LogKeys, note: string) {
  try {
    return openCheckpoint(note, keys.origin, keys.verifiers)
  } catch (cause) {
    throw new LogFault('The last checkpoint is damaged, or not signed by a key of this log.', {
      cause
    })
  }
}
