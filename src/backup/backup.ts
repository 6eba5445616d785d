import { join } from 'node:path'
import type { Encrypter } from 'age-encryption'
import type { Receipt } from '../audit/receipt.ts'
import { recordCopyBegun } from '../audit/sealed-copies.ts'
import { NOTE_BYTES_MAX } from '../audit/tlog/note.ts'
import { readText } from '../audit/verify/directory.ts'
import { BlobError, type Blobs } from '../blobs/blobs.ts'
import { lockForService } from '../database/sqlite.ts'
import { dataPaths, type OpenData } from '../open-data.ts'
import { SEALED_READ_BYTES, sealedBytes } from '../sealing/layout.ts'
import { type Arriving, countArriving } from '../uploads/arriving.ts'
import { encrypted } from './age.ts'
import {
  type ArchiveFile,
  archiveOf,
  CHECKPOINT_NAME,
  FORMAT,
  fileOf,
  HEAD_NAME,
  type Head,
  objectName,
  VERSION
} from './archive.ts'
import { BackupError } from './backup-error.ts'
import { requireSafePlace, writeNewFile } from './backup-place.ts'
import {
  blobRows,
  copyDatabase,
  copyPostgres,
  readCounts,
  readKeyFiles,
  type Source,
  type StoredBlob,
  wasErased
} from './source.ts'

export interface BackupParts {
  data: OpenData
  blobs: Blobs
  /** Of PostgreSQL, where the database is there. */
  databaseUrl: string | undefined
  /** Where the backup goes, and to whom it is encrypted. */
  to: string
  encrypter: Encrypter
  recipients: number
  /** Of Consilium. */
  release: string
  /** Bytes that the disk must have left for the service. */
  freeBytesMin: number
  /** Told of objects that cannot be saved, with ids only. */
  fault(sentence: string): void
  progress(objects: number, of: number, bytes: number): void
  /** Gives the backup up and leaves nothing. */
  signal: AbortSignal
}

export interface BackupResult {
  head: Head
  /** Sealed blobs: an object that arrived in several segments counts as so many. */
  objects: number
  faults: number
  /** Of the file. */
  bytes: number
}

/**
 * Saves everything while the service runs: the database as it is at one moment, then every sealed
 * object that it names, as it is. Objects are written before their rows and are never changed, and
 * housekeeping removes only what no row names, so none of these goes away meanwhile; what is uploaded
 * later is in the next backup. Drafts, whose files are still arriving, are left out and counted. An
 * object that is not as its row says is a fault, and the rest is saved. If the store fails otherwise,
 * the whole backup does.
 */
export async function backUp(parts: BackupParts): Promise<BackupResult> {
  const { data, to } = parts
  await requireSafePlace(to, data.directory)
  const lock = lockForService(join(data.directory, 'backup.lock'))
  if (lock === undefined) throw new BackupError('Another backup of these data is under way.')
  const { recipients } = parts
  try {
    const receipt = await recordCopyBegun(data.audit, 'data.backup', { recipients })
    try {
      return await saveAll(parts, receipt)
    } catch (err) {
      await recordEnd(data, 'failed', {}).catch(() => {})
      throw err
    }
  } finally {
    lock.release()
  }
}

async function saveAll(parts: BackupParts, receipt: Receipt): Promise<BackupResult> {
  const { data, to, encrypter, signal } = parts
  const takenAt = data.clock()
  const arriving = await countArriving(data.database.read, takenAt)
  // Before the database: the service renews the copy after the row, so this one is never newer.
  const checkpoint = await readText(dataPaths(data.directory).checkpoint, NOTE_BYTES_MAX)
  const { databaseUrl } = parts
  const source =
    databaseUrl === undefined
      ? await copyDatabase(data.directory, parts.freeBytesMin)
      : await copyPostgres(databaseUrl)
  const saved = { objects: 0, faults: 0, bytes: 0 }
  try {
    const head = await headOf(parts, takenAt, source, arriving)
    const files = filesOf(parts, receipt, { source, head, checkpoint }, saved)
    const archive = archiveOf(files, takenAt, () => saved)
    const bytes = await writeNewFile(to, encrypted(encrypter, until(signal, archive)), bytes =>
      recordEnd(data, 'success', { objects: saved.objects, bytes, faults: saved.faults })
    )
    return { head, objects: saved.objects, faults: saved.faults, bytes }
  } finally {
    await source.close()
  }
}

