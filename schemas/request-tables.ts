import type { Columns } from './columns.ts'

/** The tables of requests for a second opinion and of where each case stands. */
export function requestTables(c: Columns) {
  /**
   * Where each case stands, and the request for a second opinion on it. A case has its row from the
   * beginning; until somebody writes the request its version is 0 and the case is asked by its
   * question alone.
   */
  const caseRequests = c.table('case_requests', {
    caseId: c.text('case_id').primaryKey(),
    /** draft, complete, opinion-received or closed. `shared` is no state of the row: shares tell. */
    state: c.text('state').notNull(),
    /** When everything a reviewer needs was first there: the turnaround clock begins. */
    completedAt: c.int('completed_at'),
    completedBy: c.text('completed_by'),
    opinionAt: c.int('opinion_at'),
    closedAt: c.int('closed_at'),
    /** Counts what was written, for If-Match. It is bound into the box beside it. */
    version: c.int('version').notNull(),
    /** The whole request, under the case's key. */
    requestSealed: c.bytes('request_sealed'),
    answersVersion: c.int('answers_version').notNull(),
    /** The answers to the checklist and which version of it they answer, under the case's key. */
    answersSealed: c.bytes('answers_sealed'),
    /** The highest number of a question that a specialist was ever sent. */
    questionsShared: c.int('questions_shared').notNull(),
    /** The end of the day it is due. In clear, so that what is overdue is found without any key. */
    dueAt: c.int('due_at'),
    changedAt: c.int('changed_at'),
    changedBy: c.text('changed_by')
  })

  /** What moved a case, who and when. Triggers refuse change and removal. */
  const caseMoves = c.table('case_moves', {
    caseId: c.text('case_id').notNull(),
    /** From 1, without a gap. */
    position: c.int('position').notNull(),
    /** One of `src/cases/moves.ts`. */
    move: c.text('move').notNull(),
    /** As they were shown: a live share makes a draft or complete case `shared`. */
    fromState: c.text('from_state').notNull(),
    toState: c.text('to_state').notNull(),
    at: c.int('at').notNull(),
    movedBy: c.text('moved_by').notNull(),
    shareId: c.text('share_id'),
    /** Why, in the words of who did it, under the case's key. */
    reasonSealed: c.bytes('reason_sealed')
  })

  return { caseRequests, caseMoves }
}
