import type { KeyObject } from 'node:crypto'
import type { BlobWriter } from '../blobs/blobs.ts'
import type { Exchange } from '../exchange.ts'
import type { Home } from '../records/layout.ts'
import { segmentContext } from '../sealing/keys.ts'
import type { Follow, SealJob } from '../sealing/seal-pool.ts'

/** A segment that is sealed and durable, and that no row names yet. */
export interface SealedSegment {
  blob: string
  number: number
  place: number
  /** Of plaintext. */
  bytes: number
  /** SHA-256 of everything the upload has had up to its end; undefined when that is not known here. */
  sha256: Buffer | undefined
}

/** Where a segment belongs. */
export interface SegmentSeat {
  upload: string
  /** No two segments that were ever on record for an upload have the same. */
  number: number
  /** Among those that it has. */
  place: number
}

/** One segment on its way into the blob store: a sealed blob of its own, which is never continued. */
export interface SegmentWriter {
  readonly blob: string
  /** Plaintext written so far. */
  bytes(): number
  /** Takes the piece and its memory, as `SealJob.write` does. Resolves when there is room for more. */
  write(piece: Buffer): Promise<void>
  /** Resolves once it survives a power cut. Nothing may be written afterwards. */
  end(): Promise<SealedSegment>
  /** Gives it up, also after `end`. Never throws: what stays is an orphan for housekeeping. */
  discard(): Promise<void>
}

/**
 * Begins a segment under a fresh salt and a fresh random name, both of which are bound into it with
 * the upload and the number. If the process stops at any point, the blob is one that no row names.
 */
export async function beginSegment(
  { blobs, sealPool }: Pick<Exchange, 'blobs' | 'sealPool'>,
  key: KeyObject,
  home: Home,
  at: SegmentSeat,
  follow: Omit<Follow, 'job'>
): Promise<SegmentWriter> {
  const blob = await blobs.create()
  const context = segmentContext(home.organisationId, home.recordId, {
    upload: at.upload,
    number: at.number,
    blob: blob.name
  })
  const job = sealPool.seal({ key, context, follow: { ...follow, job: blob.name } })
  const storing = storeOutput(job, blob)
  storing.catch(() => job.abort())
  let bytes = 0

  /** Of sealing and storing one failed because the other did: the store's failure is the one to tell. */
  async function causeOf(err: unknown): Promise<never> {
    await storing
    throw err
  }

  async function settle(sealing: ReturnType<SealJob['end']>): Promise<SealedSegment> {
    const sealed = await sealing.catch(causeOf)
    await storing
    await blob.commit()
    await blobs.sync([blob.name])
    const sha256 = sealed.sha256.byteLength === 0 ? undefined : sealed.sha256
    const { number, place } = at
    return { blob: blob.name, number, place, bytes: sealed.bytes, sha256 }
  }

  return {
    blob: blob.name,
    bytes: () => bytes,
    write(piece) {
      bytes += piece.byteLength
      return job.write(piece).catch(causeOf)
    },
    // The job is ended before this returns, so that the next may follow it.
    end: () => settle(job.end()),
    async discard() {
      job.abort()
      await storing.catch(() => {})
      await blob.abort()
      await blobs.remove(blob.name).catch(() => {})
    }
  }
}

async function storeOutput(job: SealJob, blob: BlobWriter): Promise<void> {
  for await (const sealed of job.output) {
    await blob.write(sealed)
    job.recycle(sealed)
  }
}
