import type { KeyObject } from 'node:crypto'
import { v7 as uuidv7 } from 'uuid'
import type { Action, Outcome } from '../../schemas/audit-event.ts'
import { timestamp } from '../../schemas/common.ts'
import { sql } from '../../schemas/drizzle.ts'
import { prepared, type Queries } from '../database/database.ts'
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

const eventValues = {
  id: p('id'),
  at: p('at'),
  action: p('action'),
  outcome: p('outcome'),
  code: p('code'),
  organisationId: p('organisationId'),
  actorId: p('actorId'),
  actorOrganisationId: p('actorOrganisationId'),
  caseId: p('caseId'),
  recordId: p('recordId'),
  objectId: p('objectId'),
  shareId: p('shareId'),
  patientRef: p('patientRef'),
  recipientCountry: p('recipientCountry'),
  grantId: p('grantId'),
  bytesHandedOver: p('bytesHandedOver'),
  leaf: p('leaf'),
  detailsSealed: p('detailsSealed')
}

/** On PostgreSQL the place is given afterwards, see `tree/pending.ts`. */
const insertEvent = prepared(q =>
  q.kind === 'sqlite'
    ? q
        .insert(q.tables.auditEvents)
        .values({ idx: nextPlace, ...eventValues })
        .prepare('insert_audit_event')
    : q.insert(q.tables.auditPending).values(eventValues).prepare('insert_pending_event')
)

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
export function openAuditLog(key: KeyObject, clock: () => number): AuditLog {
  let lastAt = 0
  let lastTime = ''
  let seq = 0
  const listeners: (() => void)[] = []
  const openFree = (id: string, sealed: Buffer | null) =>
    sealed === null ? {} : parseDetails(openDetails(key, id, sealed)).details

  return {
    async append(tx, event) {
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
      await insertEvent(tx, rowOf(event, id, at, leaf, sealDetails(key, id, salted)))
      for (const listener of listeners) listener()
      return id
    },
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
