import type { KeyObject } from 'node:crypto'
import { v7 as uuidv7 } from 'uuid'
import type { Action, Outcome } from '../../schemas/audit-event.ts'
import { timestamp } from '../../schemas/common.ts'
import { sql } from '../../schemas/drizzle.ts'
import { type Database, prepared, type Queries } from '../database/database.ts'
import { randomSource } from '../sealing/random.ts'
import { SealError } from '../sealing/seal-error.ts'
import {
  commitmentTo,
  type Details,
  LEAF_VERSION,
  leafBytes,
  openDetails,
  parseDetails,
  saltDetails,
  sealDetails
} from './entry.ts'
import { groupedAppends } from './grouped-appends.ts'

/** Something that happened. Ids only; whatever names a person or a place goes into `details`. */
export interface AuditEvent {
  action: Action
  outcome: Outcome
  /** The code of a refusal. */
  code?: string | undefined
  /** Whose data it is; else whose person it was. */
  organisationId?: string | undefined
  actorId?: string | undefined
  actorOrganisationId?: string | undefined
  caseId?: string | undefined
  recordId?: string | undefined
  objectId?: string | undefined
  shareId?: string | undefined
  /**
   * Instead of `shareId`: the share that somebody reached for who is no party to it. It is sealed and
   * not in the leaf, and the event is not counted as one of the share.
   */
  triedShareId?: string | undefined
  patientRef?: Buffer | undefined
  recipientCountry?: string | undefined
  /** The granted event that this one completes. */
  grantId?: string | undefined
  bytesHandedOver?: number | undefined
  /** Sealed. Never a token, a key or the content of a record. */
  details: Record<string, unknown>
}

export interface AuditLog {
  /**
   * Writes the event inside the caller's own transaction, so that the act and its event are stored
   * together or not at all. Resolves to the event's id (UUIDv7).
   */
  append(tx: Queries, event: AuditEvent): Promise<string>
  /**
   * The same of an event that stands by itself, as that of a look does: with it nothing else is
   * stored. Resolves once it is on the disk; many at once share a commit.
   */
  add(event: AuditEvent): Promise<string>
  /**
   * The free part of what `append` sealed; empty when it was erased. Throws SealError when the bytes
   * were changed.
   */
  openDetails(id: string, sealed: Buffer | null): Record<string, unknown>
  /**
   * The same for whoever tells of events: one whose details were changed is told without them, and as
   * damaged, so that it hides no other. What was changed, the verifier tells.
   */
  readDetails(id: string, sealed: Buffer | null): ReadDetails
  /** Has `listener` called after each append, before its transaction is on the disk. */
  onAppend(listener: () => void): void
}

export interface ReadDetails {
  details: Record<string, unknown>
  erased?: true
  damaged?: true
}

const p = sql.placeholder
const freshRandom = randomSource(16)

/** SQLite has one writer at a time, so the next place is the one after the last. */
const nextPlace = sql<number>`(select coalesce(max(idx) + 1, 0) from audit_events)`

/** The inputs of a statement for one event, or for that with this number among several. */
const eventValues = (n = '') => ({
  id: p(`id${n}`),
  at: p(`at${n}`),
  action: p(`action${n}`),
  outcome: p(`outcome${n}`),
  code: p(`code${n}`),
  organisationId: p(`organisationId${n}`),
  actorId: p(`actorId${n}`),
  actorOrganisationId: p(`actorOrganisationId${n}`),
  caseId: p(`caseId${n}`),
  recordId: p(`recordId${n}`),
  objectId: p(`objectId${n}`),
  shareId: p(`shareId${n}`),
  patientRef: p(`patientRef${n}`),
  recipientCountry: p(`recipientCountry${n}`),
  grantId: p(`grantId${n}`),
  bytesHandedOver: p(`bytesHandedOver${n}`),
  leaf: p(`leaf${n}`),
  detailsSealed: p(`detailsSealed${n}`)
})

/** On PostgreSQL the place is given afterwards, see `tree/pending.ts`. */
const insertEvent = prepared(q =>
  q.kind === 'sqlite'
    ? q
        .insert(q.tables.auditEvents)
        .values({ idx: nextPlace, ...eventValues() })
        .prepare('insert_audit_event')
    : q.insert(q.tables.auditPending).values(eventValues()).prepare('insert_pending_event')
)

/** So many events wait for their places with one statement. */
const PENDING_AT_ONCE = [32, 8].map(rows => ({
  rows,
  insert: prepared(q =>
    q
      .insert(q.tables.auditPending)
      .values(Array.from({ length: rows }, (_, n) => eventValues(String(n))))
      .prepare(`insert_${rows}_pending_events`)
  )
}))

