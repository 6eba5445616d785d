import { assertSize, isSize } from './sizes.ts'
import { parseDecimal } from './strict-text.ts'
import { TlogError } from './tlog-error.ts'
import {
  completeRoot,
  ENTRY_BYTES_MAX,
  emptyRoot,
  HASH_BYTES,
  nodeHash,
  type ReadHashes,
  type Subtree
} from './tree.ts'

// C2SP tlog-tiles: the tree is stored as runs of up to 256 hashes of every eighth level, the
// entries as bundles of up to 256. A tile that is full never changes; a partial one only grows.

export const TILE_WIDTH = 256
const TILE_BYTES = TILE_WIDTH * HASH_BYTES
/** A tile spans eight levels of the tree. */
const TILE_HEIGHT = 8
const TILE_LEVEL_MAX = 63
const LENGTH_PREFIX_BYTES = 2

/** Hashes [256·index, 256·index + width) of tree level 8·level; width is 1 to 256, 256 is full. */
export interface Tile {
  level: number
  index: number
  width: number
}

/** A tile, or the bundle of the entries whose hashes are in the tile of level 0 with this index. */
export interface TileAddress {
  level: number | 'entries'
  index: number
  width: number
}

/** A tile as it is after growing: width is hashes.byteLength / 32. */
export interface ChangedTile {
  level: number
  index: number
  hashes: Buffer
}

const TILE_PATH = /^tile\/(entries|[0-9]{1,2})\/((?:x[0-9]{3}\/){0,5}[0-9]{3})(?:\.p\/([0-9]+))?$/

/** Such as tile/0/x001/x234/067, tile/1/000.p/17 or tile/entries/000. */
export function tilePath({ level, index, width }: TileAddress): string {
  const digits = String(index)
  const groups = digits.padStart(Math.ceil(digits.length / 3) * 3, '0').match(/.{3}/g) ?? []
  const last = groups.pop()
  const folders = groups.map(group => `x${group}/`).join('')
  return `tile/${level}/${folders}${last}${width === TILE_WIDTH ? '' : `.p/${width}`}`
}

/** The tile that has this path; undefined unless the path is spelt as `tilePath` spells it. */
export function parseTilePath(path: string): TileAddress | undefined {
  const [, kind = '', groups = '', partial] = TILE_PATH.exec(path) ?? []
  const level = kind === 'entries' ? 'entries' : parseDecimal(kind)
  const index = Number(groups.replaceAll(/[x/]/g, ''))
  const width = partial === undefined ? TILE_WIDTH : parseDecimal(partial)
  if (level === undefined || width === undefined || !isSize(index)) return undefined
  if (width < 1 || width > TILE_WIDTH) return undefined
  if (level !== 'entries' && level > TILE_LEVEL_MAX) return undefined
  const tile: TileAddress = { level, index, width }
  return tilePath(tile) === path ? tile : undefined
}

/**
 * Whether a tree of `size` leaves has at least these hashes or entries: the tile as it is then, or
 * as it was at some smaller size.
 */
export function tileExists({ level, index, width }: TileAddress, size: number): boolean {
  return index * TILE_WIDTH + width <= hashesAt(level === 'entries' ? 0 : level, size)
}

/** Every tile of a tree of `size` leaves as wide as it is then, level by level from the leaves. */
export function* tilesOf(size: number): Generator<Tile, void, undefined> {
  for (let level = 0; hashesAt(level, size) > 0; level++) {
    const hashes = hashesAt(level, size)
    for (let index = 0; index * TILE_WIDTH < hashes; index++) {
      yield { level, index, width: Math.min(TILE_WIDTH, hashes - index * TILE_WIDTH) }
    }
  }
}

/**
 * Reads hashes of the tree of `size` leaves out of its tiles. `readTile` gives width·32 bytes of
 * the tile it is asked for; of one that has grown since, the first so many. Each tile is read once
 * a call, all at the same time.
 * It authenticates nothing: with tiles of a stranger, only a proof or a root that has been compared
 * with a signed checkpoint is worth anything. Throws tile-damaged for a tile of another length.
 */
export function readThroughTiles(
  size: number,
  readTile: (tile: Tile) => Promise<Buffer>
): ReadHashes {
  return async subtrees => {
    const reading = new Map<string, Promise<Buffer>>()
    return await Promise.all(
      subtrees.map(async subtree => {
        const { tile, begin, end } = placeOf(subtree, size)
        const path = tilePath(tile)
        const read = reading.get(path) ?? readTile(tile)
        reading.set(path, read)
        const hashes = await read
        if (hashes.byteLength !== tile.width * HASH_BYTES) throw tileDamaged()
        return completeRoot(hashes.subarray(begin * HASH_BYTES, end * HASH_BYTES))
      })
    )
  }
}

/** The tile and the hashes in it, from `begin` up to without `end`, a subtree is made of. */
function placeOf({ level, index }: Subtree, size: number) {
  if ((index + 1) * 2 ** level > size) {
    throw new RangeError('The subtree is not complete in a tree of that size.')
  }
  const tileLevel = Math.floor(level / TILE_HEIGHT)
  const span = 2 ** (level % TILE_HEIGHT)
  const tileIndex = Math.floor((index * span) / TILE_WIDTH)
  const width = Math.min(TILE_WIDTH, hashesAt(tileLevel, size) - tileIndex * TILE_WIDTH)
  const begin = (index * span) % TILE_WIDTH
  return { tile: { level: tileLevel, index: tileIndex, width }, begin, end: begin + span }
}

