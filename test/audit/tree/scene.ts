import { existsSync } from 'node:fs'
import { join } from 'node:path'
import Sqlite from 'better-sqlite3'
import type { Test } from 'tap'
import { asc } from '../../../schemas/drizzle.ts'
import type { AuditLog } from '../../../src/audit/log.ts'
import { type Checkpoint, openCheckpoint } from '../../../src/audit/tlog/checkpoint.ts'
import { noteVerifier, parseVerifierKey } from '../../../src/audit/tlog/note.ts'
import { readThroughTiles, tilesOf } from '../../../src/audit/tlog/tiles.ts'
import { frontier, HASH_BYTES, leafHash, rootAt } from '../../../src/audit/tlog/tree.ts'
import { type LogTree, openLogTree } from '../../../src/audit/tree/log-tree.ts'
import { createLogKeys, type LogKeys, openLogKeys } from '../../../src/audit/tree/signing-keys.ts'
import type { Database } from '../../../src/database/database.ts'
import { dataPaths } from '../../../src/open-data.ts'
import { openDatabase } from '../../../src/open-database.ts'
import { openTestData, type TestData } from '../../helpers/data.ts'
import { dropTriggers } from '../../helpers/triggers.ts'

const ORIGIN = 'exchange.example/v1/audit'

export interface TreeStage {
  data: TestData
  copyPath: string
  databasePath: string
  keysPath: string
  /** Opens the same database once more, as another process does. Closed with the test. */
  openAnother(): Promise<Database>
  /** Failures the tree told of. */
  failures: unknown[]
  /** Opens the tree, as every start of the service does. Closed with the test. */
  open(change?: {
    database?: Database
    audit?: AuditLog
    copyPath?: string
    keys?: LogKeys
  }): Promise<LogTree>
}

/** A database with an access log, and a tree that can be opened over it with a clock of its own. */
export async function treeStage(t: Test, clock?: () => number): Promise<TreeStage> {
  const data = await openTestData(t)
  const copyPath = join(data.directory, 'checkpoint')
  const keysPath = join(data.directory, 'keys', 'audit-log.json')
  await createLogKeys(keysPath, ORIGIN, '2026-11-22T00:00:00.000Z')
  const failures: unknown[] = []
  return {
    data,
    copyPath,
    databasePath: dataPaths(data.directory).database,
    keysPath,
    async openAnother() {
      const { databaseUrl } = data.stored
      const path = dataPaths(data.directory).database
      const another = await openDatabase({ databaseUrl, limits: data.limits }, path)
      t.teardown(() => another.close())
      return another
    },
    failures,
    async open(change = {}) {
      const tree = await openLogTree({
        database: data.database,
        audit: data.audit,
        keys: await openLogKeys(keysPath),
        copyPath,
        clock: clock ?? data.clock,
        onFailure: err => void failures.push(err),
        ...change
      })
      t.teardown(() => tree.close())
      return tree
    }
  }
}

/** Puts events on the log in one transaction. */
export async function append(
  { database, audit }: Pick<TestData, 'database' | 'audit'>,
  events: number
): Promise<string[]> {
  return database.write(async tx => {
    const ids: string[] = []
    for (let n = 0; n < events; n += 1) {
      ids.push(await audit.append(tx, { action: 'case.list', outcome: 'success', details: { n } }))
    }
    return ids
  })
}

/** Every leaf in its order. Fails the test when a place is empty. */
export async function leavesOf(t: Test, database: Database): Promise<Buffer[]> {
  const { auditEvents } = database.read.tables
  const rows = await database.read
    .select({ idx: auditEvents.idx, leaf: auditEvents.leaf })
    .from(auditEvents)
    .orderBy(asc(auditEvents.idx))
  const astray = rows.find((row, n) => row.idx !== n)
  if (astray !== undefined) t.fail(`event ${astray.idx} is not in its place`)
  return rows.map(row => row.leaf)
}

/** The root of the first `size` leaves, from the leaves alone. */
export function rootOf(leaves: Buffer[], size = leaves.length): Buffer {
  const tree = frontier()
  for (const leaf of leaves.slice(0, size)) tree.add(leafHash(leaf))
  return tree.root()
}

/** Opens a checkpoint with verifier keys alone, as somebody outside does. */
export function opened(note: string, vkeys: string[]): Checkpoint {
  const keys = vkeys.map(parseVerifierKey)
  return openCheckpoint(note, keys[0]?.name ?? '', keys.map(noteVerifier))
}

/** Expects the stored tiles to be just those of the first `size` leaves, and the checkpoint theirs. */
export async function assertTree(t: Test, database: Database, tree: LogTree, size: number) {
  const checkpoint = tree.checkpoint()
  const vkeys = tree.keys.keys.map(({ vkey }) => vkey)
  const signed = opened(checkpoint?.note ?? '', vkeys)
  const leaves = await leavesOf(t, database)
  t.equal(leaves.length, size, `${size} events`)
  t.equal(checkpoint?.size, size, 'the whole log is signed')
  t.same(signed, { origin: tree.keys.origin, size, root: rootOf(leaves) }, 'with the right root')

  const rows = await database.read.select().from(database.read.tables.auditTiles)
  const stored = new Map(rows.map(row => [`${row.level}/${row.idx}`, row.hashes]))
  const wanted = [...tilesOf(size)]
  t.strictSame([...stored.keys()].sort(), wanted.map(tile => `${tile.level}/${tile.index}`).sort())
  for (const { level, index, width } of wanted) {
    const hashes = stored.get(`${level}/${index}`)
    if (hashes?.length !== width * HASH_BYTES) t.fail(`tile ${level}/${index} has another width`)
  }
  const read = readThroughTiles(size, async ({ level, index }) => {
    return stored.get(`${level}/${index}`) ?? Buffer.alloc(0)
  })
  t.ok((await rootAt(size, read)).equals(signed.root), 'the tiles make the same root')
}

/** Changes the database as a hand in it would: past every trigger. */
export function tamper(databasePath: string, ...statements: string[]): void {
  if (!existsSync(databasePath)) throw new Error('There is no database.')
  const database = new Sqlite(databasePath)
  try {
    const restoreTriggers = dropTriggers(database)
    for (const statement of statements) database.exec(statement)
    restoreTriggers()
  } finally {
    database.close()
  }
}
