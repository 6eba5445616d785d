import type { Columns } from './columns.ts'

/** The tables of legal holds and of what was erased. */
export function retentionTables(c: Columns) {
  /** While one of a case is not lifted, nothing of it is erased. */
  const legalHolds = c.table('legal_holds', {
    id: c.text('id').primaryKey(),
    caseId: c.text('case_id').notNull(),
    putBy: c.text('put_by').notNull(),
    putAt: c.int('put_at').notNull(),
    /** Why, under the key of the case. */
    reasonSealed: c.bytes('reason_sealed').notNull(),
    liftedBy: c.text('lifted_by'),
    liftedAt: c.int('lifted_at'),
    liftReasonSealed: c.bytes('lift_reason_sealed')
  })

  /**
   * What was erased, by whose word and under which policy. Triggers keep it as it is, but for what
   * became of the files, and let none in for a case that is held.
   */
  const erasures = c.table('erasures', {
    id: c.text('id').primaryKey(),
    caseId: c.text('case_id').notNull(),
    organisationId: c.text('organisation_id').notNull(),
    /** copies: the records that were sent in. case: everything that the key of the case opens too. */
    scope: c.text('scope').notNull(),
    /** retention: the policy said so. request: an administrator did. */
    ground: c.text('ground').notNull(),
    orderedBy: c.text('ordered_by'),
    at: c.int('at').notNull(),
    /** Version of the policy. */
    policy: c.text('policy').notNull(),
    /** What stayed, until when and why, as JSON. Nothing in it is personal. */
    stayed: c.text('stayed').notNull(),
    records: c.int('records').notNull(),
    objects: c.int('objects').notNull(),
    bytes: c.int('bytes').notNull(),
    /** Pseudonymised copies that went with them; of those no row is left. */
    copies: c.int('copies').notNull(),
    /** SHA-256 of what was erased, down to the digest of each file. The event has it too. */
    manifest: c.bytes('manifest').notNull(),
    /** Its event on the access log. */
    eventId: c.text('event_id').notNull(),
    /** When every file had been asked to go. */
    filesAt: c.int('files_at'),
    /** How many of them, or versions of them, the store would not let go. */
    filesKept: c.int('files_kept').notNull(),
    /** When the files are to be removed, or tried again; null when nothing is left to be done. */
    filesDue: c.int('files_due')
  })

  const erasedRecords = c.table('erased_records', {
    recordId: c.text('record_id').primaryKey(),
    erasureId: c.text('erasure_id').notNull()
  })

  const erasedCases = c.table('erased_cases', {
    caseId: c.text('case_id').primaryKey(),
    erasureId: c.text('erasure_id').notNull()
  })

  /** When a closed case is to be looked at again. One that has no row has not been looked at. */
  const caseRetention = c.table('case_retention', {
    caseId: c.text('case_id').primaryKey(),
    lookAt: c.int('look_at').notNull(),
    /** When the access log lost what it said of the case beside its leaves: the very end. */
    auditErasedAt: c.int('audit_erased_at')
  })

  return { legalHolds, erasures, erasedRecords, erasedCases, caseRetention }
}
