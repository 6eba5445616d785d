import type { Database } from '../../database/database.ts'
import { Refusal } from '../../errors.ts'
import { isId } from '../../http/page.ts'
import { formatProofFile } from '../tlog/proof-file.ts'
import { encodeEntries, parseTilePath, TILE_WIDTH, tileExists } from '../tlog/tiles.ts'
import { proveConsistency, proveInclusion } from '../tlog/tree.ts'
import { readTile, storedHashes } from './grow-tree.ts'
import type { LogTree } from './log-tree.ts'
import { placeAllPending } from './pending.ts'
import { findEntry, leavesBetween, type StoredCheckpoint } from './queries.ts'

// What an outsider asks of the log. Everything is answered for the last signed checkpoint, because
// nothing beyond it could be verified.

/**
 * One tile, by its path below the log's prefix: hashes, or the entries under them.
 * Refusal `log-tile-not-found` for a path that is not canonical or beyond the checkpoint.
 */
export async function readLogTile(
  database: Database,
  tree: LogTree,
  path: string
): Promise<Buffer> {
  const tile = parseTilePath(path)
  const { size } = requireCheckpoint(tree)
  if (tile === undefined || !tileExists(tile, size)) throw new Refusal('log-tile-not-found')
  const { level, index, width } = tile
  if (level !== 'entries') return await readTile(database.read, level, index, width)
  const from = index * TILE_WIDTH
  const leaves = await leavesBetween(database.read, from, from + width)
  if (leaves.length !== width) throw new Error('Events are missing from the access log.')
  return encodeEntries(leaves.map(({ leaf }) => leaf))
}

/**
 * Proof that an event is on the log, as a C2SP tlog-proof whose extra line is the leaf itself, so
 * that the file stands alone. Refusals `event-not-found`, and `log-not-signed-yet` within the
 * second in which the event was written.
 */
export async function proveEvent(database: Database, tree: LogTree, id: string): Promise<string> {
  await placeAllPending(database)
  const entry = isId(id) ? await findEntry(database.read, id) : undefined
  if (entry === undefined) throw new Refusal('event-not-found')
  return await proveEntry(database, requireCheckpoint(tree), entry)
}

/** The same for an entry that is known, under a checkpoint of the caller's choice. */
export async function proveEntry(
  database: Database,
  checkpoint: StoredCheckpoint,
  entry: { idx: number; leaf: Buffer }
): Promise<string> {
  if (entry.idx >= checkpoint.size) throw notSignedYet()
  const read = storedHashes(() => database.read, checkpoint.size)
  return formatProofFile({
    index: entry.idx,
    proof: await proveInclusion(entry.idx, checkpoint.size, read),
    checkpoint: checkpoint.note,
    extra: entry.leaf
  })
}

/**
 * Proof that the log at size `to` extends the log at size `from`: hashes in base64, one a line.
 * Refusal `log-size-unknown` unless 1 ≤ from ≤ to ≤ the size of the checkpoint.
 */
export async function proveGrowth(
  database: Database,
  tree: LogTree,
  from: number,
  to?: number
): Promise<string> {
  const { size } = requireCheckpoint(tree)
  const end = to ?? size
  if (from < 1 || from > end || end > size) throw new Refusal('log-size-unknown')
  const read = storedHashes(() => database.read, end)
  const proof = await proveConsistency(from, end, read)
  return proof.map(hash => `${hash.toString('base64')}\n`).join('')
}

export function requireCheckpoint(tree: LogTree): StoredCheckpoint {
  const checkpoint = tree.checkpoint()
  if (checkpoint === undefined) throw notSignedYet()
  return checkpoint
}

function notSignedYet(): Refusal {
  return new Refusal('log-not-signed-yet', undefined, { headers: { 'retry-after': '1' } })
}
