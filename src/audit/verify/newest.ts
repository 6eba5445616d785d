import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Database, Queries } from '../../database/database.ts'
import type { Exchange } from '../../exchange.ts'
import type { Caller } from '../../identity/principal.ts'
import { actedBy } from '../acted-by.ts'
import { type Checkpoint, openCheckpoint } from '../tlog/checkpoint.ts'
import { edgeRoot, grow, TILE_WIDTH } from '../tlog/tiles.ts'
import { TlogError } from '../tlog/tlog-error.ts'
import { HASH_BYTES, leafHash } from '../tlog/tree.ts'
import { LogFault } from '../tree/log-fault.ts'
import { columnsUnlikeDetails, columnsUnlikeLeaf, unsealDetails } from './details.ts'
import { tellFindings } from './findings.ts'
import { readLeaf } from './leaf.ts'
import { type EventRow, rowsBetween, storedCheckpoint, tileHashes } from './queries.ts'

/** Events that are looked at while somebody waits: a second's work at the most. */
export const VERIFY_EVENTS_MAX = 20 * TILE_WIDTH
/** Faults that are shown one by one. */
const FAULTS_SHOWN_MAX = 20

/** What a verification of the newest events has found. */
export interface NewestVerified {
  /** Of the checkpoint whose signature was checked; undefined when there is none that holds. */
  signed: Checkpoint | undefined
  /** Events `from` up to and without `to` were looked at, from 0. */
  from: number
  to: number
  /** Of these, those whose details were erased by order. */
  erased: number
  faults: number
  /** The first of them, one whole sentence each. */
  told: string[]
}

/**
 * Verifies the newest events of the log, `eventsMax` at most, against the last signed checkpoint: its
 * signature by a key of this log; each leaf, its row and its details; and that these leaves, put
 * behind what the stored tree says of all before them, make the very root that was signed. So each of
 * them is as it was signed, and so is the tree before them; whether the events before them still are
 * what that tree says is for the whole verification. On record before the answer is given.
 */
export async function verifyNewest(
  exchange: Exchange,
  caller: Caller,
  eventsMax = VERIFY_EVENTS_MAX
): Promise<NewestVerified> {
  const { database, audit } = exchange
  const found = await inTurn(database, eventsMax, () => lookAtNewest(exchange, eventsMax))
  const { from, to, faults } = found
  await audit.add({
    action: 'audit.verify',
    outcome: 'success',
    ...actedBy(caller, { from, to, faults })
  })
  return found
}

interface Turns {
  last: Promise<unknown>
  /** What waits for its turn, by how many events are looked at. */
  waiting: Map<number, Promise<NewestVerified>>
}

const turnsOf = new WeakMap<Database, Turns>()

/**
 * One at a time: each reads on a connection of its own, which is none of the pool's, and keeps this
 * thread busy. However many ask, one runs and one waits.
 */
function inTurn(
  database: Database,
  eventsMax: number,
  look: () => Promise<NewestVerified>
): Promise<NewestVerified> {
  const turns = turnsOf.get(database) ?? { last: Promise.resolve(), waiting: new Map() }
  turnsOf.set(database, turns)
  const waiting = turns.waiting.get(eventsMax)
  if (waiting !== undefined) return waiting
  const next = turns.last.then(() => {
    turns.waiting.delete(eventsMax)
    return look()
  })
  turns.waiting.set(eventsMax, next)
  turns.last = next.catch(() => {})
  return next
}

async function lookAtNewest(exchange: Exchange, eventsMax: number): Promise<NewestVerified> {
  const { database, tree } = exchange
  // A log that contradicts itself signs no more: then the last checkpoint is what it is held against.
  await tree.settle().catch(ifFault)
  const { read, close } = await database.openSnapshot()
  try {
    return await verifySnapshot(exchange, read, eventsMax)
  } finally {
    await close()
  }
}

