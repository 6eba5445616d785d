import { existsSync } from 'node:fs'
import { mkdir, readdir, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { CHECKPOINT_NAME } from '../backup/archive.ts'
import { syncDirectory, writePrivateFile } from '../backup/restore-place.ts'
import { readKeyFiles } from '../backup/source.ts'
import type { Blobs } from '../blobs/blobs.ts'
import type { Config } from '../config.ts'
import { markPath } from '../data-marks.ts'
import type { Snapshot } from '../database/database.ts'
import { migrationFiles } from '../database/migration-files.ts'
import { openPostgresSnapshot } from '../database/postgres.ts'
import { loadPostgres, lookAtPostgres } from '../database/postgres-copy.ts'
import { lockForService, openSqliteSnapshot } from '../database/sqlite.ts'
import { copySqlite } from '../database/sqlite-copy.ts'
import { openSqliteRows } from '../database/sqlite-rows.ts'
import { dataPaths, openBlobs } from '../open-data.ts'
import { forgetBrought } from './brought.ts'
import { MoveError } from './move-error.ts'
import { type MovingMark, readMark, writeMark } from './move-marks.ts'
import type { MoveSource } from './move-source.ts'
import { continues, type LastEvent } from './queries.ts'

const LOCK_FILE = /^service\.lock/
const COMING = '.coming'

/** Where the data go. No service starts there before the move has ended. */
export interface MoveTarget {
  mark: MovingMark
  blobs: Blobs
  /** Whether an earlier run has brought the rows. */
  isLoaded: boolean
  close(): Promise<void>
}

/** How a target is addressed. */
export interface TargetPlace {
  config: Config
  /** Of PostgreSQL, for the owner of its tables. */
  ownerUrl: string | undefined
}

/**
 * Throws MoveError unless there is nothing at the target, or only what an earlier run of the same move
 * has left: resolves to its mark, and to whether it came as far as the rows.
 */
export async function lookAtTarget(
  { config, ownerUrl }: TargetPlace,
  source: MoveSource
): Promise<{ mark: MovingMark | undefined; hasRows: boolean }> {
  const directory = config.dataDirectory
  const mark = existsSync(directory) ? await readMark(directory, 'moving') : undefined
  if (mark === undefined && existsSync(directory)) {
    const found = (await readdir(directory)).filter(name => !LOCK_FILE.test(name))
    if (found.length > 0) throw new MoveError('CONSILIUM_DATA is not empty.')
  }
  if (mark !== undefined && mark.log !== source.log) {
    throw new MoveError('CONSILIUM_DATA holds what a move of other data has left.')
  }
  if (source.moved !== undefined && source.moved.id !== mark?.id) {
    throw new MoveError(
      'These data were moved already, or a move of them to another place has begun: moved.json says where to.'
    )
  }
  const hasRows = await holdsRows(config, ownerUrl)
  if (mark === undefined && hasRows) throw new MoveError('The database is not empty.')
  return { mark, hasRows }
}

/** Whether there is a database with rows in it. Throws MoveError when it has not our tables. */
async function holdsRows(config: Config, ownerUrl: string | undefined): Promise<boolean> {
  if (ownerUrl === undefined) return existsSync(dataPaths(config.dataDirectory).database)
  const found = await lookAtPostgres(ownerUrl)
  const wanted = migrationFiles('postgres').map(({ name, sha256 }) => `${name} ${sha256}`)
  if (found === undefined || found.migrations.join() !== wanted.join()) {
    throw new MoveError(
      'The tables of this release are not in the database. Run npm run migrate-database.'
    )
  }
  return !found.isEmpty
}

/** Takes the target for itself, and marks it. Throws MoveError where anything is in the way. */
export async function takeTarget(
  place: TargetPlace,
  source: MoveSource,
  last: LastEvent | undefined,
  begins: MovingMark
): Promise<MoveTarget> {
  const { config } = place
  await lookAtTarget(place, source)
  await mkdir(config.dataDirectory, { recursive: true, mode: 0o700 })
  const lock = lockForService(dataPaths(config.dataDirectory).lock)
  if (lock === undefined) throw new MoveError('Something else is using CONSILIUM_DATA.')
  try {
    const { mark: left, hasRows } = await lookAtTarget(place, source)
    if (hasRows) await requireContinued(config, last)
    const mark = left ?? begins
    if (left === undefined) await writeMark(config.dataDirectory, 'moving', mark)
    const blobs = await openStore(config, left === undefined).catch(async err => {
      // Nothing was brought yet, so nothing of ours may be taken for an earlier run.
      if (left === undefined) await rm(markPath(config.dataDirectory, 'moving'))
      throw err
    })
    const close = async () => {
      await blobs.close()
      lock.release()
    }
    return { mark, blobs, isLoaded: hasRows, close }
  } catch (err) {
    lock.release()
    throw err
  }
}

async function openStore(config: Config, mustBeEmpty: boolean): Promise<Blobs> {
  const blobs = await openBlobs(config)
  try {
    await blobs.sweepUnfinished(true)
    if (mustBeEmpty) await requireEmptyStore(blobs)
    return blobs
  } catch (err) {
    await blobs.close()
    throw err
  }
}

/** Throws MoveError when there is any object. */
export async function requireEmptyStore(blobs: Blobs): Promise<void> {
  for await (const _ of blobs.list()) {
    throw new MoveError('The store holds objects already. Choose an empty bucket or prefix.')
  }
}

function openTarget({ dataDirectory, databaseUrl }: Config): Promise<Snapshot> {
  if (databaseUrl !== undefined) return openPostgresSnapshot(databaseUrl)
  return Promise.resolve(openSqliteSnapshot(dataPaths(dataDirectory).database))
}

/** Throws MoveError unless the log of the target is that of the source as far as that goes. */
export async function requireContinued(config: Config, last: LastEvent | undefined): Promise<void> {
  const { read, close } = await openTarget(config)
  try {
    if (await continues(read, last)) return
  } finally {
    await close()
  }
  throw new MoveError(
    'The database of the target does not hold the log that is moved, or not all of it. Empty it, if nothing in it is needed.'
  )
}

/** Puts key files and the copy of the checkpoint in the place of those of an earlier run. */
export async function putKeys(source: MoveSource, { dataDirectory }: Config, copy?: string) {
  await rm(join(dataDirectory, 'keys'), { recursive: true, force: true })
  await rm(join(dataDirectory, CHECKPOINT_NAME), { force: true })
  for (const { name, content } of await readKeyFiles(source.directory)) {
    await writePrivateFile(join(dataDirectory, name), content)
  }
  if (copy === undefined) return
  await writePrivateFile(join(dataDirectory, CHECKPOINT_NAME), [Buffer.from(copy)])
}

/**
 * Brings all rows, in one transaction or under one new name: if it stops half-way there are none.
 * Resolves to how many there were.
 */
export async function putRows(
  source: MoveSource,
  { config, ownerUrl }: TargetPlace,
  progress: (rows: number, of: number) => void
): Promise<number> {
  const rows = openSqliteRows(source.database)
  try {
    if (ownerUrl !== undefined) {
      const parts = counted(rows.rows(), done => progress(done, rows.count))
      if (!(await loadPostgres(ownerUrl, parts))) throw new MoveError('The database is not empty.')
    } else {
      const { database, directory } = dataPaths(config.dataDirectory)
      copySqlite(source.database, database + COMING)
      await rename(database + COMING, database)
      await syncDirectory(directory)
    }
    return rows.count
  } finally {
    rows.close()
  }
}

async function* counted<Part extends { count: number }>(
  parts: AsyncIterable<Part>,
  told: (done: number) => void
): AsyncGenerator<Part> {
  let done = 0
  for await (const part of parts) {
    yield part
    done += part.count
    told(done)
  }
}

/** From now on a service starts there. */
export async function openToServices({ dataDirectory }: Config): Promise<void> {
  await forgetBrought(dataDirectory)
  await rm(markPath(dataDirectory, 'moving'))
  await syncDirectory(dataDirectory)
  await syncDirectory(dirname(dataDirectory))
}
