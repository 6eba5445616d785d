import type { Decrypter } from 'age-encryption'
import { openDisclosures } from '../audit/disclosures.ts'
import type { Findings, Summary } from '../audit/verify/findings.ts'
import { isBlobName } from '../blobs/blobs.ts'
import type { Config } from '../config.ts'
import { COPIED_TABLES } from '../database/postgres-copy.ts'
import { checkStored } from '../housekeeping/check-exchange.ts'
import { lockData, openBlobs, openData } from '../open-data.ts'
import { endAccess } from '../sessions/end-access.ts'
import { decrypted } from './age.ts'
import {
  CHECKPOINT_NAME,
  DATABASE_NAME,
  type End,
  type Head,
  objectName,
  ROWS_NAME
} from './archive.ts'
import { BackupError } from './backup-error.ts'
import { type Place, takePlace } from './restore-place.ts'
import type { TarEntry } from './tar.ts'
import { openArchive, type Verified } from './verified-files.ts'

const KEY_NAME = /^keys\/[a-z0-9][a-z0-9.-]*\.json$/
/** Objects that share one sync. */
const SYNC_MAX = 1000
/** Pieces are gathered before they go to the store, which writes each at once. */
const WRITE_BYTES = 1_048_576

export interface Restored {
  head: Head
  end: End
}

/**
 * Puts a backup into an empty place: objects first, the database last. Every file is held against the
 * digests in the backup as it comes, and the backup against its own end; if anything is wrong, all
 * that was written is removed. If it stops half-way, no service starts there, and it can be begun
 * again. `ownerUrl` is that of PostgreSQL for the owner of its tables, which must be there and empty.
 * Throws BackupError, which says what is wrong.
 */
export async function restore(
  config: Config,
  from: string,
  decrypter: Decrypter,
  progress: (objects: number, of: number, bytes: number) => void,
  signal: AbortSignal,
  ownerUrl?: string
): Promise<Restored> {
  // Its beginning is read before anything is made.
  const backup = await openArchive(decrypted(decrypter, from))
  try {
    requireSameKind(backup.head, config)
    const place = await takePlace(config, backup.head, ownerUrl)
    try {
      await fill(place, backup, progress, signal)
      const end = backup.end()
      if (end === undefined) throw new Error('The end of the backup was not read.')
      await place.finish()
      return { head: backup.head, end }
    } catch (err) {
      await place.giveUp()
      throw err
    }
  } finally {
    await backup.close()
  }
}

function requireSameKind({ database }: Head, { databaseUrl }: Config): void {
  const here = databaseUrl === undefined ? 'sqlite' : 'postgres'
  if (database === here) return
  throw new BackupError(
    database === 'sqlite'
      ? 'This is a backup of SQLite: restore it without DATABASE_URL.'
      : 'This is a backup of PostgreSQL: set DATABASE_URL and DATABASE_OWNER_URL.'
  )
}

async function fill(
  place: Place,
  backup: Verified,
  progress: (objects: number, of: number, bytes: number) => void,
  signal: AbortSignal
): Promise<void> {
  let names: string[] = []
  let objects = 0
  let bytes = 0
  let hasDatabase = false
  for await (const file of backup.files()) {
    if (signal.aborted) throw new BackupError('The restore was stopped. Nothing is left of it.')
    const blob = file.name.slice(file.name.lastIndexOf('/') + 1)
    if (file.name === DATABASE_NAME) {
      await place.writeDatabase(file.content)
      hasDatabase = true
    } else if (COPIED_TABLES.includes(ROWS_NAME.exec(file.name)?.[1] ?? '')) {
      await place.write(file.name, file.content)
      hasDatabase = true
    } else if (file.name === CHECKPOINT_NAME || KEY_NAME.test(file.name)) {
      await place.write(file.name, file.content)
    } else if (isBlobName(blob) && file.name === objectName(blob)) {
      await writeObject(place, blob, file, signal)
      names.push(blob)
      objects += 1
      bytes += file.bytes
      progress(objects, backup.head.counts.blobs ?? backup.head.counts.objects, bytes)
    } else {
      throw new BackupError('The backup holds a file that no backup of this release has.')
    }
    if (names.length === SYNC_MAX) {
      await place.blobs.sync(names)
      names = []
    }
  }
  await place.blobs.sync(names)
  if (!hasDatabase) throw new BackupError('The backup holds no database.')
}

async function writeObject(
  place: Place,
  name: string,
  { content }: TarEntry,
  signal: AbortSignal
): Promise<void> {
  const writer = await place.createObject(name)
  const gathered = Buffer.allocUnsafeSlow(WRITE_BYTES)
  let used = 0
  try {
    for await (const piece of content) {
      if (signal.aborted) throw new BackupError('The restore was stopped. Nothing is left of it.')
      for (let at = 0; at < piece.length; ) {
        const copied = piece.copy(gathered, used, at)
        at += copied
        used += copied
        if (used < WRITE_BYTES) continue
        await writer.write(gathered)
        used = 0
      }
    }
    if (used > 0) await writer.write(gathered.subarray(0, used))
    await writer.commit()
  } catch (err) {
    await writer.abort()
    throw err
  }
}

/**
 * Puts the restore on the log that was restored, ends what lets somebody in who may be out since (an
 * older release saved its sessions too), and then checks everything: the log against its
 * signatures and against the checkpoint that the backup was made with, then every object and field.
 * Resolves to what is wrong.
 */
export async function checkRestored(
  config: Config,
  { head, end }: Restored,
  findings: Findings,
  progress: (events: number, of: number) => void
): Promise<{ log: Summary; faults: string[] }> {
  const lock = lockData(config)
  try {
    const data = await openData(config)
    const blobs = await openBlobs(config)
    const disclosures = openDisclosures(data.database, data.audit, data.clock)
    try {
      await disclosures.recover()
      const details = {
        by: 'operator console',
        takenAt: head.takenAt,
        events: head.log.events,
        objects: end.objects,
        // They are on the log, and nobody will find them.
        draftsLeftOut: head.counts.drafts ?? 0
      }
      await data.database.write(async tx => {
        await endAccess(tx)
        await data.audit.append(tx, { action: 'data.restore', outcome: 'success', details })
      })
      const { checkpoint: note } = head.log
      const older = note === undefined ? [] : [{ name: 'The checkpoint in the backup', note }]
      return await checkStored({ ...data, blobs, disclosures }, older, findings, progress)
    } finally {
      await disclosures.close()
      await blobs.close()
      await data.close()
    }
  } finally {
    lock.release()
  }
}