async function verifySnapshot(
  { tree, serviceKeys }: Exchange,
  read: Queries,
  eventsMax: number
): Promise<NewestVerified> {
  const told: string[] = []
  const findings = tellFindings({
    fault: sentence => void (told.length < FAULTS_SHOWN_MAX && told.push(sentence)),
    notice() {}
  })
  const answer = (signed: Checkpoint | undefined, from: number, to: number, erased: number) => {
    return { signed, from, to, erased, faults: findings.faults(), told }
  }
  const row = await storedCheckpoint(read)
  const signed = row && openSigned(row.note, tree.keys)
  if (signed === undefined) {
    findings.fault('There is no checkpoint that a key of this log has signed.')
    return answer(undefined, 0, 0, 0)
  }
  const to = signed.size
  // At the beginning of a tile, so that what is before it are whole tiles.
  const from = Math.max(0, Math.floor((to - eventsMax) / TILE_WIDTH) * TILE_WIDTH)
  let known = await storedEdge(read, from)
  if (known === undefined) findings.fault(`The tree before event ${from} is not whole.`)
  let erased = 0
  for (let at = from; at < to; at += TILE_WIDTH) {
    const end = Math.min(at + TILE_WIDTH, to)
    const rows = await rowsBetween(read, { from: at, to: end })
    if (rows.length !== end - at) {
      findings.fault(`Events from ${at} to ${end - 1}: ${end - at - rows.length} are missing.`)
    }
    for (const row of rows) {
      if (row.detailsSealed === null) erased += 1
      for (const fault of faultsOf(row, serviceKeys.audit)) findings.fault(fault)
    }
    const hashes = rows.map(({ leaf }) => leafHash(leaf))
    known = known && grow(known.size, known.edge, hashes)
    // SQLite answers in this thread: everybody else has a turn.
    await nextTurn()
  }
  const isSigned = known?.size === to && edgeRoot(known.size, known.edge).equals(signed.root)
  if (!isSigned) findings.fault(`Events from ${from} to ${to - 1} are not those that were signed.`)
  return answer(signed, from, to, erased)
}

function ifFault(err: unknown): undefined {
  if (!(err instanceof LogFault)) throw err
}

function openSigned(note: string, keys: Exchange['tree']['keys']): Checkpoint | undefined {
  try {
    return openCheckpoint(note, keys.origin, keys.verifiers)
  } catch (err) {
    if (!(err instanceof TlogError)) throw err
    return undefined
  }
}

/** The unfinished last tile of each level of the tree of this size, as it is stored. */
async function storedEdge(
  read: Queries,
  size: number
): Promise<{ size: number; edge: Buffer[] } | undefined> {
  const edge: Buffer[] = []
  for (let hashes = size; hashes > 0; hashes = Math.floor(hashes / TILE_WIDTH)) {
    const bytes = (hashes % TILE_WIDTH) * HASH_BYTES
    const place = { level: edge.length, idx: Math.floor(hashes / TILE_WIDTH) }
    const [tile] = bytes === 0 ? [] : await tileHashes(read, place)
    if ((tile?.hashes.byteLength ?? 0) < bytes) return undefined
    edge.push(tile?.hashes.subarray(0, bytes) ?? Buffer.alloc(0))
  }
  return { size, edge }
}

function* faultsOf(row: EventRow, auditKey: Exchange['serviceKeys']['audit']): Generator<string> {
  const { idx } = row
  const leaf = readLeaf(row.leaf)
  if (typeof leaf === 'string') {
    yield `Event ${idx}: its leaf ${leaf}.`
    return
  }
  for (const column of columnsUnlikeLeaf(row, leaf)) {
    yield `Event ${idx}: its column ${column} is not what its leaf says.`
  }
  if (row.detailsSealed === null) return
  const details = unsealDetails(auditKey, leaf, row.detailsSealed)
  if (typeof details === 'string') {
    yield `Event ${idx} (${leaf.id}): its details ${details}.`
    return
  }
  for (const column of columnsUnlikeDetails(row, leaf, details)) {
    yield `Event ${idx}: its column ${column} is not what its details say.`
  }
}
