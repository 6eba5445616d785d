import {
  and,
  asc,
  desc,
  eq,
  exists,
  gt,
  gte,
  inArray,
  isNull,
  lt,
  lte,
  min,
  or,
  sql
} from '../../schemas/drizzle.ts'
import { held, isAmong, listed, prepared, type Queries } from '../database/database.ts'

const p = sql.placeholder

export const findShare = prepared(q =>
  q
    .select()
    .from(q.tables.shares)
    .where(eq(q.tables.shares.id, p('id')))
    .prepare('find_share')
)
export type ShareRow = Awaited<ReturnType<typeof findShare>>[number]

/**
 * The same, which then stays as it is until the transaction ends: a withdrawal comes before it, and
 * is seen, or after it.
 */
export const findShareHeld = prepared(q =>
  held(
    q,
    q
      .select()
      .from(q.tables.shares)
      .where(eq(q.tables.shares.id, p('id'))),
    'share'
  ).prepare('find_share_held')
)

/** Ids of the records a share names, in their order. */
export const findShareRecords = prepared(q =>
  q
    .select({ recordId: q.tables.shareRecords.recordId })
    .from(q.tables.shareRecords)
    .where(eq(q.tables.shareRecords.shareId, p('shareId')))
    .orderBy(asc(q.tables.shareRecords.position))
    .prepare('find_share_records')
)

/** Stores a share with its records; false, and nothing is done, when there is one with this id. */
export async function insertShare(
  tx: Queries,
  row: ShareRow,
  recordIds: string[]
): Promise<boolean> {
  const { shares } = tx.tables
  const made = await tx
    .insert(shares)
    .values(row)
    .onConflictDoNothing({ target: shares.id })
    .returning({ id: shares.id })
  if (made.length === 0) return false
  await tx
    .insert(tx.tables.shareRecords)
    .values(recordIds.map((recordId, position) => ({ shareId: row.id, recordId, position })))
  return true
}

/**
 * Counts one opening, in one statement that only a live share with an opening left passes, so that
 * no number of callers at once can pass the limit. Returns the share as it is then, or nothing.
 */
export const countOpening = prepared(q => {
  const { shares } = q.tables
  return q
    .update(shares)
    .set({
      openings: sql`${shares.openings} + 1`,
      openUntil: sql`${p('openUntil')}`
    })
    .where(
      and(
        eq(shares.id, p('id')),
        eq(shares.specialistId, p('specialistId')),
        isNull(shares.revokedAt),
        sql`${shares.notBefore} <= ${p('now')}`,
        sql`${shares.expiresAt} > ${p('now')}`,
        or(isNull(shares.openingsMax), lt(shares.openings, shares.openingsMax))
      )
    )
    .returning()
    .prepare('count_opening')
})

/**
 * Ends a share for good, with the one that takes its place if there is one. Returns the share, or
 * nothing when it had been revoked before.
 */
export function revokeRow(
  tx: Queries,
  revoked: { id: string; by: string; at: number; replacedBy: string | undefined }
): Promise<ShareRow[]> {
  const { shares } = tx.tables
  const { at: revokedAt, by: revokedBy, replacedBy = null } = revoked
  return tx
    .update(shares)
    .set({ revokedAt, revokedBy, replacedBy })
    .where(and(eq(shares.id, revoked.id), isNull(shares.revokedAt)))
    .returning()
}

/** Shares with one specialist, newest first, from `before` (exclusive) on. */
export function receivedShares(
  queries: Queries,
  {
    specialistId,
    before,
    limit
  }: { specialistId: string; before?: string | undefined; limit: number }
): Promise<ShareRow[]> {
  const { shares } = queries.tables
  return queries
    .select()
    .from(shares)
    .where(
      and(
        eq(shares.specialistId, specialistId),
        before === undefined ? undefined : lt(shares.id, before)
      )
    )
    .orderBy(desc(shares.id))
    .limit(limit)
}

/** Shares of one organisation, newest first, from `before` (exclusive) on. */
export function pageOfShares(
  queries: Queries,
  filter: {
    organisationId: string
    caseId?: string
    specialistId?: string
    before?: string
    limit: number
  }
): Promise<ShareRow[]> {
  const { shares } = queries.tables
  return queries
    .select()
    .from(shares)
    .where(
      and(
        eq(shares.organisationId, filter.organisationId),
        filter.caseId === undefined ? undefined : eq(shares.caseId, filter.caseId),
        filter.specialistId === undefined
          ? undefined
          : eq(shares.specialistId, filter.specialistId),
        filter.before === undefined ? undefined : lt(shares.id, filter.before)
      )
    )
    .orderBy(desc(shares.id))
    .limit(filter.limit)
}

