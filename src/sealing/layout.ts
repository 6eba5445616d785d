import { SealError } from './seal-error.ts'

/** Plaintext bytes in every chunk but the last, which always holds fewer, possibly none. */
export const CHUNK_BYTES = 16_384
export const TAG_BYTES = 16
export const SEALED_CHUNK_BYTES = CHUNK_BYTES + TAG_BYTES
export const SALT_BYTES = 24
export const COMMITMENT_BYTES = 32
export const HEADER_BYTES = SALT_BYTES + COMMITMENT_BYTES
/** The specification allows chunk numbers below this. */
export const CHUNKS_MAX = 2 ** 38
/** The largest plaintext: its last, short chunk has the last allowed number. */
export const PLAIN_BYTES_MAX = CHUNKS_MAX * CHUNK_BYTES - 1
/** A good read size for a whole object: 64 sealed chunks, which open into exactly 1 MiB. */
export const SEALED_READ_BYTES = 64 * SEALED_CHUNK_BYTES
export const PLAIN_READ_BYTES = 64 * CHUNK_BYTES

/** The number of the last chunk of `plainLength` bytes, counted from 0. */
export function lastChunkOf(plainLength: number): number {
  requireWholeNumber(plainLength, PLAIN_BYTES_MAX)
  return Math.floor(plainLength / CHUNK_BYTES)
}

/** The length of a sealed object, in bytes, for a plaintext of `plainLength` bytes. */
export function sealedBytes(plainLength: number): number {
  return HEADER_BYTES + plainLength + TAG_BYTES * (lastChunkOf(plainLength) + 1)
}

/**
 * The plaintext length, in bytes, of a sealed object of `sealedLength` bytes.
 * Throws sealed-truncated for a length no sealed object has: its last chunk would be absent, full or
 * without its whole tag.
 */
export function plainBytes(sealedLength: number): number {
  const body = sealedLength - HEADER_BYTES
  const lastSealedChunk = body % SEALED_CHUNK_BYTES
  // A body below zero has a remainder below zero.
  if (!Number.isSafeInteger(sealedLength) || lastSealedChunk < TAG_BYTES) {
    throw new SealError('sealed-truncated', 'No sealed object has this length.')
  }
  return body - TAG_BYTES * (Math.floor(body / SEALED_CHUNK_BYTES) + 1)
}

export interface ChunkRange {
  /** First and last chunk to open, both included. */
  firstChunk: number
  lastChunk: number
  /** The bytes of the blob to read: from sealedStart up to but not including sealedEnd. */
  sealedStart: number
  sealedEnd: number
  /** Of the opened chunks put end to end: leave out `skip` bytes, then hand over `take`. */
  skip: number
  take: number
}

/**
 * Plans the reading of plaintext bytes `start` up to but not including `end`.
 * A range that reaches the end of the object always includes its last chunk, even an empty one, so
 * that the end is authenticated too. Throws RangeError unless 0 <= start <= end <= plainLength.
 */
export function chunkRange(start: number, end: number, plainLength: number): ChunkRange {
  requireWholeNumber(plainLength, PLAIN_BYTES_MAX)
  requireWholeNumber(end, plainLength)
  requireWholeNumber(start, end)
  const firstChunk = Math.floor(start / CHUNK_BYTES)
  const lastByte = end === plainLength ? end : Math.max(start, end - 1)
  const lastChunk = Math.floor(lastByte / CHUNK_BYTES)
  return {
    firstChunk,
    lastChunk,
    sealedStart: HEADER_BYTES + firstChunk * SEALED_CHUNK_BYTES,
    sealedEnd: Math.min(
      HEADER_BYTES + (lastChunk + 1) * SEALED_CHUNK_BYTES,
      sealedBytes(plainLength)
    ),
    skip: start - firstChunk * CHUNK_BYTES,
    take: end - start
  }
}

function requireWholeNumber(value: number, max: number): void {
  if (!Number.isSafeInteger(value) || value < 0 || value > max) {
    throw new RangeError(`A length or position must be a whole number from 0 to ${max}.`)
  }
}
