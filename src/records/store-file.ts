import { createSecretKey, type KeyObject, timingSafeEqual } from 'node:crypto'
import { v7 as uuidv7 } from 'uuid'
import type { Patient } from '../../schemas/case.ts'
import type { Blobs, BlobWriter } from '../blobs/blobs.ts'
import { Refusal, type RefusalCode } from '../errors.ts'
import type { Exchange } from '../exchange.ts'
import { objectContext } from '../sealing/keys.ts'
import type { SealJob } from '../sealing/seal-pool.ts'
import type { IncomingFile } from './form.ts'
import { safeFileName } from './inspect/file-name.ts'
import { INSPECT_BYTES, type Inspection, inspect } from './inspect/inspect.ts'
import { HEAD_KEPT_BYTES } from './inspect/source.ts'
import { type Inspected, inspectorOf } from './inspect-file.ts'
import { ONE_BLOB } from './layout.ts'
import type { ObjectRow } from './queries.ts'
import { sealFileName } from './record.ts'
import type { ScanWhileSealing } from './scan/while-sealing.ts'
import { storedSource } from './stored-source.ts'

/** A file that is durable, with what only its record needs to know of it. */
export interface StoredFile {
  row: Omit<ObjectRow, 'recordId'>
  dicom: Inspected['dicom']
}

/** A file that was not taken. Its name is one any system can show. */
export interface FileRefused {
  position: number
  fileName: string
  refusal: Refusal
}

/** Files received but not yet durable, at most: while their blobs reach the disk, others arrive. */
const FINISHING_MAX = 16

export interface Files {
  /**
   * Takes one file to its end. It may still be on its way to the disk when this resolves. A file
   * that is no good is read to its end and kept out; what ends the whole upload is thrown.
   */
  add(file: IncomingFile): Promise<void>
  /** Waits until all good ones are durable, and describes them and the others in their order. */
  finish(): Promise<{ stored: StoredFile[]; refused: FileRefused[] }>
  /** Removes whatever was stored. Never throws. */
  discard(): Promise<void>
}

/** The record whose files they are. */
export interface FilesOf {
  organisationId: string
  caseId: string
  recordId: string
  key: Buffer
  /** Asked once, when a file says whose it is. */
  patient(): Promise<Patient>
}

