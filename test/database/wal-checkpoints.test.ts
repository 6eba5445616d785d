import { randomBytes } from 'node:crypto'
import { renameSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import Sqlite from 'better-sqlite3'
import t from 'tap'
import type { Database } from '../../src/database/database.ts'
import { openSqlite } from '../../src/database/sqlite.ts'

const MIB = 1024 ** 2
const TILE_BYTES = 8192
/** Written in one commit each, so that a commit is about a quarter of a MiB. */
const TILES_PER_COMMIT = 32

function openIn(directory: string) {
  const file = join(directory, 'x.db')
  return { file, database: openSqlite(file), walBytes: () => sizeOf(`${file}-wal`) }
}

const sizeOf = (file: string): number => statSync(file, { throwIfNoEntry: false })?.size ?? 0

/** One commit that writes its pages in as many new places of the file. */
async function commit(database: Database, level: number): Promise<void> {
  await database.write(async tx => {
    const rows = Array.from({ length: TILES_PER_COMMIT }, (_, idx) => ({
      level,
      idx,
      hashes: randomBytes(TILE_BYTES)
    }))
    await tx.insert(tx.tables.auditTiles).values(rows)
  })
}

async function countTiles({ read }: Database): Promise<number> {
  const tiles = await read
    .select({ level: read.tables.auditTiles.level })
    .from(read.tables.auditTiles)
  return tiles.length
}

t.test('however much is written without a rest, the write-ahead log stays short', async t => {
  const { file, database, walBytes } = openIn(t.testdir())
  const commits = 800
  let longest = 0
  for (let n = 0; n < commits; n += 1) {
    await commit(database, n)
    longest = Math.max(longest, walBytes())
  }
  t.ok(sizeOf(file) > 100 * MIB, 'it was copied into the file')
  t.ok(longest <= 144 * MIB, `${Math.round(longest / MIB)} MiB at its longest`)
  t.equal(await countTiles(database), commits * TILES_PER_COMMIT)
  await database.close()
  t.equal(walBytes(), 0, 'the last connection leaves none behind')
})

t.test('the log is begun again once it was copied', async t => {
  const { database, walBytes } = openIn(t.testdir())
  for (let n = 0; n < 100; n += 1) await commit(database, n)
  const before = walBytes()
  for (let n = 100; n < 400; n += 1) {
    await commit(database, n)
    await pause(2) // The thread has time enough.
  }
  t.ok(walBytes() < before + 40 * MIB, 'of the 75 MiB written since, most went over the first')
  await database.close()
})

t.test('closed in the middle of it, everything is there', async t => {
  const { file, database } = openIn(t.testdir())
  const commits = 70
  for (let n = 0; n < commits; n += 1) await commit(database, n)
  await database.close()
  const again = openSqlite(file)
  t.equal(await countTiles(again), commits * TILES_PER_COMMIT)
  await again.close()
})

t.test('without its thread the database goes on as SQLite does by itself', async t => {
  const { file, database } = openIn(t.testdir())
  await commit(database, 0)
  // The thread looks for the file by its name; the connections that are open do not.
  renameSync(file, `${file}-moved`)
  const commits = 200
  for (let n = 1; n < commits; n += 1) await commit(database, n)
  await pause(200)
  renameSync(`${file}-moved`, file)
  await commit(database, commits)
  t.equal(await countTiles(database), (commits + 1) * TILES_PER_COMMIT)
  t.ok(sizeOf(file) > 20 * MIB, 'commits copy what they wrote')
  await database.close()
})

t.test('a disk that has no room to copy into does not end the process', async t => {
  // Given a file that cannot grow, when what is left for this thread to copy is copied
  const { database } = openIn(t.testdir())
  const { pragma } = Sqlite.prototype
  let failed = 0
  t.teardown(() => Object.assign(Sqlite.prototype, { pragma }))
  Object.assign(Sqlite.prototype, {
    pragma(this: Sqlite.Database, source: string, options?: Sqlite.PragmaOptions) {
      if (source !== 'wal_checkpoint(PASSIVE)') return pragma.call(this, source, options)
      failed += 1
      throw new Sqlite.SqliteError('database or disk is full', 'SQLITE_FULL')
    }
  })
  // When more is written
  let commits = 0
  for (; failed === 0 && commits < 1000; commits += 1) {
    await commit(database, commits)
    await pause(2)
  }
  t.equal(failed, 1, 'it was tried')
  // Then commits go on as long as there is room for them
  for (let n = 0; n < 5; n += 1, commits += 1) await commit(database, commits)
  t.equal(await countTiles(database), commits * TILES_PER_COMMIT)
  await database.close()
})
