import { randomUUID } from 'node:crypto'
import { existsSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import Sqlite from 'better-sqlite3'
import type { Database, Snapshot } from './database.ts'
import { ownPlaces } from './places.ts'
import { migrateSqlite, requireSchema, schemaOfMigrations } from './sqlite-migrations.ts'
import { queriesOn } from './sqlite-queries.ts'
import { readSchema, schemaFaults } from './sqlite-schema.ts'
import { groupedWriter } from './sqlite-writer.ts'
import { checkpointsOf } from './wal-checkpoints.ts'

/** How many waiting writes share one commit at most. */
export const COMMIT_GROUP_MAX = 128

/**
 * The last two overwrite what is erased, where that costs no write, and make INSERT OR REPLACE fire
 * the triggers that protect rows from deletion.
 */
const PRAGMAS = [
  'journal_mode = WAL',
  'synchronous = FULL',
  'foreign_keys = ON',
  'secure_delete = FAST',
  'recursive_triggers = ON'
]

const DAMAGE_TOLD_MAX = 100

/** How long a write waits for a script that holds the file. */
const BUSY_MILLISECONDS = 5000

/**
 * Opens (and, when new, creates) the SQLite database and brings its tables up to date.
 * Durable: write-ahead log with `synchronous = FULL`, so a commit is on the disk when it returns.
 */
export function openSqlite(file: string, commitGroupMax = COMMIT_GROUP_MAX): Database {
  keepTemporaryFilesBeside(file)
  const writer = new Sqlite(file, { timeout: BUSY_MILLISECONDS })
  for (const pragma of PRAGMAS) writer.pragma(pragma)
  migrateSqlite(writer)
  requireSchema(writer)
  const reader = new Sqlite(file, { readonly: true, timeout: BUSY_MILLISECONDS })
  const snapshot = sharedSnapshot(reader)
  const wal = checkpointsOf(writer)
  const write = groupedWriter(writer, commitGroupMax, snapshot, wal)
  const read = queriesOn(reader)
  const run = randomUUID()
  return {
    run,
    // The lock keeps other services away, so whatever another run left is of an ended process.
    runs: async () => new Set([run]),
    get read() {
      snapshot.begin()
      return read
    },
    get snapshot() {
      return snapshot.begin()
    },
    write,
    check: () => write(async () => {}),
    clock: Date.now,
    takePlace: ownPlaces(),
    openSnapshot: async () => openSqliteSnapshot(file),
    async close() {
      await write(async () => {}).catch(() => {})
      await wal.close()
      snapshot.end()
      reader.close()
      writer.close()
    }
  }
}

/**
 * What SQLite cannot hold in memory, to undo a savepoint or to sort, goes into files without a name.
 * By itself it puts them into /var/tmp or /tmp, which a read-only root file system does not let it, and
 * which may be another disk, where what is overwritten here would lie on. The first database decides,
 * because a process has one; who has set SQLITE_TMPDIR has decided already.
 */
function keepTemporaryFilesBeside(file: string): void {
  process.env['SQLITE_TMPDIR'] ??= dirname(resolve(file))
}

/**
 * Opens what is stored at this moment for reading alone: nothing is written, and what a running
 * service writes meanwhile is not seen. Until `close`, its write-ahead log only grows. SQLite makes
 * the files -wal and -shm where there are none; those that it made are gone after `close`.
 * Throws the driver's error when there is no database or it cannot be read.
 */
export function openSqliteSnapshot(file: string): Snapshot {
  keepTemporaryFilesBeside(file)
  const options = { readonly: true, fileMustExist: true, timeout: BUSY_MILLISECONDS }
  const isAtRest = !existsSync(`${file}-wal`)
  const connection = new Sqlite(file, options)
  const close = () => {
    connection.close()
    if (isAtRest && existsSync(`${file}-wal`)) removeEmptyLog(file)
  }
  const damage = () =>
    connection
      .prepare<[], string>(`PRAGMA integrity_check(${DAMAGE_TOLD_MAX})`)
      .pluck()
      .all()
      .filter(told => told !== 'ok')
  try {
    // A transaction has its snapshot from its first read on.
    connection.exec('BEGIN; SELECT count(*) FROM sqlite_schema')
    return {
      read: queriesOn(connection),
      schemaFaults: async () => schemaFaults(readSchema(connection), schemaOfMigrations()),
      damage: async () => damage(),
      close: async () => close()
    }
  } catch (err) {
    close()
    throw err
  }
}

/**
 * A connection that may only read leaves behind what it made. One that may write removes it as it
 * closes, unless a service has begun to use it meanwhile; there is nothing in it, so nothing is
 * written to the database. Where it may not write, it leaves things as they are.
 */
function removeEmptyLog(file: string): void {
  try {
    const connection = new Sqlite(file, { fileMustExist: true, timeout: 0 })
    try {
      connection.exec('SELECT count(*) FROM sqlite_schema')
    } finally {
      connection.close()
    }
  } catch (err) {
    if (!(err instanceof Sqlite.SqliteError)) throw err
  }
}

interface SharedSnapshot {
  begin(): object
  end(): void
  endSoon(): void
}

/**
 * Lets all reads of one turn of the event loop share one snapshot. A read by itself takes locks and,
 * after every commit, reads its pages again, which costs more than the query. The snapshot ends with
 * the turn, and at once when this process commits, so no read misses what was acknowledged before it.
 * What is read right after a commit has a snapshot of its own (`endSoon`): commits come at the end of
 * a turn, and requests of the next may be of somebody to whom another process has acknowledged more.
 */
function sharedSnapshot(connection: Sqlite.Database): SharedSnapshot {
  const begin = connection.prepare('BEGIN')
  const commit = connection.prepare('COMMIT')
  let open: object | undefined
  function end(): void {
    if (open === undefined) return
    open = undefined
    commit.run()
  }
  return {
    begin() {
      if (open === undefined) {
        begin.run()
        open = {}
        setImmediate(end)
      }
      return open
    },
    end,
    // A tick comes when every promise that is settled has been followed as far as it goes.
    endSoon: () => process.nextTick(end)
  }
}

/**
 * Refuses a second service on the same data. The lock is a transaction held open on a file of its
 * own: the operating system lets go of it when the process ends, however it ends.
 * Returns undefined when another process holds it.
 */
export function lockForService(file: string): { release(): void } | undefined {
  const lock = new Sqlite(file, { timeout: 0 })
  try {
    lock.exec('BEGIN EXCLUSIVE')
  } catch (err) {
    lock.close()
    if (err instanceof Sqlite.SqliteError && err.code.startsWith('SQLITE_BUSY')) return undefined
    throw err
  }
  return { release: () => lock.close() }
}