async function headOf(
  parts: BackupParts,
  takenAt: number,
  source: Source,
  arriving: Arriving
): Promise<Head> {
  const { counts, log } = await readCounts(source.read)
  return {
    format: FORMAT,
    version: VERSION,
    release: parts.release,
    database: source.read.kind,
    ...(source.migrations === undefined ? {} : { migrations: source.migrations }),
    takenAt: new Date(takenAt).toISOString(),
    counts: { ...counts, ...arriving },
    log
  }
}

/** Counts only: who may read a backup is told by who has an identity, and not by the log. */
async function recordEnd(
  { audit }: OpenData,
  outcome: 'success' | 'failed',
  counts: Record<string, number>
): Promise<void> {
  const stage = outcome === 'success' ? 'complete' : 'given up'
  const details = { by: 'operator console', stage, ...counts }
  await audit.add({ action: 'data.backup', outcome, details })
}

interface What {
  source: Source
  head: Head
  checkpoint: string | undefined
}

async function* filesOf(
  parts: BackupParts,
  receipt: Receipt,
  { source, head, checkpoint }: What,
  saved: { objects: number; faults: number; bytes: number }
): AsyncGenerator<ArchiveFile> {
  yield fileOf(HEAD_NAME, `${JSON.stringify(head, null, 2)}\n`)
  // After the database: a key that wraps something there is not forgotten within moments.
  yield* await readKeyFiles(parts.data.directory)
  if (checkpoint !== undefined) yield fileOf(CHECKPOINT_NAME, checkpoint)
  yield* source.files()
  for await (const row of blobRows(source.read, Date.parse(head.takenAt))) {
    yield* objectFile(parts, receipt, row, saved)
    parts.progress(saved.objects, head.counts.blobs ?? 0, saved.bytes)
  }
}

async function* objectFile(
  { blobs, data, fault }: BackupParts,
  receipt: Receipt,
  row: StoredBlob,
  saved: { objects: number; faults: number; bytes: number }
): AsyncGenerator<ArchiveFile> {
  const reader = await blobs.open(row.blob, receipt).catch((err: unknown) => {
    if (!(err instanceof BlobError) || err.code !== 'blob-missing') throw err
    return undefined
  })
  if (reader === undefined) {
    saved.faults += 1
    const isGone = await wasErased(data.database.read, row.id)
    fault(
      isGone
        ? `Object ${row.id} was erased while the backup was made, which has its key: make another.`
        : `Object ${row.id} is not in the store.`
    )
    return
  }
  try {
    if (reader.bytes !== sealedBytes(row.bytes)) {
      saved.faults += 1
      fault(`Object ${row.id} has not the length that it should have. It is saved as it is.`)
    }
    const content = async function* () {
      for (let at = 0; at < reader.bytes; ) {
        const piece = Buffer.allocUnsafeSlow(Math.min(SEALED_READ_BYTES, reader.bytes - at))
        const read = await reader.read(piece, at)
        if (read === 0) return
        at += read
        yield piece.subarray(0, read)
      }
    }
    yield { name: objectName(row.blob), bytes: reader.bytes, content: content() }
    saved.objects += 1
    saved.bytes += reader.bytes
  } finally {
    await reader.close()
  }
}

async function* until(
  signal: AbortSignal,
  pieces: AsyncIterable<Uint8Array>
): AsyncGenerator<Uint8Array> {
  for await (const piece of pieces) {
    if (signal.aborted) throw new BackupError('The backup was stopped. Nothing is left of it.')
    yield piece
  }
}
