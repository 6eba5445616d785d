import type { Queries } from '../../database/database.ts'
import { grow, readThroughTiles, TILE_WIDTH } from '../tlog/tiles.ts'
import { HASH_BYTES, leafHash, type ReadHashes } from '../tlog/tree.ts'
import { LogFault } from './log-fault.ts'
import { placePending } from './pending.ts'
import { findTile, leavesFrom, moveHead, putTile, treeSize } from './queries.ts'

/** Events taken into the tree in one transaction, so that no other write waits long for it. */
export const GROW_EVENTS_MAX = 2000

export { LogFault } from './log-fault.ts'

/** A size of the tree and, for each level, the hashes of its unfinished last tile. */
export interface Edge {
  size: number
  edge: Buffer[]
}

export interface Grown extends Edge {
  /** Events taken in. As many as GROW_EVENTS_MAX means that there may be more. */
  taken: number
}

/**
 * Takes events that are on the log and not yet in the tree into it, inside the caller's transaction.
 * `known` is the edge after the last time; it is read again when another process has been at work.
 * Throws LogFault when an event is missing.
 */
export async function growTree(tx: Queries, known: Edge | undefined): Promise<Grown> {
  await placePending(tx)
  const size = await treeSize(tx)
  const leaves = await leavesFrom(tx, { from: size, limit: GROW_EVENTS_MAX })
  const isKnown = known?.size === size
  if (leaves.length === 0 && isKnown) return { ...known, taken: 0 }
  const edge = isKnown ? known.edge : await readEdge(tx, size)
  const gap = leaves.findIndex((leaf, n) => leaf.idx !== size + n)
  if (gap >= 0) throw new LogFault(`Event ${size + gap} is missing from the access log.`)
  if (leaves.length === 0) return { size, edge, taken: 0 }

  const grown = grow(
    size,
    edge,
    leaves.map(({ leaf }) => leafHash(leaf))
  )
  for (const { level, index, hashes } of grown.changed) {
    await putTile(tx, { level, idx: index, hashes })
  }
  if (!(await moveHead(tx, size, grown.size))) throw new Error('The head of the log has moved.')
  return { size: grown.size, edge: grown.edge, taken: leaves.length }
}

async function readEdge(queries: Queries, size: number): Promise<Buffer[]> {
  const edge: Buffer[] = []
  for (let hashes = size; hashes > 0; hashes = Math.floor(hashes / TILE_WIDTH)) {
    const level = edge.length
    const width = hashes % TILE_WIDTH
    if (width === 0) edge.push(Buffer.alloc(0))
    else edge.push(await readTile(queries, level, Math.floor(hashes / TILE_WIDTH), width))
  }
  return edge
}

/** The first `width` hashes of a tile. Throws LogFault when it has fewer. */
export async function readTile(
  queries: Queries,
  level: number,
  index: number,
  width: number
): Promise<Buffer> {
  const hashes = await findTile(queries, level, index)
  if (hashes === undefined || hashes.length < width * HASH_BYTES) {
    throw new LogFault(`Tile ${index} of level ${level} is missing or too short.`)
  }
  return hashes.subarray(0, width * HASH_BYTES)
}

/** Hashes of the tree as it was at `size` leaves, read from the stored tiles. */
export function storedHashes(queries: () => Queries, size: number): ReadHashes {
  // A transaction has one connection, which answers one question at a time.
  let before: Promise<unknown> = Promise.resolve()
  return readThroughTiles(size, ({ level, index, width }) => {
    const read = before.then(() => readTile(queries(), level, index, width))
    before = read.catch(() => {})
    return read
  })
}
