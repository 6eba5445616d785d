import { existsSync } from 'node:fs'
import { mkdir, open, readdir, readFile, rename, rm, rmdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Blobs, BlobWriter } from '../blobs/blobs.ts'
import type { Config } from '../config.ts'
import {
  COPIED_TABLES,
  loadPostgres,
  lookAtPostgres,
  type RowsPart
} from '../database/postgres-copy.ts'
import { lockForService } from '../database/sqlite.ts'
import { dataPaths, openBlobs } from '../open-data.ts'
import { createPrivateFile } from '../sealing/private-file.ts'
import { CHECKPOINT_NAME, DATABASE_NAME, type Head } from './archive.ts'
import { BackupError } from './backup-error.ts'

/** How the database is called until everything else is there. */
const COMING = '.coming'
const PRIVATE_MODE = 0o600
const LOCK_FILE = /^service\.lock/

/** An empty place that is being filled. Until `finish`, no service starts there. */
export interface Place {
  blobs: Pick<Blobs, 'sync'>
  createObject(name: string): Promise<BlobWriter>
  /** Makes a private file below the directory, on the disk when it resolves. */
  write(name: string, content: AsyncIterable<Uint8Array>): Promise<void>
  /** The same for the database, which gets its name last. */
  writeDatabase(content: AsyncIterable<Uint8Array>): Promise<void>
  finish(): Promise<void>
  /** Removes everything that was written. */
  giveUp(): Promise<void>
}

/**
 * Takes an empty data directory and an empty store. A directory that an earlier restore left
 * half-filled is emptied first: nothing else can be in it, because it was empty and no service starts
 * there. Throws BackupError where anything else is.
 */
export async function takePlace(
  config: Config,
  { migrations = [] }: Pick<Head, 'migrations'>,
  ownerUrl?: string
): Promise<Place> {
  const paths = dataPaths(config.dataDirectory)
  // Before the lock, which is a file in the directory.
  if (existsSync(paths.directory)) await requireEmptyOrLeft(config)
  if (ownerUrl !== undefined) await requireUnused(ownerUrl, migrations)
  const made = await mkdir(paths.directory, { recursive: true, mode: 0o700 })
  const lock = lockForService(paths.lock)
  if (lock === undefined) throw new BackupError('A service or a restore is using that directory.')
  const leave = async () => {
    lock.release()
    if (made !== undefined) {
      await rm(paths.lock, { force: true })
      await rmdir(paths.directory).catch(() => {})
    }
  }
  try {
    const isLeft = await requireEmptyOrLeft(config)
    // Opening a store on the disk makes its directories, so the mark comes first.
    if (isLeft) await removeFiles(config, true)
    else await createPrivateFile(paths.restoring, '{}\n')
    const blobs = await openBlobs(config)
    try {
      await requireEmptyStore(blobs)
    } catch (err) {
      await blobs.close()
      if (!isLeft) await removeFiles(config)
      throw err
    }
    return placeOf(config, ownerUrl, blobs, leave, lock.release)
  } catch (err) {
    await leave()
    throw err
  }
}

/** Whether an earlier restore left something. */
async function requireEmptyOrLeft(config: Config): Promise<boolean> {
  const { directory, restoring } = dataPaths(config.dataDirectory)
  if (existsSync(restoring)) return true
  const found = (await readdir(directory)).filter(name => !LOCK_FILE.test(name))
  if (found.length === 0) return false
  throw new BackupError('The directory is not empty. A restore never touches what is there.')
}

/**
 * Objects in a bucket that a killed restore left are not removed: since then another exchange may have
 * been restored there, under the same names.
 */
async function requireEmptyStore(blobs: Blobs): Promise<void> {
  for await (const _ of blobs.list()) {
    throw new BackupError(
      'The store holds objects already. Choose an empty bucket or prefix; what a killed restore left there is yours to remove.'
    )
  }
}

/** All that a restore writes, and what SQLite puts beside it. */
async function removeFiles(config: Config, keepMark = false): Promise<void> {
  const { directory, restoring } = dataPaths(config.dataDirectory)
  const database = ['', COMING, '-wal', '-shm', '-journal'].map(end => DATABASE_NAME + end)
  for (const name of ['objects', 'keys', 'database', CHECKPOINT_NAME, ...database]) {
    await rm(join(directory, name), { recursive: true, force: true })
  }
  if (!keepMark) await rm(restoring, { force: true })
}

function placeOf(
  config: Config,
  ownerUrl: string | undefined,
  blobs: Blobs,
  leave: () => Promise<void>,
  release: () => void
): Place {
  const { directory, restoring } = dataPaths(config.dataDirectory)
  const place = (name: string) => join(directory, name)
  // In a bucket, that these alone are removed is worth their memory.
  const written: string[] = []
  return {
    blobs,
    createObject(name) {
      if (config.s3 !== undefined) written.push(name)
      return blobs.create(name)
    },
    write: (name, content) => writePrivateFile(place(name), content),
    writeDatabase: content => writePrivateFile(place(DATABASE_NAME + COMING), content),
    async finish() {
      await blobs.close()
      if (ownerUrl === undefined) {
        await rename(place(DATABASE_NAME + COMING), place(DATABASE_NAME))
      } else {
        if (!(await loadPostgres(ownerUrl, storedRows(place('database'))))) throw usedDatabase()
        await rm(place('database'), { recursive: true })
      }
      await syncDirectory(directory)
      await rm(restoring)
      await syncDirectory(directory)
      await syncDirectory(dirname(directory))
      release()
    },
    async giveUp() {
      for (const name of written) await blobs.remove(name)
      await blobs.close()
      await removeFiles(config)
      await leave()
    }
  }
}

/** What was written of the tables, in the order in which they must be loaded. */
async function* storedRows(directory: string): AsyncGenerator<RowsPart> {
  for (const table of COPIED_TABLES) {
    const parts = join(directory, table)
    for (const name of existsSync(parts) ? (await readdir(parts)).sort() : []) {
      yield { table, text: await readFile(join(parts, name), 'utf8') }
    }
  }
}

async function requireUnused(ownerUrl: string, migrations: string[]): Promise<void> {
  const found = await lookAtPostgres(ownerUrl)
  if (found === undefined || found.migrations.join() !== migrations.join()) {
    throw new BackupError(
      'The database has not the tables of the backup. Run npm run migrate-database of the release that made it on an empty database.'
    )
  }
  if (!found.isEmpty) throw usedDatabase()
}

function usedDatabase(): BackupError {
  return new BackupError('The database is not empty. A restore never touches what is there.')
}

/** Makes a private file, and its directory where there is none, on the disk when it resolves. */
export async function writePrivateFile(
  path: string,
  content: AsyncIterable<Uint8Array> | Iterable<Uint8Array>
): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 })
  const file = await open(path, 'wx', PRIVATE_MODE)
  try {
    for await (const piece of content) await file.writeFile(piece)
    await file.sync()
  } finally {
    await file.close()
  }
  await syncDirectory(dirname(path))
}

/** Makes durable which files are in a directory. */
export async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r')
  await directory.sync().finally(() => directory.close())
}
