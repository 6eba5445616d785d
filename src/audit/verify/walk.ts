import { setImmediate as nextTurn } from 'node:timers/promises'
import { TILE_WIDTH, type Tile } from '../tlog/tiles.ts'
import { completeRoot, frontier, HASH_BYTES, leafHash } from '../tlog/tree.ts'
import type { Findings, Progress } from './findings.ts'
import type { FoundRoots } from './heads.ts'

/** An event as it is stored or served. */
export interface FoundEntry {
  index: number
  leaf: Buffer
}

/** Where a log is read from. Nothing it gives is believed. */
export interface LogSource<Entry extends FoundEntry> {
  /** Entries `from` up to and without `to`, in order; those that are missing are left out. */
  entries(from: number, to: number): Promise<Entry[]>
  /** The hashes of a tile as they are stored, of whatever length; undefined when there are none. */
  tile(tile: Tile): Promise<Buffer | undefined>
}

interface Asked<Entry> {
  /** Events in the tree. */
  size: number
  /** Events altogether. */
  end: number
  /** Sizes at which the root is wanted. */
  sizes: number[]
  visit(entry: Entry): void
  findings: Findings
  progress: Progress
}

const NO_HASH = Buffer.alloc(HASH_BYTES)

/**
 * Reads the whole log once, in order, 256 events at a time: every leaf is hashed and compared with
 * its tile, every tile with those below it. Goes on after a fault; a leaf that is missing is taken
 * from its tile. Memory does not grow with the log.
 */
export async function walkLog<Entry extends FoundEntry>(
  source: LogSource<Entry>,
  asked: Asked<Entry>
): Promise<FoundRoots> {
  const { size, end, sizes, visit, findings, progress } = asked
  const leaves = rootsAlong(sizes)
  const stored = rootsAlong(sizes)
  const tiles = tileTower(source, findings)
  const gaps = missingEvents(findings)

  for (let from = 0; from < end; from += TILE_WIDTH) {
    const to = Math.min(from + TILE_WIDTH, end)
    const width = Math.max(0, Math.min(to, size) - from)
    const found = new Map((await source.entries(from, to)).map(entry => [entry.index, entry]))
    const hashes = width === 0 ? undefined : await tiles.lowest(from / TILE_WIDTH, width)
    for (let index = from; index < to; index += 1) {
      const entry = found.get(index)
      gaps.take(index, entry !== undefined)
      if (entry !== undefined) visit(entry)
      if (index >= size) continue
      const own = entry && leafHash(entry.leaf)
      const kept = hashAt(hashes, index - from)
      if (own && kept && !own.equals(kept)) {
        findings.fault(
          `Event ${index}: its leaf is not the one in the tree (tile ${from / TILE_WIDTH} of level 0).`
        )
      }
      leaves.add(own ?? kept ?? NO_HASH)
      stored.add(kept ?? own ?? NO_HASH)
    }
    progress(to, end)
    // SQLite answers without waiting; what it gave is only freed once the event loop turns.
    await nextTurn()
  }
  gaps.end()
  await tiles.end()
  return { size, ofLeaves: leaves.roots, ofTiles: stored.roots }
}

const hashAt = (hashes: Buffer | undefined, place: number): Buffer | undefined =>
  hashes !== undefined && hashes.byteLength >= (place + 1) * HASH_BYTES
    ? hashes.subarray(place * HASH_BYTES, (place + 1) * HASH_BYTES)
    : undefined

/** A tree that remembers its root at the sizes asked for. */
function rootsAlong(sizes: number[]) {
  const tree = frontier()
  const wanted = new Set(sizes)
  const roots = new Map<number, Buffer>()
  if (wanted.has(0)) roots.set(0, tree.root())
  return {
    roots,
    add(hash: Buffer) {
      tree.add(hash)
      if (wanted.has(tree.size())) roots.set(tree.size(), tree.root())
    }
  }
}

/** Tells of missing events as ranges, however many there are. */
function missingEvents(findings: Findings) {
  let first: number | undefined
  let last = 0
  function end(): void {
    if (first === last) findings.fault(`Event ${first} is missing.`)
    else if (first !== undefined) findings.fault(`Events ${first} to ${last} are missing.`)
    first = undefined
  }
  return {
    take(index: number, isThere: boolean) {
      if (isThere) return end()
      first ??= index
      last = index
    },
    end
  }
}

/**
 * Compares each tile with those below it as they are stored, so that one fault is told once and not
 * again on every level. Keeps one unfinished tile for each level.
 */
function tileTower(source: LogSource<FoundEntry>, findings: Findings) {
  /** A hash is undefined when the tile it would be made of is missing. */
  const unfinished: { index: number; hashes: (Buffer | undefined)[] }[] = []

  /** The hashes that are stored, whole or not. They count for the level above only when whole. */
  async function read(level: number, index: number, width: number): Promise<Buffer | undefined> {
    const hashes = await source.tile({ level, index, width })
    const name = `Tile ${index} of level ${level}`
    const isWhole = hashes?.byteLength === width * HASH_BYTES
    if (hashes === undefined) findings.fault(`${name} is missing.`)
    else if (!isWhole) {
      findings.fault(`${name} has not the ${width} hashes of a tree of this size.`)
    }
    if (width === TILE_WIDTH) await raise(level, isWhole ? completeRoot(hashes) : undefined)
    return hashes
  }

  /** A tile that is full is one hash of the level above. */
  async function raise(level: number, hash: Buffer | undefined): Promise<void> {
    const above = unfinished[level + 1] ?? { index: 0, hashes: [] }
    unfinished[level + 1] = above
    above.hashes.push(hash)
    if (above.hashes.length < TILE_WIDTH) return
    unfinished[level + 1] = { index: above.index + 1, hashes: [] }
    await compare(level + 1, above)
  }

  async function compare(level: number, { index, hashes }: (typeof unfinished)[number]) {
    const stored = await read(level, index, hashes.length)
    for (const [place, hash] of hashes.entries()) {
      const kept = hashAt(stored, place)
      if (hash === undefined || kept === undefined || kept.equals(hash)) continue
      const below = `tile ${index * TILE_WIDTH + place} of level ${level - 1}`
      findings.fault(`Tile ${index} of level ${level}: hash ${place} is not that of ${below}.`)
    }
  }

  return {
    /** A tile of leaf hashes, as it is stored. */
    lowest: (index: number, width: number) => read(0, index, width),
    async end(): Promise<void> {
      for (const [level, tile] of unfinished.entries()) {
        if (tile !== undefined && tile.hashes.length > 0) await compare(level, tile)
      }
    }
  }
}
