import { DeleteObjectCommand } from '@aws-sdk/client-s3'
import type { BlobWriter } from './blobs.ts'
import { keyOf, type S3Store } from './s3-client.ts'
import { attempt } from './s3-errors.ts'
import { partsOf, putWhole } from './s3-parts.ts'

/** Most objects are small, so a buffer begins at this and doubles until it holds a whole part. */
const BUFFER_BYTES_MIN = 1_048_576

/** The writers of this process, by name. */
export type Unfinished = Map<string, Pick<BlobWriter, 'abort'>>

/**
 * Nothing is sent before a part is full. If the process stops before `commit()` resolves, there is
 * at most an unfinished upload, or a whole object that no row names.
 */
export function createOnS3(store: S3Store, unfinished: Unfinished, name: string): BlobWriter {
  const key = keyOf(store, name)
  const cutting = new AbortController()
  const parts = partsOf(store, key, cutting.signal)
  const buffer = partBuffer(store.settings.partBytes)
  let state: 'writing' | 'damaged' | 'committed' | 'aborted' = 'writing'
  let working: Promise<void> | undefined
  let committing = false

  /** One call at a time; after one that failed the blob can only be aborted. */
  async function work(act: () => Promise<void>): Promise<void> {
    if (state !== 'writing') throw new Error(`The writer is ${state}.`)
    if (working !== undefined) throw new Error('A write is still under way.')
    working = act()
    try {
      await working
      cutting.signal.throwIfAborted()
    } catch (error) {
      if (state === 'writing') state = 'damaged'
      throw error
    } finally {
      working = undefined
    }
  }

  async function take(bytes: Buffer): Promise<void> {
    for (let at = 0; at < bytes.length; ) {
      if (buffer.isFull()) {
        const part = buffer.take()
        await parts.send(part, () => buffer.giveBack(part))
      }
      at += buffer.fill(bytes.subarray(at))
    }
  }

  const writer: BlobWriter = {
    name,
    write: bytes => attempt('write a blob', () => work(() => take(bytes))),
    commit: () =>
      attempt('commit a blob', async () => {
        await work(async () => {
          committing = true
          const last = buffer.take()
          if (!parts.begun()) return await putWhole(store, key, last, cutting.signal)
          await parts.send(last, () => {})
          await parts.complete()
        })
        state = 'committed'
        unfinished.delete(name)
      }),
    async abort() {
      if (state === 'committed' || state === 'aborted') return
      state = 'aborted'
      cutting.abort()
      await working?.catch(() => {})
      await parts.abandon()
      // A commit that reported failure may have happened, as when its answer was lost.
      const command = new DeleteObjectCommand({ Bucket: store.settings.bucket, Key: key })
      if (committing) await store.client.send(command).catch(() => {})
      unfinished.delete(name)
    }
  }
  unfinished.set(name, writer)
  return writer
}

/** Gathers writes into parts and uses their memory again. */
function partBuffer(partBytes: number) {
  const free: Buffer[] = []
  let filling: Buffer = Buffer.alloc(0)
  let filled = 0

  function grow(wanted: number): void {
    let size = Math.max(filling.length, Math.min(BUFFER_BYTES_MIN, partBytes))
    while (size < wanted) size = Math.min(size * 2, partBytes)
    if (size === filling.length) return
    const grown = Buffer.allocUnsafeSlow(size)
    filling.copy(grown, 0, 0, filled)
    filling = grown
  }

  return {
    isFull: () => filled === partBytes,
    /** Copies as much as fits. */
    fill(bytes: Buffer): number {
      const taken = Math.min(bytes.length, partBytes - filled)
      grow(filled + taken)
      bytes.copy(filling, filled, 0, taken)
      filled += taken
      return taken
    },
    take(): Buffer {
      const part = filling.subarray(0, filled)
      filling = free.pop() ?? Buffer.alloc(0)
      filled = 0
      return part
    },
    giveBack(part: Buffer): void {
      free.push(part)
    }
  }
}
