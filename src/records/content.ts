import type { KeyObject } from 'node:crypto'
import type { Receipt } from '../audit/receipt.ts'
import type { BlobReader, Blobs } from '../blobs/blobs.ts'
import { CHUNK_BYTES, chunkRange, HEADER_BYTES, SEALED_CHUNK_BYTES } from '../sealing/layout.ts'
import { type Opener, openHeader } from '../sealing/stream.ts'
import { bytesOf, partsOfObject, type SealedPart } from './layout.ts'
import type { ObjectRow } from './queries.ts'

/** Chunks read, opened and sent at a time: 512 KiB. Larger costs memory, smaller costs calls. */
const CHUNKS_PER_PIECE = 32

/** A half-open range of plaintext bytes. */
export interface ByteRange {
  start: number
  end: number
}

/** The content of one object, authenticated before it is given out. */
export interface Content {
  /**
   * The next piece, or undefined at the end. Its memory is used again by the pull after the next,
   * so one piece may be on its way to the client while the next is made.
   * Throws SealError when the stored bytes were changed, BlobError when they cannot be read.
   */
  pull(): Promise<Buffer | undefined>
  close(): Promise<void>
}

/** What one object is sealed by. */
export interface ObjectSource {
  organisationId: string
  recordKey: KeyObject
  object: ObjectRow
}

/**
 * Opens an object for reading, whether it is one blob or a list of segments. The size of the first
 * blob that is needed and the key's commitment are checked here, before anything is sent; those of
 * each further one before its first byte; and every 16 KiB chunk is authenticated before its bytes
 * are given out.
 */
export async function openContent(
  blobs: Pick<Blobs, 'open'>,
  receipt: Receipt,
  source: ObjectSource,
  range: ByteRange
): Promise<Content> {
  const { object, organisationId, recordKey } = source
  const parts = partsOfObject(recordKey, organisationId, object)
  return openParts(blobs, receipt, recordKey, parts, range)
}

/** The same of parts that are not an object yet. */
export async function openParts(
  blobs: Pick<Blobs, 'open'>,
  receipt: Receipt,
  recordKey: KeyObject,
  parts: SealedPart[],
  range: ByteRange
): Promise<Content> {
  const wanted = partsWithin(parts, range)
  const largest = Math.max(0, ...wanted.map(({ start, end }) => end - start))
  const chunksMax = Math.min(CHUNKS_PER_PIECE, Math.ceil(largest / CHUNK_BYTES) + 1)
  const memory = memoryFor(chunksMax)
  let at = 0
  let current: Content | undefined

  async function next(): Promise<void> {
    await current?.close()
    current = undefined
    const part = wanted[at]
    at += 1
    if (part !== undefined) current = await openPart(blobs, receipt, recordKey, part, memory)
  }

  await next()
  return {
    async pull() {
      while (current !== undefined) {
        const piece = await current.pull()
        if (piece !== undefined) return piece
        await next()
      }
      return undefined
    },
    close: async () => current?.close()
  }
}

type Wanted = SealedPart & ByteRange

/** The parts that a range touches, each with the range within it. */
function partsWithin(parts: SealedPart[], range: ByteRange): Wanted[] {
  const { start, end } = range
  if (start < 0 || start > end || end > bytesOf(parts)) throw new RangeError('No such range.')
  let at = 0
  return parts.flatMap(part => {
    const from = at
    at += part.bytes
    // A range of no bytes is still the end of some part, which is opened and so checked.
    const isTouched = start === end ? from <= start && start <= at : from < end && start < at
    if (!isTouched) return []
    return [{ ...part, start: Math.max(0, start - from), end: Math.min(end, at) - from }]
  })
}

interface Memory {
  sealed: Buffer
  /** The one of two that was not given out last. */
  turn(): Buffer
}

function memoryFor(chunksMax: number): Memory {
  const sealed = Buffer.allocUnsafeSlow(chunksMax * SEALED_CHUNK_BYTES)
  const plain = [0, 1].map(() => Buffer.allocUnsafeSlow(chunksMax * CHUNK_BYTES))
  let turn = 0
  return {
    sealed,
    turn() {
      turn = 1 - turn
      return plain[turn] as Buffer
    }
  }
}

async function openPart(
  blobs: Pick<Blobs, 'open'>,
  receipt: Receipt,
  recordKey: KeyObject,
  part: Wanted,
  memory: Memory
): Promise<Content> {
  const blob = await blobs.open(part.blob, receipt)
  try {
    const header = Buffer.alloc(HEADER_BYTES)
    await blob.read(header, 0)
    const opener = openHeader({
      inputKey: recordKey,
      context: part.context,
      header,
      blobLength: blob.bytes,
      plainLength: part.bytes
    })
    return contentOf(blob, opener, part, memory)
  } catch (err) {
    await blob.close()
    throw err
  }
}

function contentOf(blob: BlobReader, opener: Opener, range: ByteRange, memory: Memory): Content {
  const plan = chunkRange(range.start, range.end, opener.plainLength)
  const { sealed } = memory
  let chunk = plan.firstChunk
  let position = plan.sealedStart
  let skip = plan.skip
  let left = plan.take

  return {
    async pull() {
      if (position >= plan.sealedEnd) return undefined
      const wanted = sealed.subarray(0, Math.min(sealed.byteLength, plan.sealedEnd - position))
      const read = await blob.read(wanted, position)
      const into = memory.turn()
      const opened = opener.openChunks(wanted.subarray(0, read), chunk, into)
      position += read
      chunk += sealed.byteLength / SEALED_CHUNK_BYTES
      const piece = into.subarray(skip, Math.min(opened, skip + left))
      skip = 0
      left -= piece.byteLength
      return piece
    },
    close: () => blob.close()
  }
}