/**
 * What adding leaves to a tree of `size` leaves does to its tiles; nothing is read or written.
 * `edge[level]` holds the hashes of the partial rightmost tile of each level, empty where there is
 * none. Each changed tile comes once, as it is at the new size, level by level from the leaves.
 * Changed tiles and the new edge are views of common memory and must not be written to.
 * Throws tile-damaged when the edge is not as wide as a tree of that size has it, because hashes
 * put after it would land in wrong places for ever.
 */
export function grow(
  size: number,
  edge: Buffer[],
  leafHashes: Buffer[]
): { size: number; edge: Buffer[]; changed: ChangedTile[] } {
  assertEdge(size, edge)
  const grown = [...edge]
  const changed: ChangedTile[] = []
  let added = leafHashes
  for (let level = 0; added.length > 0; level++) {
    const hashes = joined(edge[level], added)
    let index = Math.floor(hashesAt(level, size) / TILE_WIDTH)
    let at = 0
    added = []
    for (; at + TILE_BYTES <= hashes.byteLength; at += TILE_BYTES) {
      const full = hashes.subarray(at, at + TILE_BYTES)
      changed.push({ level, index, hashes: full })
      added.push(completeRoot(full))
      index++
    }
    const rest = hashes.subarray(at)
    if (rest.byteLength > 0) changed.push({ level, index, hashes: rest })
    grown[level] = rest
  }
  return { size: size + leafHashes.length, edge: grown, changed }
}

/** The root of the tree of `size` leaves, from its edge alone. Throws tile-damaged as `grow`. */
export function edgeRoot(size: number, edge: Buffer[]): Buffer {
  assertEdge(size, edge)
  let root: Buffer | undefined
  for (const hashes of edge) {
    let end = hashes.byteLength / HASH_BYTES
    for (let span = 1; end > 0; span *= 2) {
      if (end % (2 * span) === 0) continue
      const left = completeRoot(hashes.subarray((end - span) * HASH_BYTES, end * HASH_BYTES))
      root = root === undefined ? left : nodeHash(left, root)
      end -= span
    }
  }
  return root ?? Buffer.from(emptyRoot)
}

function assertEdge(size: number, edge: Buffer[]): void {
  assertSize(size)
  const levels = [...edge.keys()]
  const asWide = levels.every(
    level => edge[level]?.byteLength === (hashesAt(level, size) % TILE_WIDTH) * HASH_BYTES
  )
  if (!asWide || hashesAt(edge.length, size) > 0) throw tileDamaged()
}

function joined(edge: Buffer | undefined, added: Buffer[]): Buffer {
  let at = edge?.byteLength ?? 0
  const hashes = Buffer.allocUnsafe(at + added.length * HASH_BYTES)
  if (edge !== undefined) hashes.set(edge)
  for (const hash of added) {
    if (hash.byteLength !== HASH_BYTES) throw new RangeError('A leaf hash has 32 bytes.')
    hashes.set(hash, at)
    at += HASH_BYTES
  }
  return hashes
}

/**
 * An entry bundle: for each entry its length as a big-endian uint16, then the entry. 1 to 256
 * entries. Throws entry-too-long above 65,535 bytes.
 */
export function encodeEntries(entries: Uint8Array[]): Buffer {
  if (entries.length < 1 || entries.length > TILE_WIDTH) {
    throw new RangeError('A bundle holds 1 to 256 entries.')
  }
  return Buffer.concat(
    entries.flatMap(entry => {
      if (entry.byteLength > ENTRY_BYTES_MAX) {
        throw new TlogError('entry-too-long', 'An entry of the log has at most 65,535 bytes.')
      }
      const length = Buffer.alloc(LENGTH_PREFIX_BYTES)
      length.writeUInt16BE(entry.byteLength)
      return [length, entry]
    })
  )
}

/**
 * The entries of a bundle, as views of it. Throws bundle-damaged unless it consists of 1 to 256
 * whole entries; whether they are as many as the path says is the caller's to check.
 */
export function decodeEntries(bundle: Uint8Array): Buffer[] {
  const bytes = Buffer.from(bundle.buffer, bundle.byteOffset, bundle.byteLength)
  const entries: Buffer[] = []
  for (let at = 0; at < bytes.byteLength; ) {
    const begin = at + LENGTH_PREFIX_BYTES
    if (begin > bytes.byteLength || entries.length === TILE_WIDTH) throw bundleDamaged()
    at = begin + bytes.readUInt16BE(at)
    if (at > bytes.byteLength) throw bundleDamaged()
    entries.push(bytes.subarray(begin, at))
  }
  if (entries.length === 0) throw bundleDamaged()
  return entries
}

/** How many hashes there are on a level of tiles: one for every 256^level leaves. */
function hashesAt(level: number, size: number): number {
  return Math.floor(size / TILE_WIDTH ** level)
}

function tileDamaged(): TlogError {
  return new TlogError('tile-damaged', 'A tile has not the length its place in the tree demands.')
}

function bundleDamaged(): TlogError {
  return new TlogError('bundle-damaged', 'A bundle does not consist of 1 to 256 whole entries.')
}
