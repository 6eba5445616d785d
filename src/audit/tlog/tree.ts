import { hash } from 'node:crypto'
import { assertSize, bitLength, isPowerOfTwo, isSize } from './sizes.ts'
import { TlogError } from './tlog-error.ts'

// The Merkle tree of RFC 6962, section 2.1, with SHA-256. Sizes and indexes are safe integers.

export const HASH_BYTES = 32
/** tlog-tiles writes the length of an entry in two bytes. */
export const ENTRY_BYTES_MAX = 65_535
/** No path in a tree whose size is a safe integer is longer. */
export const PROOF_HASHES_MAX = 53

/** The root of the tree without leaves: SHA-256 of nothing. */
export const emptyRoot: Buffer = hash('sha256', '', 'buffer')

/** The complete subtree over leaves [index·2^level, (index+1)·2^level). */
export interface Subtree {
  level: number
  index: number
}

/** Hashes of complete subtrees, 32 bytes each, in the order asked for. */
export type ReadHashes = (subtrees: Subtree[]) => Promise<Buffer[]>

/** The leaves from `begin` up to but without `end`. */
interface Range {
  begin: number
  end: number
}

// crypto.hash takes one piece of memory. Filling these is cheaper than joining buffers each time;
// hashing is synchronous, so no two calls ever share them. The log is public, so what stays behind
// in them is no secret.
const leafScratch = Buffer.alloc(1 + ENTRY_BYTES_MAX, 0x00)
const nodeScratch = Buffer.alloc(1 + 2 * HASH_BYTES, 0x01)

/** SHA-256(0x00 ‖ entry). Throws entry-too-long above ENTRY_BYTES_MAX. */
export function leafHash(entry: Uint8Array): Buffer {
  if (entry.byteLength > ENTRY_BYTES_MAX) {
    throw new TlogError('entry-too-long', 'An entry of the log has at most 65,535 bytes.')
  }
  leafScratch.set(entry, 1)
  return hash('sha256', leafScratch.subarray(0, 1 + entry.byteLength), 'buffer')
}

/**
 * SHA-256(0x01 ‖ left ‖ right). Every caller here has made sure that both have 32 bytes; other
 * lengths are hashed too, as RFC 6962 would, but prove nothing.
 */
export function nodeHash(left: Uint8Array, right: Uint8Array): Buffer {
  if (left.byteLength !== HASH_BYTES || right.byteLength !== HASH_BYTES) {
    return hash('sha256', Buffer.concat([nodeScratch.subarray(0, 1), left, right]), 'buffer')
  }
  nodeScratch.set(left, 1)
  nodeScratch.set(right, 1 + HASH_BYTES)
  return hash('sha256', nodeScratch, 'buffer')
}

/** The root over 2^k hashes that lie one after the other, such as those of a full tile. */
export function completeRoot(hashes: Uint8Array): Buffer {
  const width = hashes.byteLength / HASH_BYTES
  if (!isPowerOfTwo(width)) throw new RangeError('A complete subtree has 2^k leaves.')
  if (width === 1) return Buffer.from(hashes)
  let below = hashes
  for (;;) {
    const above = Buffer.allocUnsafe(below.byteLength / 2)
    for (let at = 0; at < above.byteLength; at += HASH_BYTES) {
      nodeScratch.set(below.subarray(2 * at, 2 * at + 2 * HASH_BYTES), 1)
      above.set(hash('sha256', nodeScratch, 'buffer'), at)
    }
    if (above.byteLength === HASH_BYTES) return above
    below = above
  }
}

/** The root of the tree of the first `size` leaves. Throws tile-damaged as `read` gives it cause. */
export async function rootAt(size: number, read: ReadHashes): Promise<Buffer> {
  assertSize(size)
  if (size === 0) return Buffer.from(emptyRoot)
  const [root] = await rootsOf([{ begin: 0, end: size }], read)
  return root!
}

/**
 * The audit path of leaf `index` in the tree of `size` leaves, from the leaf's sibling upwards
 * (RFC 6962, section 2.1.1). Every hash is asked of `read` in one call.
 */
export async function proveInclusion(
  index: number,
  size: number,
  read: ReadHashes
): Promise<Buffer[]> {
  assertSize(size)
  if (!isSize(index) || index >= size) throw new RangeError('No such leaf in a tree of that size.')
  const { path } = descend(
    size,
    ({ begin, end }) => end - begin === 1,
    middle => index < middle
  )
  return await rootsOf(path, read)
}

/**
 * The proof that the tree of `to` leaves begins with the tree of `from` leaves (RFC 6962, section
 * 2.1.2), for 1 ≤ from ≤ to. Between equal sizes it is empty.
 */
export async function proveConsistency(
  from: number,
  to: number,
  read: ReadHashes
): Promise<Buffer[]> {
  assertSize(to)
  if (!isSize(from) || from < 1 || from > to) {
    throw new RangeError('A consistency proof leads from a size of at least 1 to one not smaller.')
  }
  const { path, last } = descend(
    to,
    ({ end }) => end === from,
    middle => from <= middle
  )
  // The verifier has the root of the whole earlier tree; a part of it must be proven too.
  return await rootsOf(last.begin === 0 ? path : [last, ...path], read)
}

/**
 * Whether `proof` shows that the leaf hash `leaf` stands at `index` in the tree of `size` leaves
 * with this root (RFC 9162, section 2.1.3.2). False, never an error, for whatever does not fit:
 * a hash that has not 32 bytes, a number that is no safe integer, a path too long or too short.
 */