const countShareEvent = prepared(q => {
  const { auditShareCounts: counts } = q.tables
  return q
    .insert(counts)
    .values({ shareId: p('shareId'), events: 1 })
    .onConflictDoUpdate({ target: counts.shareId, set: { events: sql`${counts.events} + 1` } })
    .returning({ n: counts.events })
    .prepare('count_share_event')
})

/** The access log. `key` seals the details of events; the context of each box is its event's id. */
export function openAuditLog(
  database: Pick<Database, 'write' | 'read'>,
  key: KeyObject,
  clock: () => number
): AuditLog {
  let lastAt = 0
  let lastTime = ''
  let seq = 0
  const listeners: (() => void)[] = []
  const isOneWriter = database.read.kind === 'sqlite'
  const openFree = (id: string, sealed: Buffer | null) =>
    sealed === null ? {} : parseDetails(openDetails(key, id, sealed)).details

  async function compose(tx: Queries, event: AuditEvent): Promise<EventValues> {
    const at = clock()
    // Events of one millisecond keep their order.
    seq = at === lastAt ? seq + 1 : 0
    if (at !== lastAt) lastTime = timestamp(at)
    lastAt = at
    // Kept here: while this waits for the database, others append.
    const time = lastTime
    const id = uuidv7({ msecs: at, seq, random: freshRandom() })
    const { shareId } = event
    const [counted] = shareId === undefined ? [] : await countShareEvent(tx, { shareId })
    const salted = saltDetails(detailsOf(event))
    const leaf = leafBytes({
      action: event.action,
      at: time,
      bytes: event.bytesHandedOver,
      d: commitmentTo(salted),
      grant: event.grantId,
      id,
      n: counted?.n,
      outcome: event.outcome,
      share: shareId,
      v: LEAF_VERSION
    })
    return rowOf(event, id, at, leaf, sealDetails(key, id, salted))
  }

  async function appendAll(tx: Queries, events: AuditEvent[]): Promise<string[]> {
    const rows: EventValues[] = []
    // In turn: they share the transaction's connection.
    for (const event of events) rows.push(await compose(tx, event))
    await insertPending(tx, rows)
    for (const listener of listeners) listener()
    return rows.map(({ id }) => id)
  }

  const log: AuditLog = {
    async append(tx, event) {
      const row = await compose(tx, event)
      await insertEvent(tx, row)
      for (const listener of listeners) listener()
      return row.id
    },
    // The count of a share is held until its transaction ends: many together would hold many.
    add: event =>
      isOneWriter || event.shareId !== undefined
        ? database.write(tx => log.append(tx, event))
        : addGrouped(event),
    openDetails: openFree,
    readDetails(id, sealed) {
      try {
        return { details: openFree(id, sealed), ...(sealed === null && { erased: true }) }
      } catch (err) {
        if (err instanceof SealError || err instanceof SyntaxError) {
          return { details: {}, damaged: true }
        }
        throw err
      }
    },
    onAppend: listener => void listeners.push(listener)
  }
  const addGrouped = groupedAppends(database, {
    one: (tx, event) => log.append(tx, event),
    all: appendAll
  })
  return log
}

/** With as few statements as there are sizes for. */
async function insertPending(tx: Queries, events: EventValues[]): Promise<void> {
  let at = 0
  for (const { rows, insert } of PENDING_AT_ONCE) {
    for (; events.length - at >= rows; at += rows) {
      const named = events
        .slice(at, at + rows)
        .flatMap((row, n) => Object.entries(row).map(([name, value]) => [`${name}${n}`, value]))
      await insert(tx, Object.fromEntries(named))
    }
  }
  for (const row of events.slice(at)) await insertEvent(tx, row)
}

function detailsOf(event: AuditEvent): Details {
  return {
    actor: event.actorId,
    actorOrganisation: event.actorOrganisationId,
    case: event.caseId,
    code: event.code,
    country: event.recipientCountry,
    details: event.details,
    object: event.objectId,
    organisation: event.organisationId,
    patient: event.patientRef?.toString('base64url'),
    record: event.recordId,
    share: event.triedShareId
  }
}

type EventValues = ReturnType<typeof rowOf>

function rowOf(event: AuditEvent, id: string, at: number, leaf: Buffer, detailsSealed: Buffer) {
  return {
    id,
    at,
    action: event.action,
    outcome: event.outcome,
    code: event.code ?? null,
    organisationId: event.organisationId ?? null,
    actorId: event.actorId ?? null,
    actorOrganisationId: event.actorOrganisationId ?? null,
    caseId: event.caseId ?? null,
    recordId: event.recordId ?? null,
    objectId: event.objectId ?? null,
    shareId: event.shareId ?? event.triedShareId ?? null,
    patientRef: event.patientRef ?? null,
    recipientCountry: event.recipientCountry ?? null,
    grantId: event.grantId ?? null,
    bytesHandedOver: event.bytesHandedOver ?? null,
    leaf,
    detailsSealed
  }
}