/** Shares that ended by this moment, and for which copies are still there. */
export function endedWithCopies(
  queries: Queries,
  before: number,
  limit: number
): Promise<{ id: string; caseId: string }[]> {
  const { shares, records } = queries.tables
  const { id, caseId } = shares
  const copies = queries.select({ id: records.id }).from(records).where(eq(records.copyFor, id))
  return queries
    .select({ id, caseId })
    .from(shares)
    .where(
      and(
        eq(shares.pseudonymised, true),
        or(lte(shares.expiresAt, before), lte(shares.revokedAt, before)),
        exists(copies)
      )
    )
    .orderBy(asc(id))
    .limit(limit)
}

/** How far the shares have been looked through: those that end before it, and at it up to this id. */
export interface Mark {
  at: number
  shareId: string
}

/** The mark of this name, which is made at `at` when there is none. */
export async function readMark(tx: Queries, name: string, at: number): Promise<Mark> {
  const { noticeMarks: marks } = tx.tables
  await tx.insert(marks).values({ name, at, shareId: '' }).onConflictDoNothing()
  const [mark] = await tx
    .select({ at: marks.at, shareId: marks.shareId })
    .from(marks)
    .where(eq(marks.name, name))
  return mark ?? { at, shareId: '' }
}

/** Moves a mark on. False when another process has done so meanwhile. */
export async function moveMark(tx: Queries, name: string, from: Mark, to: Mark): Promise<boolean> {
  const { noticeMarks: marks } = tx.tables
  const moved = await tx
    .update(marks)
    .set(to)
    .where(and(eq(marks.name, name), eq(marks.at, from.at), eq(marks.shareId, from.shareId)))
    .returning({ name: marks.name })
  return moved.length > 0
}

/** Shares that are not withdrawn and end at or after the mark and until this moment, the first first. */
export function sharesEndingAfter(
  queries: Queries,
  mark: Mark,
  until: number,
  limit: number
): Promise<ShareRow[]> {
  const { shares } = queries.tables
  return queries
    .select()
    .from(shares)
    .where(
      and(
        isNull(shares.revokedAt),
        gte(shares.expiresAt, mark.at),
        lte(shares.expiresAt, until),
        or(gt(shares.expiresAt, mark.at), gt(shares.id, mark.shareId))
      )
    )
    .orderBy(asc(shares.expiresAt), asc(shares.id))
    .limit(limit)
}

const clockTimesOfCases = prepared(q => {
  const { caseId, completedAt, dueAt } = q.tables.caseRequests
  return q
    .select({ caseId, completedAt, dueAt })
    .from(q.tables.caseRequests)
    .where(isAmong(q, caseId, 'caseIds'))
    .prepare('clock_times')
})

/** When each of these cases was complete, and is due. */
export const clockTimes = (queries: Queries, caseIds: string[]) =>
  clockTimesOfCases(queries, { caseIds: listed(queries, caseIds) })

const firstOpinionsOfShares = prepared(q => {
  const { caseMoves, shares } = q.tables
  return q
    .select({ shareId: shares.id, at: min(caseMoves.at) })
    .from(shares)
    .innerJoin(
      caseMoves,
      and(
        eq(caseMoves.caseId, shares.caseId),
        eq(caseMoves.shareId, shares.id),
        eq(caseMoves.move, 'opinion')
      )
    )
    .where(isAmong(q, shares.id, 'shareIds'))
    .groupBy(shares.id)
    .prepare('first_opinions')
})

/** When the first opinion came back through each of these shares; nothing where none did. */
export const firstOpinions = (queries: Queries, shareIds: string[]) =>
  firstOpinionsOfShares(queries, { shareIds: listed(queries, shareIds) })

/** Of these shares those whose specialist waits to hear about more time. */
export async function waitingForTime(queries: Queries, shareIds: string[]) {
  if (shareIds.length === 0) return []
  const { moreTime } = queries.tables
  return queries
    .select({ shareId: moreTime.shareId })
    .from(moreTime)
    .where(and(inArray(moreTime.shareId, shareIds), isNull(moreTime.answeredAt)))
}
