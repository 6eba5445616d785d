import type { KeyObject } from 'node:crypto'
import type { Queries, Snapshot } from '../../database/database.ts'
import type { NoteVerifier } from '../tlog/note.ts'
import { TILE_WIDTH } from '../tlog/tiles.ts'
import { type StoredEntry, storedEventCheck } from './events.ts'
import type { Findings, Progress, Summary } from './findings.ts'
import { compareHead, type Head, readHead } from './heads.ts'
import {
  extentOf,
  grantsUnderWay,
  rowsBetween,
  shareCounts,
  storedCheckpoint,
  storedCosignatures,
  storedHead,
  surplusTiles,
  tileHashes,
  waitingRows
} from './queries.ts'
import type { OpenGrants, ShareNumbers } from './story.ts'
import { walkLog } from './walk.ts'
import { checkWitnessed } from './witnessed.ts'

/** More missing events than this are not looked for one by one. */
const GAP_EVENTS_MAX = 100_000
const SURPLUS_TILES_TOLD_MAX = 100
const COUNTS_BATCH = 1000

/** What the verifier is told of a data directory. None of it is believed but the keys. */
export interface DataToVerify {
  openSnapshot(): Promise<Snapshot>
  /** Keys of the log. */
  keys: NoteVerifier[]
  /** Opens the details; without it they stay unchecked. */
  auditKey(queries: Queries): Promise<KeyObject | undefined>
  /** The copy of the last checkpoint beside the database, read before the database is opened. */
  copy: string | undefined
  /** Older checkpoints that the log must continue. */
  older: { name: string; note: string }[]
}

/**
 * Checks the log as it is stored at this moment, reading alone; a service may be at work on it.
 * Every fault is told and none ends the check. Memory: the shares, the disclosures under way and two
 * bits for each event erased. Throws the driver's error when the database cannot be read.
 */
export async function verifyData(
  data: DataToVerify,
  findings: Findings,
  progress: Progress
): Promise<Summary> {
  const { read, schemaFaults, damage, close } = await data.openSnapshot()
  for (const told of await schemaFaults()) findings.fault(told)
  try {
    const summary = await verifySnapshot(data, read, findings, progress)
    // Questions are answered from indexes: one that lacks an event would hide it from every auditor.
    for (const told of await damage()) findings.fault(`The database file: ${told}.`)
    return summary
  } finally {
    await close()
  }
}

async function verifySnapshot(
  data: DataToVerify,
  read: Queries,
  findings: Findings,
  progress: Progress
): Promise<Summary> {
  const auditKey = await data.auditKey(read)
  const extent = await extentOf(read)
  const { size, end } = await sizesOf(read, extent, findings)
  const heads = await headsOf(data, read, size, findings)
  const cosignatures = await storedCosignatures(read)
  const signedSize = Math.max(0, ...heads.map(head => head.size))
  const events = storedEventCheck(auditKey, findings)
  const source = sourceOf(read, extent.placed)
  const roots = await walkLog<StoredEntry>(source, {
    size,
    end,
    sizes: [...heads, ...cosignatures].map(({ size }) => size),
    visit: events.visit,
    findings,
    progress
  })
  for (const head of heads) compareHead(head, roots, findings)
  const [{ name: origin = '' } = {}] = data.keys
  checkWitnessed(origin, cosignatures, roots, findings)
  await checkSurplus(read, size, findings)
  await checkCounts(read, events.numbers, findings)
  await checkOpenGrants(read, events.grants, findings)
  // As they were read before: an erasure may wait for its place.
  const looked = await events.end(async n => (await source.entries(n, n + 1))[0]?.row)
  const head = heads.toSorted((a, b) => b.size - a.size)[0]
  return {
    ...looked,
    origin: head?.origin,
    signed: head && {
      size: head.size,
      root: head.root.toString('base64'),
      keyIds: head.keyIds
    },
    unsigned: Math.max(0, end - signedSize)
  }
}

