import type { Columns } from './columns.ts'

/** The tables of what comes back: opinions, their addenda, and what is written to and fro. */
export function opinionTables(c: Columns) {
  /**
   * One opinion of one share, from its first draft on. A draft may go on under another share of the
   * same specialist; once it is submitted, triggers refuse every change but the acknowledgement.
   */
  const opinions = c.table('opinions', {
    id: c.text('id').primaryKey(),
    shareId: c.text('share_id').notNull(),
    caseId: c.text('case_id').notNull(),
    /** Counts what was saved, for If-Match. It is bound into the box beside it. */
    version: c.int('version').notNull(),
    /** What the specialist wrote, under the case's key. */
    textSealed: c.bytes('text_sealed').notNull(),
    savedAt: c.int('saved_at').notNull(),
    submittedAt: c.int('submitted_at'),
    /** The signed form, a JWS, under the case's key. */
    signedSealed: c.bytes('signed_sealed'),
    /** The record of the case that is its PDF. */
    recordId: c.text('record_id'),
    /** Receipt, by a clinician of the organisation that asked. */
    acknowledgedAt: c.int('acknowledged_at'),
    acknowledgedBy: c.text('acknowledged_by')
  })

  /** What was added after an opinion was submitted. Triggers refuse change and removal. */
  const opinionAddenda = c.table('opinion_addenda', {
    opinionId: c.text('opinion_id').notNull(),
    /** From 1, without a gap. */
    number: c.int('number').notNull(),
    at: c.int('at').notNull(),
    /** The signed form with its text, a JWS, under the case's key. */
    signedSealed: c.bytes('signed_sealed').notNull(),
    /** The record of the case that is its PDF. */
    recordId: c.text('record_id').notNull()
  })

  /** Questions and replies about one share. Triggers refuse change and removal. */
  const shareMessages = c.table('share_messages', {
    id: c.text('id').primaryKey(),
    shareId: c.text('share_id').notNull(),
    authorId: c.text('author_id').notNull(),
    at: c.int('at').notNull(),
    /** Under the case's key. */
    textSealed: c.bytes('text_sealed').notNull()
  })

  /** Why a specialist will not review what was shared. Triggers refuse change and removal. */
  const shareDeclines = c.table('share_declines', {
    shareId: c.text('share_id').primaryKey(),
    at: c.int('at').notNull(),
    /** Under the case's key. */
    reasonSealed: c.bytes('reason_sealed').notNull()
  })

  return { opinions, opinionAddenda, shareMessages, shareDeclines }
}
