import type { KeyObject } from 'node:crypto'
import { sql } from 'drizzle-orm'
import { v7 as uuidv7 } from 'uuid'
import type { Action, Outcome } from '../../schemas/audit-event.ts'
import { prepared, type Queries } from '../database/database.ts'
import { canonicalContext, openBox, sealBox } from '../sealing/keys.ts'
import { randomSource } from '../sealing/random.ts'

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
  /** Opens what `append` sealed. Throws SealError when the bytes were changed. */
  openDetails(id: string, sealed: Buffer): Record<string, unknown>
}

const p = sql.placeholder
const freshRandom = randomSource(16)

const insertEvent = prepared(q =>
  q
    .insert(q.tables.auditEvents)
    .values({
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
      detailsSealed: p('detailsSealed')
    })
    .prepare('insert_audit_event')
)

/** The access log. `key` seals the details of events; the context of each box is its event's id. */
export function openAuditLog(key: KeyObject, clock: () => number): AuditLog {
  let lastAt = 0
  let seq = 0
  return {
    async append(tx, event) {
      const at = clock()
      // Events of one millisecond keep their order.
      seq = at === lastAt ? seq + 1 : 0
      lastAt = at
      const id = uuidv7({ msecs: at, seq, random: freshRandom() })
      await insertEvent(tx, {
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
        shareId: event.shareId ?? null,
        patientRef: event.patientRef ?? null,
        recipientCountry: event.recipientCountry ?? null,
        grantId: event.grantId ?? null,
        bytesHandedOver: event.bytesHandedOver ?? null,
        detailsSealed: sealBox(key, detailsContext(id), Buffer.from(JSON.stringify(event.details)))
      })
      return id
    },
    openDetails: (id, sealed) => JSON.parse(openBox(key, detailsContext(id), sealed).toString())
  }
}

const detailsContext = (id: string): Buffer => canonicalContext('audit-event', id)
