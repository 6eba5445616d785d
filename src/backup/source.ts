import { existsSync } from 'node:fs'
import { open, readdir, rm, stat, statfs } from 'node:fs/promises'
import { join } from 'node:path'
import { and, asc, count, eq, gt, isNull, ne, or, sql } from '../../schemas/drizzle.ts'
import { logState } from '../audit/tree/log-state.ts'
import type { Queries } from '../database/database.ts'
import { openPostgresCopy } from '../database/postgres-copy.ts'
import { openSqliteSnapshot } from '../database/sqlite.ts'
import { copySqlite } from '../database/sqlite-copy.ts'
import { dataPaths } from '../open-data.ts'
import { readPrivateFile } from '../sealing/private-file.ts'
import { type ArchiveFile, DATABASE_NAME, fileOf, type Head, keyName, rowsName } from './archive.ts'
import { BackupError } from './backup-error.ts'

const READ_BYTES = 1_048_576
/** Rows read at once. */
const ROWS_MAX = 1000
/** Key files, and not what a crash left beside them. */
const KEY_FILE = /^[a-z0-9][a-z0-9.-]*\.json$/

/** The database as it was at one moment. */
export interface Source {
  read: Queries
  /** Of PostgreSQL: what its tables are. A SQLite file says so itself. */
  migrations?: string[]
  /** Its files in the archive. */
  files(): AsyncGenerator<ArchiveFile>
  close(): Promise<void>
}

/**
 * Copies the SQLite database within its own directory, where nobody else may read it, for as long as
 * the backup takes. What an earlier backup left there is replaced. Throws BackupError when there is
 * not room for it besides what the service needs.
 */
export async function copyDatabase(directory: string, freeBytesMin: number): Promise<Source> {
  const { database } = dataPaths(directory)
  const copy = join(directory, 'backup.db')
  await rm(copy, { force: true })
  const wal = existsSync(`${database}-wal`) ? (await stat(`${database}-wal`)).size : 0
  const { bavail, bsize } = await statfs(directory)
  if (bavail * bsize - (await stat(database)).size - wal < freeBytesMin) {
    throw new BackupError('The disk of the data has no room for a copy of the database.')
  }
  try {
    copySqlite(database, copy)
    const snapshot = openSqliteSnapshot(copy)
    return {
      read: snapshot.read,
      async *files() {
        yield await diskFile(DATABASE_NAME, copy)
      },
      async close() {
        await snapshot.close()
        await rm(copy, { force: true })
      }
    }
  } catch (err) {
    await rm(copy, { force: true })
    throw err
  }
}

/** PostgreSQL as it is at this moment: rows of one table after the other. */
export async function copyPostgres(url: string): Promise<Source> {
  const copy = await openPostgresCopy(url)
  return {
    read: copy.read,
    migrations: copy.migrations,
    async *files() {
      let [last, n] = ['', 0]
      for await (const { table, text } of copy.rows()) {
        n = table === last ? n + 1 : 1
        last = table
        yield fileOf(rowsName(table, n), text)
      }
    },
    close: copy.close
  }
}

async function diskFile(name: string, path: string): Promise<ArchiveFile> {
  return { name, bytes: (await stat(path)).size, content: contentOf(path) }
}

async function* contentOf(path: string): AsyncGenerator<Uint8Array> {
  const file = await open(path, 'r')
  try {
    for (;;) {
      const piece = new Uint8Array(READ_BYTES)
      const { bytesRead } = await file.read(piece, 0, READ_BYTES, null)
      if (bytesRead === 0) return
      yield piece.subarray(0, bytesRead)
    }
  } finally {
    await file.close()
  }
}

/** Every key file. Throws SealError when one can be read by others. */
export async function readKeyFiles(directory: string): Promise<ArchiveFile[]> {
  const keys = join(directory, 'keys')
  const names = (await readdir(keys)).filter(name => KEY_FILE.test(name)).sort()
  return await Promise.all(
    names.map(async name => fileOf(keyName(name), await readPrivateFile(join(keys, name))))
  )
}

/** What the database says of itself. */
export async function readCounts(read: Queries): Promise<Pick<Head, 'counts' | 'log'>> {
  const { organisations, cases, records, objects, objectSegments, shares } = read.tables
  const n = { n: count() }
  const { blob } = objects
  const only = async (rows: PromiseLike<{ n: number }[]>) => (await rows)[0]?.n ?? 0
  return {
    counts: {
      organisations: await only(read.select(n).from(organisations)),
      cases: await only(read.select(n).from(cases)),
      records: await only(read.select(n).from(records)),
      objects: await only(read.select(n).from(objects)),
      blobs:
        (await only(read.select({ n: count(blob) }).from(objects))) +
        (await only(read.select(n).from(objectSegments))),
      shares: await only(read.select(n).from(shares))
    },
    log: await logState(read)
  }
}

/** Whether the record of an object has no key any more. */
export async function wasErased(read: Queries, objectId: string): Promise<boolean> {
  const { objects, erasedRecords } = read.tables
  const rows = await read
    .select({ id: objects.id })
    .from(objects)
    .innerJoin(erasedRecords, eq(erasedRecords.recordId, objects.recordId))
    .where(eq(objects.id, objectId))
  return rows.length > 0
}

/** One sealed blob that the backup is to hold. `bytes` are those of its plaintext. */
export interface StoredBlob {
  /** The object that it is, or is a segment of. */
  id: string
  blob: string
  bytes: number
}

/**
 * Every blob of the objects of the database, some at a time, but for those that were infected and are
 * gone, those of erased records, and pseudonymised copies whose share had ended: housekeeping may be
 * removing those.
 */
export async function* blobRows(read: Queries, takenAt: number): AsyncGenerator<StoredBlob> {
  const { objects, objectSegments, records, shares } = read.tables
  const { id, blob, bytes } = objects
  for (let last = ''; ; ) {
    const rows = await read
      .select({ id, blob, bytes })
      .from(objects)
      .innerJoin(records, eq(records.id, objects.recordId))
      .leftJoin(shares, eq(shares.id, records.copyFor))
      .where(
        and(
          gt(id, last),
          ne(objects.scan, 'infected'),
          sql`length(${records.wrappedKey}) > 0`,
          or(isNull(records.copyFor), and(isNull(shares.revokedAt), gt(shares.expiresAt, takenAt)))
        )
      )
      .orderBy(asc(id))
      .limit(ROWS_MAX)
    for (const row of rows) if (row.blob !== null) yield { ...row, blob: row.blob }
    if (rows.length < ROWS_MAX) break
    last = rows.at(-1)?.id ?? ''
  }
  for (let last = ''; ; ) {
    const rows = await read
      .select({
        id: objectSegments.objectId,
        blob: objectSegments.blob,
        bytes: objectSegments.bytes
      })
      .from(objectSegments)
      .innerJoin(objects, eq(objects.id, objectSegments.objectId))
      .innerJoin(records, eq(records.id, objects.recordId))
      .where(
        and(
          gt(objectSegments.blob, last),
          ne(objects.scan, 'infected'),
          sql`length(${records.wrappedKey}) > 0`
        )
      )
      .orderBy(asc(objectSegments.blob))
      .limit(ROWS_MAX)
    yield* rows
    if (rows.length < ROWS_MAX) return
    last = rows.at(-1)?.blob ?? ''
  }
}
