import type { Columns } from './columns.ts'

/** The table of what specialists have asked for beside the records: more time to review them. */
export function timeTables(c: Columns) {
  /** Asked for once at a time for each share, and answered once. Triggers refuse all else. */
  const moreTime = c.table('more_time', {
    id: c.text('id').primaryKey(),
    shareId: c.text('share_id').notNull(),
    askedBy: c.text('asked_by').notNull(),
    askedAt: c.int('asked_at').notNull(),
    /** How long they would need. */
    hours: c.int('hours'),
    /** Why, in their own words, under the case's key. */
    wordsSealed: c.bytes('words_sealed'),
    answeredAt: c.int('answered_at'),
    answeredBy: c.text('answered_by'),
    /** Why not, under the case's key. */
    reasonSealed: c.bytes('reason_sealed'),
    /** The share that took the place of this one; null while it waits, and when it was declined. */
    shareGiven: c.text('share_given')
  })

  return { moreTime }
}