/** The files of one record on their way into the blob store. */
export function beginFiles(exchange: Exchange, record: FilesOf): Files {
  const finishing: Promise<StoredFile | FileRefused>[] = []
  const begun: { blob: BlobWriter; job: SealJob; scan: ScanWhileSealing }[] = []
  const key = createSecretKey(record.key)
  const { organisationId, caseId, recordId, patient } = record
  const home: Home = {
    blobs: exchange.blobs,
    organisationId,
    recordId,
    key,
    inspectFile: inspectorOf(exchange, { caseId, key, patient })
  }

  return {
    async add(file) {
      const id = uuidv7({ msecs: exchange.clock() })
      const chunks = chunksOf(file)
      const first = await firstBytes(chunks)
      let seen: Inspection
      try {
        seen = inspect(Buffer.concat(first.head), first.isWhole, file.declared)
      } catch (err) {
        const kept = keepOut(exchange.blobs, file, err)
        kept.catch(() => {})
        finishing.push(kept)
        // The files behind it can only be had by reading past it.
        if (!first.isWhole) for await (const _ of chunks);
        return
      }

      const blob = await exchange.blobs.create()
      const context = objectContext(organisationId, recordId, id)
      const job = exchange.sealPool.seal({ key: record.key, context })
      const scan = exchange.scanner.begin(seen)
      begun.push({ blob, job, scan })
      const storing = storeOutput(job, blob)
      storing.catch(() => job.abort())

      const head = keepHead()
      const seal = (chunk: Buffer) => {
        head.keep(chunk)
        scan.take(chunk)
        return job.write(chunk).catch(err => causeOf(storing, err))
      }
      for (const chunk of first.head) await seal(chunk)
      if (!first.isWhole) for await (const chunk of chunks) await seal(chunk)

      const taken = { file, id, seen, head: head.kept(), job, storing, blob, scan }
      const stored = complete(home, taken).catch(err => {
        scan.abort()
        return keepOut(exchange.blobs, file, err, blob)
      })
      // Whoever awaits it below hears of the failure; until then it must not count as unhandled.
      stored.catch(() => {})
      finishing.push(stored)
      await finishing.at(-1 - FINISHING_MAX)
    },

    async finish() {
      const files = await Promise.all(finishing)
      const stored = files.filter(file => 'row' in file)
      await exchange.blobs.sync(stored.flatMap(({ row }) => row.blob ?? []))
      return { stored, refused: files.filter(file => 'refusal' in file) }
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

/** A file whose last byte has come. */
interface Taken {
  file: IncomingFile
  id: string
  seen: Inspection
  head: Uint8Array<ArrayBuffer>
  job: SealJob
  storing: Promise<void>
  blob: BlobWriter
  scan: ScanWhileSealing
}

/** Where files go, and what is done with each. */
interface Home {
  blobs: Blobs
  organisationId: string
  recordId: string
  key: KeyObject
  inspectFile: ReturnType<typeof inspectorOf>
}

/** Everything about a file that can be known only once its last byte has come. */
async function complete(home: Home, taken: Taken): Promise<StoredFile> {
  const { file, id, seen, head, job, storing, blob, scan } = taken
  const { organisationId, recordId, key } = home
  const { bytes, sha256 } = await job.end().catch(err => causeOf(storing, err))
  await storing
  if (file.sha256 !== undefined && !timingSafeEqual(file.sha256, sha256)) {
    throw refuseFile('digest-mismatch', file)
  }
  // What is infected never becomes a blob.
  const scanned = await scan.columns(file.position)
  const row = {
    id,
    position: file.position,
    blob: blob.name,
    format: ONE_BLOB,
    layoutSealed: null,
    ...seen,
    bytes,
    sha256,
    nameSealed: sealFileName(key, id, safeNameOf(file)),
    summarySealed: null,
    instanceRef: null,
    ...scanned
  }
  const committed = blob.commit()
  const object = { ...row, recordId }
  const stored = storedSource(home.blobs, { organisationId, recordKey: key, object })
  // Looked into while it reaches the disk. Whatever its head does not hold must be there first.
  const source = {
    bytes,
    read: (at: number, length: number) => committed.then(() => stored.read(at, length))
  }
  const looking = home.inspectFile({ objectId: id, type: seen.type, head, source })
  const [looked, durable] = await Promise.allSettled([looking, committed])
  if (durable.status === 'rejected') throw durable.reason
  if (looked.status === 'rejected') throw looked.reason
  const { dicom, ...inspected } = looked.value
  return { row: { ...row, ...inspected }, dicom }
}

/** A file that is no good, and nothing of it left. What is no fault of the file is thrown on. */
async function keepOut(
  blobs: Blobs,
  file: IncomingFile,
  err: unknown,
  blob?: BlobWriter
): Promise<FileRefused> {
  const refusal = refusalOf(file, err)
  if (blob !== undefined) {
    await blob.abort()
    // What cannot be removed now is an orphan, which housekeeping removes.
    await blobs.remove(blob.name).catch(() => {})
  }
  return { position: file.position, fileName: safeNameOf(file), refusal }
}

const safeNameOf = (file: IncomingFile): string =>
  safeFileName(file.declared.fileName, `file-${file.position}`)

/** A copy of the first bytes that pass: their own memory goes on to be sealed. */
function keepHead() {
  const memory = new Uint8Array(HEAD_KEPT_BYTES)
  let bytes = 0
  return {
    keep(chunk: Buffer): void {
      if (bytes >= HEAD_KEPT_BYTES) return
      const piece = chunk.subarray(0, HEAD_KEPT_BYTES - bytes)
      memory.set(piece, bytes)
      bytes += piece.length
    },
    kept: () => memory.subarray(0, bytes)
  }
}

/**
 * That a file is no good, naming it. A failure of ours is none of the file's and thrown on: a full
 * disk, say, would refuse one file after another.
 */
function refusalOf(file: IncomingFile, err: unknown): Refusal {
  if (!(err instanceof Refusal) || err.status >= 500) throw err
  return new Refusal(err.code, err.message, { ...err.extra, filePosition: file.position })
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
async function firstBytes(chunks: AsyncGenerator<Buffer>) {
  const head: Buffer[] = []
  let bytes = 0
  while (bytes < INSPECT_BYTES) {
    const { value, done } = await chunks.next()
    if (done) return { head, isWhole: true }
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
