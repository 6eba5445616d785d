import { createSecretKey, timingSafeEqual } from 'node:crypto'
import { v7 as uuidv7 } from 'uuid'
import type { BlobWriter } from '../blobs/blobs.ts'
import { Refusal, type RefusalCode } from '../errors.ts'
import type { Exchange } from '../exchange.ts'
import { objectContext } from '../sealing/keys.ts'
import type { SealJob } from '../sealing/seal-pool.ts'
import type { IncomingFile } from './form.ts'
import { safeFileName } from './inspect/file-name.ts'
import { INSPECT_BYTES, inspect } from './inspect/inspect.ts'
import type { ObjectRow } from './queries.ts'
import { sealFileName } from './record.ts'
import type { ScanColumns } from './scan/verdict.ts'
import type { ScanWhileSealing } from './scan/while-sealing.ts'

export type StoredFile = Omit<ObjectRow, 'recordId'>

/** Files received but not yet durable, at most: while their blobs reach the disk, others arrive. */
const FINISHING_MAX = 16

export interface Files {
  /** Takes one file to its end. It may still be on its way to the disk when this resolves. */
  add(file: IncomingFile): Promise<void>
  /** Waits until all are durable, and describes them in their order. */
  finish(): Promise<StoredFile[]>
  /** Removes whatever was stored. Never throws. */
  discard(): Promise<void>
}

/** The files of one record on their way into the blob store. */
export function beginFiles(
  exchange: Exchange,
  record: { organisationId: string; recordId: string; key: Buffer }
): Files {
  const finishing: Promise<StoredFile>[] = []
  const begun: { blob: BlobWriter; job: SealJob; scan: ScanWhileSealing }[] = []
  const nameKey = createSecretKey(record.key)

  return {
    async add(file) {
      const id = uuidv7({ msecs: exchange.clock() })
      const chunks = chunksOf(file)
      const { head, isWhole } = await firstBytes(chunks, file)
      const seen = namePosition(file.position, () =>
        inspect(Buffer.concat(head), isWhole, file.declared)
      )

      const blob = await exchange.blobs.create()
      const context = objectContext(record.organisationId, record.recordId, id)
      const job = exchange.sealPool.seal({ key: record.key, context })
      const scan = exchange.scanner.begin(seen)
      begun.push({ blob, job, scan })
      const storing = storeOutput(job, blob)
      storing.catch(() => job.abort())

      const seal = (chunk: Buffer) => {
        scan.take(chunk)
        return job.write(chunk).catch(err => causeOf(storing, err))
      }
      for (const chunk of head) await seal(chunk)
      if (!isWhole) for await (const chunk of chunks) await seal(chunk)

      const fileName = safeFileName(file.declared.fileName, `file-${file.position}`)
      const stored = completeFile(file, job, storing, blob, scan).then(sealed => ({
        id,
        position: file.position,
        blob: blob.name,
        format: 'cobblestone-256',
        ...seen,
        ...sealed,
        nameSealed: sealFileName(nameKey, id, fileName)
      }))
      // Whoever awaits it below hears of the failure; until then it must not count as unhandled.
      stored.catch(() => {})
      finishing.push(stored)
      await finishing.at(-1 - FINISHING_MAX)
    },

    async finish() {
      const stored = await Promise.all(finishing)
      await exchange.blobs.sync(stored.map(file => file.blob))
      return stored
    },

    async discard() {
      for (const { job, scan } of begun) {
        job.abort()
        scan.abort()
      }
      await Promise.allSettled(finishing)
      for (const { blob } of begun) {
        await blob.abort()
        // What cannot be removed now is an orphan, which housekeeping removes.
        await exchange.blobs.remove(blob.name).catch(() => {})
      }
    }
  }
}

/**
 * The chunks of a file. A connection that breaks is the client's doing, not a fault of ours. A file
 * past its limit is refused there and then: its sender may go on for ever.
 */
async function* chunksOf(file: IncomingFile): AsyncGenerator<Buffer> {
  const { body } = file
  const stop = () => body.destroy(refuseFile('file-too-large', file))
  if (body.truncated) stop()
  else body.once('limit', stop)
  try {
    // Ending early must not destroy the stream: the rest of the body is still to be discarded.
    for await (const chunk of body.iterator({ destroyOnReturn: false })) yield chunk
  } catch (err) {
    throw err instanceof Refusal ? err : refuseFile('file-truncated', file, err)
  }
}

/** Enough of the file to tell its type, in the chunks it came in. */
async function firstBytes(chunks: AsyncGenerator<Buffer>, file: IncomingFile) {
  const head: Buffer[] = []
  let bytes = 0
  while (bytes < INSPECT_BYTES) {
    const { value, done } = await chunks.next()
    if (done) {
      if (bytes === 0) throw refuseFile('file-empty', file)
      return { head, isWhole: true }
    }
    head.push(value)
    bytes += value.byteLength
  }
  return { head, isWhole: false }
}

async function storeOutput(job: SealJob, blob: BlobWriter): Promise<void> {
  for await (const sealed of job.output) {
    await blob.write(sealed)
    job.recycle(sealed)
  }
}

async function completeFile(
  file: IncomingFile,
  job: SealJob,
  storing: Promise<void>,
  blob: BlobWriter,
  scan: ScanWhileSealing
): Promise<{ bytes: number; sha256: Buffer } & ScanColumns> {
  const { bytes, sha256 } = await job.end().catch(err => causeOf(storing, err))
  await storing
  if (file.sha256 !== undefined && !timingSafeEqual(file.sha256, sha256)) {
    throw refuseFile('digest-mismatch', file)
  }
  // What is infected never becomes a blob.
  const scanned = await scan.columns(file.position)
  await blob.commit()
  return { bytes, sha256, ...scanned }
}

/**
 * Sealing was given up because its output could not be stored, or storing because sealing failed:
 * of the two failures the store's is the one to tell.
 */
async function causeOf(storing: Promise<void>, err: unknown): Promise<never> {
  await storing
  throw err
}

function refuseFile(code: RefusalCode, file: IncomingFile, cause?: unknown): Refusal {
  return new Refusal(code, undefined, { filePosition: file.position }, cause)
}

/** Adds to a refusal which file it is about. */
function namePosition<T>(filePosition: number, look: () => T): T {
  try {
    return look()
  } catch (err) {
    if (!(err instanceof Refusal)) throw err
    throw new Refusal(err.code, err.message, { ...err.extra, filePosition })
  }
}
