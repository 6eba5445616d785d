import type { Columns } from './columns.ts'

/** What every event is, waiting or in its place. */
const eventColumns = (c: Columns) => ({
  id: c.text('id').notNull(),
  at: c.int('at').notNull(),
  action: c.text('action').notNull(),
  /** granted, complete, refused … see `schemas/audit-event.ts`. */
  outcome: c.text('outcome').notNull(),
  /** The refusal's code, where there is one. */
  code: c.text('code'),
  /** Whose data it is, or else whose person it was; null when neither is known. */
  organisationId: c.text('organisation_id'),
  actorId: c.text('actor_id'),
  actorOrganisationId: c.text('actor_organisation_id'),
  caseId: c.text('case_id'),
  recordId: c.text('record_id'),
  objectId: c.text('object_id'),
  shareId: c.text('share_id'),
  patientRef: c.bytes('patient_ref'),
  recipientCountry: c.text('recipient_country'),
  /** The granted event that this one completes. */
  grantId: c.text('grant_id'),
  /** Body bytes given to the transport: never less, often more, than what arrived. */
  bytesHandedOver: c.int('bytes_handed_over'),
  /** The leaf as it is hashed into the tree (docs/audit-log.md). */
  leaf: c.bytes('leaf').notNull(),
  /** Salt and details, of which the leaf has the commitment, under the audit key. */
  detailsSealed: c.bytes('details_sealed')
})

/** The access log: its events, its Merkle tree and what signs it. */
export function auditTables(c: Columns) {
  /**
   * The access log, append only: triggers refuse change and removal. Nothing personal outside
   * `detailsSealed`; an erasure sets that and `patientRef` to null, and nothing else may change.
   */
  const auditEvents = c.table('audit_events', {
    /** Its place in the Merkle tree, from 0, without a gap. */
    idx: c.int('idx').primaryKey(),
    ...eventColumns(c)
  })

  /**
   * PostgreSQL only: events that are on the log and wait for their place. With many writers at once
   * it is known only after their commits (docs/decisions/0010). SQLite has no such table.
   */
  const auditPending = c.table('audit_pending', {
    /** Given by the database: a grant before what completes it, a share's events as counted. */
    seq: c.int('seq').notNull().default(0),
    ...eventColumns(c)
  })

  /** How many events each share has on the log: the number of its latest. */
  const auditShareCounts = c.table('audit_share_counts', {
    shareId: c.text('share_id').primaryKey(),
    events: c.int('events').notNull()
  })

  /** One row: how many events are in the tree. The rest, if any, is about to be. */
  const auditHead = c.table('audit_head', {
    id: c.int('id').primaryKey(),
    size: c.int('size').notNull(),
    /** When the log was last seen to be writable. */
    checkedAt: c.int('checked_at').notNull()
  })

  /** Hashes of the tree, 1 to 256 of 32 bytes in a row, as C2SP tlog-tiles cuts them. */
  const auditTiles = c.table('audit_tiles', {
    level: c.int('level').notNull(),
    idx: c.int('idx').notNull(),
    hashes: c.bytes('hashes').notNull()
  })

  /** One row: the last checkpoint that was signed. None that contradicts it may ever be. */
  const auditCheckpoint = c.table('audit_checkpoint', {
    id: c.int('id').primaryKey(),
    size: c.int('size').notNull(),
    note: c.text('note').notNull(),
    signedAt: c.int('signed_at').notNull()
  })

  /** The latest checkpoint each witness has signed with us. */
  const auditCosignatures = c.table('audit_cosignatures', {
    witness: c.text('witness').primaryKey(),
    size: c.int('size').notNull(),
    /** Signature lines, as a signed note has them. */
    lines: c.text('lines').notNull(),
    at: c.int('at').notNull()
  })

  return {
    auditEvents,
    auditPending,
    auditShareCounts,
    auditHead,
    auditTiles,
    auditCheckpoint,
    auditCosignatures
  }
}
