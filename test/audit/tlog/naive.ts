import { createHash } from 'node:crypto'
import { TILE_WIDTH, type Tile } from '../../../src/audit/tlog/tiles.ts'
import { TlogError } from '../../../src/audit/tlog/tlog-error.ts'
import type { ReadHashes } from '../../../src/audit/tlog/tree.ts'

// RFC 6962, section 2.1, word by word and without any of our own code: what the tests measure the
// code by.

const sha256 = (...parts: Uint8Array[]) =>
  createHash('sha256').update(Buffer.concat(parts)).digest()

export const naiveLeaf = (entry: Uint8Array): Buffer => sha256(Buffer.of(0x00), entry)

/** Leaf hashes of `size` different entries. */
export const leavesOf = (size: number): Buffer[] =>
  Array.from({ length: size }, (_, index) => naiveLeaf(Buffer.from(`entry ${index}`)))

/** The tree over these leaf hashes. Roots are kept, so that every size can be asked for. */
export function naiveTree(leaves: Buffer[]) {
  const known = new Map<string, Buffer>()
  const split = (length: number): number => {
    let k = 1
    while (k * 2 < length) k *= 2
    return k
  }
  /** MTH(D[begin:end]). */
  const root = (begin: number, end: number): Buffer => {
    if (begin === end) return sha256()
    if (end - begin === 1) return leaves[begin]!
    const key = `${begin}:${end}`
    const middle = begin + split(end - begin)
    const found = known.get(key) ?? sha256(Buffer.of(0x01), root(begin, middle), root(middle, end))
    known.set(key, found)
    return found
  }
  /** PATH(m, D[begin:end]). */
  const path = (m: number, begin: number, end: number): Buffer[] => {
    if (end - begin === 1) return []
    const k = split(end - begin)
    const middle = begin + k
    return m < k
      ? [...path(m, begin, middle), root(middle, end)]
      : [...path(m - k, middle, end), root(begin, middle)]
  }
  /** SUBPROOF(m, D[begin:end], b). */
  const subproof = (m: number, begin: number, end: number, b: boolean): Buffer[] => {
    if (m === end - begin) return b ? [] : [root(begin, end)]
    const k = split(end - begin)
    const middle = begin + k
    return m <= k
      ? [...subproof(m, begin, middle, b), root(middle, end)]
      : [...subproof(m - k, middle, end, false), root(begin, middle)]
  }
  const read: ReadHashes = async subtrees =>
    subtrees.map(({ level, index }) => root(index * 2 ** level, (index + 1) * 2 ** level))
  return {
    read,
    root: (size: number) => root(0, size),
    inclusion: (index: number, size: number) => path(index, 0, size),
    consistency: (from: number, to: number) => subproof(from, 0, to, true),
    /** What tlog-tiles says a tile consists of: MTH(D[(256n+i)·256^l : (256n+i+1)·256^l]). */
    tile({ level, index, width }: Tile): Buffer {
      const span = TILE_WIDTH ** level
      const first = TILE_WIDTH * index
      return Buffer.concat(
        Array.from({ length: width }, (_, i) => root((first + i) * span, (first + i + 1) * span))
      )
    }
  }
}

/** Every copy of the bytes in which one bit is another. */
export function* bitFlips(bytes: Buffer): Generator<Buffer, void, undefined> {
  for (let bit = 0; bit < bytes.byteLength * 8; bit++) yield flipped(bytes, bit)
}

export function flipped(bytes: Buffer, bit: number): Buffer {
  const copy = Buffer.from(bytes)
  copy.writeUInt8(copy.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3)
  return copy
}

/** The code of the TlogError a function throws, 'none' when it throws nothing, else what it threw. */
export function codeOf(run: () => unknown): string {
  try {
    run()
    return 'none'
  } catch (error) {
    return error instanceof TlogError ? error.code : String(error)
  }
}
