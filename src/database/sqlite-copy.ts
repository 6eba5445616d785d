import { closeSync, openSync, rmSync } from 'node:fs'
import Sqlite from 'better-sqlite3'

/** How long the copy waits for a script that holds the file. */
const BUSY_MILLISECONDS = 5000

/**
 * Uploads under way come and go, with their blobs, while a backup is made; and a copy lets nobody in who
 * was signed in when it was made.
 */
const NOT_COPIED = ['upload_segments', 'uploads', 'drafts', 'sessions', 'ceremonies']

/**
 * Copies a SQLite database as it is at this moment into a new private file, also while a service
 * writes to it: the service never waits, but until the copy is whole its write-ahead log only grows.
 * What was overwritten or erased is not in the copy (sqlite.org/lang_vacuum, "VACUUM with an INTO
 * clause"), nor is what is still arriving. Blocks this process until it is done.
 */
export function copySqlite(file: string, target: string): void {
  rmSync(target, { force: true })
  // Made here, because SQLite would make it readable for whomever the umask lets.
  closeSync(openSync(target, 'wx', 0o600))
  const options = { readonly: true, fileMustExist: true, timeout: BUSY_MILLISECONDS }
  const connection = new Sqlite(file, options)
  try {
    connection.prepare('VACUUM INTO ?').run(target)
  } finally {
    connection.close()
  }
  leaveOut(target)
}

/** In place and without a journal: whoever is stopped here has no copy, and makes another. */
function leaveOut(target: string): void {
  const copy = new Sqlite(target)
  try {
    copy.pragma('journal_mode = OFF')
    copy.pragma('secure_delete = ON')
    for (const table of NOT_COPIED) copy.prepare(`DELETE FROM ${table}`).run()
  } finally {
    copy.close()
  }
}

/**
 * Keeps everybody from writing to a SQLite database until `release`, scripts that have opened it
 * before among them. Nothing is written. The system lets go of it when this process ends. Undefined
 * when somebody else has held it for too long.
 */
export function holdSqlite(file: string): { release(): void } | undefined {
  const connection = new Sqlite(file, { fileMustExist: true, timeout: BUSY_MILLISECONDS })
  try {
    connection.exec('BEGIN IMMEDIATE')
  } catch (err) {
    connection.close()
    if (err instanceof Sqlite.SqliteError && err.code.startsWith('SQLITE_BUSY')) return undefined
    throw err
  }
  return { release: () => void connection.close() }
}
