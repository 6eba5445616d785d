import { type KeyObject, randomBytes } from 'node:crypto'
import { copyFileSync, cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import Sqlite from 'better-sqlite3'
import type { Test } from 'tap'
import { v7 as uuidv7 } from 'uuid'
import { eq } from '../../../schemas/drizzle.ts'
import { commitmentTo, leafBytes, sealDetails } from '../../../src/audit/entry.ts'
import { eraseDetails } from '../../../src/audit/erase.ts'
import { signCheckpoint } from '../../../src/audit/tlog/checkpoint.ts'
import { parseVerifierKey } from '../../../src/audit/tlog/note.ts'
import { edgeRoot, grow } from '../../../src/audit/tlog/tiles.ts'
import { leafHash } from '../../../src/audit/tlog/tree.ts'
import { LogFault } from '../../../src/audit/tree/log-fault.ts'
import { openLogTree } from '../../../src/audit/tree/log-tree.ts'
import { openLogKeys } from '../../../src/audit/tree/signing-keys.ts'
import { type Known, verifyDirectory } from '../../../src/audit/verify/directory.ts'
import { type Summary, tellFindings } from '../../../src/audit/verify/findings.ts'
import { ConfigError } from '../../../src/config.ts'
import { dataPaths, openData, prepareData, readSigningKeys } from '../../../src/open-data.ts'
import { startExchange, type TestExchange } from '../../helpers/exchange.ts'
import { dropTriggers } from '../../helpers/triggers.ts'
import { liveliness } from '../scene.ts'
import { QUIET } from './tampering.ts'

/** Quiet events before the lively ones, so that the tree has more than one tile of leaves. */
const QUIET_EVENTS = 300

/** A data directory at rest after a lively flow, of which tests take copies. */
export interface LivelyLog {
  exchange: TestExchange
  scene: Awaited<ReturnType<typeof liveliness>>
  /** The database as it was before the lively flow, and the checkpoint of then. */
  yesterday: { database: string; checkpoint: string }
  /** The last checkpoint, outside the directory. */
  today: string
  /** Events in the log, all of them signed. */
  size: number
  vkey: string
  copy(): LogCopy
}

export interface LogCopy {
  directory: string
  /** The database without its triggers, until it is verified: an intruder puts them back. */
  database: Sqlite.Database
  /** Ends the tampering. */
  end(): void
  /** Ends the tampering and verifies as an auditor would. */
  verify(known?: Partial<Known>): Promise<Verdict>
  /** What the service says of the log instead of starting; undefined when it starts. */
  refusal(): Promise<string | undefined>
}

export interface Verdict {
  faults: string[]
  notices: string[]
  summary: Summary
}

/** With `erased`, what the log knows of a quiet event and of the first case is erased. */
export async function livelyLog(t: Test, { erased = false } = {}): Promise<LivelyLog> {
  const exchange = await startExchange(t)
  const { database, audit, tree } = exchange.exchange
  await database.write(async tx => {
    for (let n = 0; n < QUIET_EVENTS; n += 1) {
      await audit.append(tx, { action: 'case.list', outcome: 'success', details: { n } })
    }
  })
  const { note } = await tree.settle()
  const paths = dataPaths(exchange.directory)
  const yesterday = {
    database: join(exchange.directory, '..', 'yesterday.db'),
    checkpoint: join(exchange.directory, '..', 'yesterday.checkpoint')
  }
  const live = new Sqlite(paths.database, { readonly: true })
  await live.backup(yesterday.database)
  live.close()
  writeFileSync(yesterday.checkpoint, note)
  const scene = await liveliness(exchange)
  await exchange.auditEvents()
  if (erased) await eraseSome(exchange, scene.first.caseId)
  const { size } = await tree.settle()
  await exchange.app.stop()
  const today = join(exchange.directory, '..', 'today.checkpoint')
  copyFileSync(paths.checkpoint, today)
  let copies = 0
  return {
    exchange,
    scene,
    yesterday,
    today,
    size,
    vkey: tree.keys.keys[0]?.vkey ?? '',
    copy() {
      copies += 1
      const directory = join(exchange.directory, '..', `copy-${copies}`)
      cpSync(exchange.directory, directory, { recursive: true })
      return logCopy(t, exchange, directory)
    }
  }
}

async function eraseSome({ exchange }: TestExchange, caseId: string): Promise<void> {
  const { auditEvents } = exchange.database.read.tables
  const quiet = exchange.database.read.select().from(auditEvents).where(eq(auditEvents.idx, QUIET))
  const order = { reference: 'DPO 4' }
  for (const { id } of await quiet) await eraseDetails(exchange, { eventId: id }, order)
  await eraseDetails(exchange, { caseId }, order)
}

function logCopy(t: Test, exchange: TestExchange, directory: string): LogCopy {
  const paths = dataPaths(directory)
  const database = new Sqlite(paths.database)
  t.teardown(() => database.close())
  const restoreTriggers = dropTriggers(database)
  function end(): void {
    if (database.open) restoreTriggers()
    database.close()
  }
  return {
    directory,
    database,
    end,
    async verify(known = {}) {
      end()
      return await verified(directory, known)
    },
    async refusal() {
      const config = { ...exchange.config, dataDirectory: directory }
      const { release } = await prepareData(config)
      try {
        const data = await openData(config)
        try {
          const { log: keys } = await readSigningKeys(config)
          const copyPath = dataPaths(directory).checkpoint
          const tree = await openLogTree({ ...data, keys, copyPath, onFailure: () => {} })
          await tree.close()
          return undefined
        } finally {
          await data.close()
        }
      } catch (err) {
        if (err instanceof LogFault || err instanceof ConfigError) return err.message
        throw err
      } finally {
        release()
      }
    }
  }
}

/** What the verifier says of a data directory. */
export async function verified(directory: string, known: Partial<Known> = {}): Promise<Verdict> {
  const faults: string[] = []
  const notices: string[] = []
  const tell = { fault: keepIn(faults), notice: keepIn(notices) }
  const all = { vkeys: [], older: [], ...known }
  const summary = await verifyDirectory(directory, all, tellFindings(tell), () => {})
  return { faults, notices, summary }
}

const keepIn = (list: string[]) => (sentence: string) => void list.push(sentence)

/** An older checkpoint as the verifier is given it. */
export const olderCheckpoint = (path: string) => ({
  name: `The checkpoint in ${basename(path)}`,
  note: readFileSync(path, 'utf8')
})

/** The leaf of an event, taken apart. */
export function leafAt(database: Sqlite.Database, index: number): Record<string, unknown> {
  const leaf = database.prepare('SELECT leaf FROM audit_events WHERE idx = ?').pluck()
  return JSON.parse(String(leaf.get(index)))
}

/** Puts other members into the leaf of an event; what is undefined is taken out. */
export function editLeaf(
  database: Sqlite.Database,
  index: number,
  change: Record<string, unknown>
): void {
  const leaf = JSON.stringify(
    Object.fromEntries(Object.entries({ ...leafAt(database, index), ...change }).sort())
  )
  const put = database.prepare('UPDATE audit_events SET leaf = ? WHERE idx = ?')
  put.run(Buffer.from(leaf), index)
}

/** Turns one bit over. */
export function flip(database: Sqlite.Database, table: string, column: string, where: string) {
  const read = database.prepare(`SELECT ${column} FROM ${table} WHERE ${where}`).pluck()
  const bytes = Buffer.from(read.get() as Buffer)
  bytes[20] = Number(bytes[20]) ^ 1
  database.prepare(`UPDATE ${table} SET ${column} = ? WHERE ${where}`).run(bytes)
}

/** Makes tiles and head of the leaves as they are now. Gives the root. */
export function rebuildTree(database: Sqlite.Database): { size: number; root: Buffer } {
  const leaves = database.prepare('SELECT leaf FROM audit_events ORDER BY idx').pluck().all()
  const hashes = leaves.map(leaf => leafHash(leaf as Buffer))
  const { size, edge, changed } = grow(0, [], hashes)
  database.exec('DELETE FROM audit_tiles')
  const put = database.prepare('INSERT INTO audit_tiles VALUES (?, ?, ?)')
  for (const tile of changed) put.run(tile.level, tile.index, tile.hashes)
  database.prepare('UPDATE audit_head SET size = ?').run(size)
  return { size, root: edgeRoot(size, edge) }
}

/** Signs with the key in the directory, as one who has stolen it, in both places. */
export async function signAs(copy: LogCopy, head: { size: number; root: Buffer }): Promise<void> {
  const paths = dataPaths(copy.directory)
  const { signers, origin } = await openLogKeys(paths.logKeys)
  putCheckpoint(copy, head.size, signCheckpoint({ origin, ...head }, signers))
}

export function putCheckpoint({ database, directory }: LogCopy, size: number, note: string): void {
  database.prepare('UPDATE audit_checkpoint SET size = ?, note = ?').run(size, note)
  writeFileSync(dataPaths(directory).checkpoint, note)
}

/** Takes an event out and moves all later ones up. */
export function removeEvent({ database }: LogCopy, index: number): void {
  database.exec(`DELETE FROM audit_events WHERE idx = ${index}`)
  database.exec(`UPDATE audit_events SET idx = idx - 1 WHERE idx > ${index}`)
}

/**
 * Adds an event whose leaf and columns agree, as one without the key of the details can; or with
 * details that are sealed with it.
 */
export function addEvent({ database }: LogCopy, event: ForgedEvent): void {
  const { action, outcome, bytes, grant, share, n, details } = event
  const at = Date.now()
  const id = uuidv7({ msecs: at })
  const salted = Buffer.concat([randomBytes(32), Buffer.from(details?.text ?? '')])
  const d = commitmentTo(salted)
  const time = new Date(at).toISOString()
  const leaf = leafBytes({ action, at: time, bytes, d, grant, id, n, outcome, share, v: 1 })
  const sealed = details === undefined ? randomBytes(99) : sealDetails(details.key, id, salted)
  database
    .prepare(
      `INSERT INTO audit_events (idx, id, at, action, outcome, share_id, grant_id, bytes_handed_over, leaf, details_sealed)
       SELECT max(idx) + 1, ?, ?, ?, ?, ?, ?, ?, ?, ? FROM audit_events`
    )
    .run(id, at, action, outcome, share ?? null, grant ?? null, bytes ?? null, leaf, sealed)
}

export interface ForgedEvent {
  action: string
  outcome: string
  bytes?: number
  grant?: string
  share?: string
  n?: number
  details?: { key: KeyObject; text: string }
}

/** The grant that an event completes, and its share. */
export function completionOf(database: Sqlite.Database, index: number) {
  const { grant, share } = leafAt(database, index)
  return { grant: String(grant), share: String(share) }
}

/** Puts another database file in the place of the copy's. */
export function putBack({ database, directory }: LogCopy, file: string): void {
  database.close()
  const path = dataPaths(directory).database
  for (const suffix of ['-wal', '-shm']) rmSync(`${path}${suffix}`, { force: true })
  copyFileSync(file, path)
}

export const originOf = (vkey: string): string => parseVerifierKey(vkey).name