/** How many events are in the tree and on the log, as far as both can be believed. */
async function sizesOf(
  read: Queries,
  { rows, first, last }: Awaited<ReturnType<typeof extentOf>>,
  findings: Findings
): Promise<{ size: number; end: number }> {
  const head = await storedHead(read)
  if (first < 0) findings.fault(`Event ${first} has an index below 0.`)
  if (head === undefined) findings.fault('The head of the tree is missing.')
  else if (head > last + 1) {
    findings.fault(`The tree is said to have ${head} events, and the log has ${last + 1}.`)
  }
  const said = Math.max(last + 1, head ?? 0)
  const end = Math.min(said, rows + GAP_EVENTS_MAX)
  if (end < said) findings.fault(`Nothing was looked at from ${end} on: too many are missing.`)
  return { size: Math.min(head ?? 0, end), end }
}

/** Every checkpoint the log must agree with: in the database, its copy, and older ones. */
async function headsOf(
  { keys, copy, older }: DataToVerify,
  read: Queries,
  size: number,
  findings: Findings
): Promise<Head[]> {
  const row = await storedCheckpoint(read)
  const head = row && readHead('The checkpoint of the database', row.note, keys, findings)
  if (row === undefined && (size > 0 || copy !== undefined)) {
    findings.fault('The database has no checkpoint.')
  }
  if (head !== undefined && head.size !== row?.size) {
    findings.fault(`The checkpoint of the database is kept as one of ${row?.size} events.`)
  }
  const copied =
    copy === undefined ? undefined : readHead('The copy of the checkpoint', copy, keys, findings)
  if (copy === undefined && row !== undefined) {
    findings.notice('There is no copy of the checkpoint beside the database.')
  }
  if (head !== undefined && copied !== undefined && copied.size > head.size) {
    findings.fault(
      `The checkpoint of the database is of ${head.size} events and older than its copy, of ${copied.size}: an older one was put back.`
    )
  }
  const given = older.map(({ name, note }) => readHead(name, note, keys, findings))
  return [head, copied, ...given].filter(found => found !== undefined)
}

const sourceOf = (read: Queries, placed: number) => ({
  async entries(from: number, to: number): Promise<StoredEntry[]> {
    const rows = await rowsBetween(read, { from, to })
    if (to > placed) rows.push(...(await waitingRows(read, placed, from, to)))
    return rows.map(row => ({ index: row.idx, leaf: row.leaf, row }))
  },
  async tile({ level, index }: { level: number; index: number }) {
    const [tile] = await tileHashes(read, { level, idx: index })
    return tile?.hashes
  }
})

async function checkSurplus(read: Queries, size: number, findings: Findings): Promise<void> {
  const counts: number[] = []
  for (let hashes = size; hashes > 0; hashes = Math.floor(hashes / TILE_WIDTH)) {
    counts.push(Math.ceil(hashes / TILE_WIDTH))
  }
  for (const { level, index } of await surplusTiles(read, counts, SURPLUS_TILES_TOLD_MAX)) {
    findings.fault(`Tile ${index} of level ${level} belongs to no tree of ${size} events.`)
  }
}

/** The counters, from which each next number is taken, must stand where the log does. */
async function checkCounts(
  read: Queries,
  numbers: ShareNumbers,
  findings: Findings
): Promise<void> {
  let known = 0
  let after = ''
  for (;;) {
    const counts = await shareCounts(read, after, COUNTS_BATCH)
    for (const { shareId, events } of counts) {
      const last = numbers.last.get(shareId)
      if (last !== undefined) known += 1
      if (last === events) continue
      findings.fault(
        `Share ${shareId} has counted ${events} events, and the last on the log is ${last ?? 0}.`
      )
    }
    if (counts.length < COUNTS_BATCH) break
    after = counts.at(-1)?.shareId ?? ''
  }
  if (known < numbers.last.size) {
    findings.fault(`${numbers.last.size - known} shares on the log have no counter.`)
  }
}

/** A disclosure without its second event is under way, or something is missing. */
async function checkOpenGrants(
  read: Queries,
  grants: OpenGrants,
  findings: Findings
): Promise<void> {
  const underWay = new Set(await grantsUnderWay(read))
  for (const [id, { index }] of grants.open) {
    if (!underWay.has(id)) findings.fault(`Event ${index}: what it grants was never completed.`)
  }
  for (const id of underWay) {
    if (!grants.open.has(id)) findings.fault(`Disclosure ${id} is under way and not on the log.`)
  }
}
