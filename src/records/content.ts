import type { KeyObject } from 'node:crypto'
import type { Receipt } from '../audit/receipt.ts'
import type { BlobReader, Blobs } from '../blobs/blobs.ts'
import { Refusal } from '../errors.ts'
import { objectContext } from '../sealing/keys.ts'
import { CHUNK_BYTES, chunkRange, HEADER_BYTES, SEALED_CHUNK_BYTES } from '../sealing/layout.ts'
import { type Opener, openHeader } from '../sealing/stream.ts'
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
 * Opens an object for reading. The size of the blob and the key's commitment are checked here,
 * before anything is sent; every 16 KiB chunk is authenticated before its bytes are given out.
 */
export async function openContent(
  blobs: Pick<Blobs, 'open'>,
  receipt: Receipt,
  source: ObjectSource,
  range: ByteRange
): Promise<Content> {
  const { object } = source
  const blob = await blobs.open(object.blob, receipt)
  try {
    const opener = await openerOf(blob, source)
    return contentOf(blob, opener, range)
  } catch (err) {
    await blob.close()
    throw err
  }
}

async function openerOf(blob: BlobReader, source: ObjectSource): Promise<Opener> {
  const { object, organisationId, recordKey } = source
  if (object.format !== 'cobblestone-256') throw new Refusal('object-damaged', 'unknown format')
  const header = Buffer.alloc(HEADER_BYTES)
  await blob.read(header, 0)
  return openHeader({
    inputKey: recordKey,
    context: objectContext(organisationId, object.recordId, object.id),
    header,
    blobLength: blob.bytes,
    plainLength: object.bytes
  })
}

function contentOf(blob: BlobReader, opener: Opener, range: ByteRange): Content {
  const plan = chunkRange(range.start, range.end, opener.plainLength)
  const chunksMax = Math.min(CHUNKS_PER_PIECE, plan.lastChunk - plan.firstChunk + 1)
  const sealed = Buffer.allocUnsafeSlow(chunksMax * SEALED_CHUNK_BYTES)
  const plain = [0, 1].map(() => Buffer.allocUnsafeSlow(chunksMax * CHUNK_BYTES))
  let chunk = plan.firstChunk
  let position = plan.sealedStart
  let skip = plan.skip
  let left = plan.take
  let turn = 0

  return {
    async pull() {
      if (position >= plan.sealedEnd) return undefined
      const wanted = sealed.subarray(0, Math.min(sealed.byteLength, plan.sealedEnd - position))
      const read = await blob.read(wanted, position)
      const into = plain[turn] as Buffer
      const opened = opener.openChunks(wanted.subarray(0, read), chunk, into)
      turn = 1 - turn
      position += read
      chunk += CHUNKS_PER_PIECE
      const piece = into.subarray(skip, Math.min(opened, skip + left))
      skip = 0
      left -= piece.byteLength
      return piece
    },
    close: () => blob.close()
  }
}