export function verifyInclusion(
  leaf: Buffer,
  index: number,
  size: number,
  proof: Buffer[],
  root: Buffer
): boolean {
  if (!isSize(index) || !isSize(size) || index >= size) return false
  if (![leaf, root, ...proof].every(isHash)) return false
  let found = leaf
  const arrives = climb(index, size - 1, proof, (sibling, isLeft) => {
    found = isLeft ? nodeHash(sibling, found) : nodeHash(found, sibling)
  })
  return arrives && found.equals(root)
}

/**
 * Whether `proof` shows that the tree of `to` leaves begins with the tree of `from` leaves (RFC
 * 9162, section 2.1.4.2). Between equal sizes the proof is empty and the roots are the same. From
 * size 0 it is always false: every tree begins with the empty one, so such a proof says nothing,
 * and whoever checks files offline would take it for an assurance. False, never an error, for
 * whatever does not fit.
 */
export function verifyConsistency(
  from: number,
  fromRoot: Buffer,
  to: number,
  toRoot: Buffer,
  proof: Buffer[]
): boolean {
  if (!isSize(from) || !isSize(to) || from < 1 || from > to) return false
  if (![fromRoot, toRoot, ...proof].every(isHash)) return false
  if (from === to) return proof.length === 0 && fromRoot.equals(toRoot)

  // A complete earlier tree is a node of the later one, and the proof leaves it out.
  const [first, ...path] = isPowerOfTwo(from) ? [fromRoot, ...proof] : proof
  if (first === undefined) return false
  let node = from - 1
  let last = to - 1
  while (node % 2 === 1) {
    node = Math.floor(node / 2)
    last = Math.floor(last / 2)
  }
  let before = first
  let after = first
  const arrives = climb(node, last, path, (sibling, isLeft) => {
    if (isLeft) before = nodeHash(sibling, before)
    after = isLeft ? nodeHash(sibling, after) : nodeHash(after, sibling)
  })
  return arrives && before.equals(fromRoot) && after.equals(toRoot)
}

/**
 * Climbs from node `node` of a level whose last node is `last`, with one sibling a step: on its
 * left, or on its right. Whether the root is reached with the last sibling and not before.
 */
function climb(
  node: number,
  last: number,
  path: Buffer[],
  step: (sibling: Buffer, isLeft: boolean) => void
): boolean {
  for (const sibling of path) {
    if (last === 0) return false
    const isLeft = node % 2 === 1 || node === last
    step(sibling, isLeft)
    // A last node without a sibling stands for itself on the levels above.
    while (isLeft && node % 2 === 0 && node > 0) {
      node /= 2
      last = Math.floor(last / 2)
    }
    node = Math.floor(node / 2)
    last = Math.floor(last / 2)
  }
  return last === 0
}

/**
 * The root of leaves that come one by one, in O(log n) memory. It keeps the buffers it is given:
 * they must not be changed afterwards. `root` may be asked at any size and changes nothing.
 */
export function frontier(): { add(leafHash: Buffer): void; size(): number; root(): Buffer } {
  // The roots of the complete subtrees so far, the largest first.
  const roots: Buffer[] = []
  let size = 0
  return {
    add(leafHash) {
      if (!isHash(leafHash)) throw new RangeError('A leaf hash has 32 bytes.')
      let merged = leafHash
      for (let left = size; left % 2 === 1; left = Math.floor(left / 2)) {
        merged = nodeHash(roots.pop()!, merged)
      }
      roots.push(merged)
      size++
    },
    size: () => size,
    root: () => Buffer.from(roots.length === 0 ? emptyRoot : joinedFromRight(roots))
  }
}

/** Halves the tree until `isEnd`. The halves not entered are the path, the last one first. */
function descend(
  size: number,
  isEnd: (range: Range) => boolean,
  isInLeft: (middle: number) => boolean
): { path: Range[]; last: Range } {
  const path: Range[] = []
  let last: Range = { begin: 0, end: size }
  while (!isEnd(last)) {
    const { begin, end } = last
    // RFC 6962: the left half is the largest power of two below the number of leaves.
    const middle = begin + 2 ** (bitLength(end - begin - 1) - 1)
    const left = { begin, end: middle }
    const right = { begin: middle, end }
    last = isInLeft(middle) ? left : right
    path.unshift(isInLeft(middle) ? right : left)
  }
  return { path, last }
}

/** Reads the subtrees all ranges consist of, at once, and joins those of each into its root. */
async function rootsOf(ranges: Range[], read: ReadHashes): Promise<Buffer[]> {
  const parts = ranges.map(subtreesOf)
  const subtrees = parts.flat()
  const hashes = subtrees.length === 0 ? [] : await read(subtrees)
  if (hashes.length !== subtrees.length || !hashes.every(isHash)) {
    throw new TlogError('tile-damaged', 'Not every hash that was asked for has come.')
  }
  let at = 0
  return parts.map(part => {
    const begin = at
    at += part.length
    return joinedFromRight(hashes.slice(begin, at))
  })
}

/**
 * The complete subtrees a range consists of, from left to right. A range of a proof begins at a
 * multiple of a power of two that is not less than its length, so they only become smaller.
 */
function subtreesOf({ begin, end }: Range): Subtree[] {
  const subtrees: Subtree[] = []
  for (let at = begin; at < end; ) {
    const level = bitLength(end - at) - 1
    subtrees.push({ level, index: at / 2 ** level })
    at += 2 ** level
  }
  return subtrees
}

function joinedFromRight(roots: Buffer[]): Buffer {
  return roots.reduceRight((right, left) => nodeHash(left, right))
}

function isHash(value: Uint8Array): boolean {
  return value.byteLength === HASH_BYTES
}
