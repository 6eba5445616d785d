import {
  and,
  asc,
  count,
  eq,
  exists,
  gt,
  gte,
  inArray,
  isNull,
  lte,
  or,
  sql
} from '../../schemas/drizzle.ts'
import type { Queries } from '../database/database.ts'
import type { ShareRow } from './share.ts'

/** Which of an organisation's shares are meant: those that have not ended by `now`. */
export interface LiveFilter {
  organisationId: string
  caseId?: string | undefined
  specialistId?: string | undefined
  /** Only these; they are few. */
  ids?: string[] | undefined
  /** Made by then, in milliseconds UTC. */
  madeUntil?: number | undefined
  now: number
}

function isLive(
  queries: Queries,
  { organisationId, caseId, specialistId, ids, madeUntil, now }: LiveFilter
) {
  const { shares } = queries.tables
  return and(
    eq(shares.organisationId, organisationId),
    isNull(shares.revokedAt),
    gt(shares.expiresAt, now),
    caseId === undefined ? undefined : eq(shares.caseId, caseId),
    specialistId === undefined ? undefined : eq(shares.specialistId, specialistId),
    ids === undefined ? undefined : inArray(shares.id, ids),
    madeUntil === undefined ? undefined : lte(shares.createdAt, madeUntil)
  )
}

/**
 * How many shares of an organisation that were live at `since` this person has ended from then on. One
 * that made way for a newer share is not counted.
 */
export async function countEnded(
  queries: Queries,
  { organisationId, by, since }: { organisationId: string; by: string; since: number }
): Promise<number> {
  const { shares } = queries.tables
  const [row] = await queries
    .select({ ended: count() })
    .from(shares)
    .where(
      and(
        eq(shares.organisationId, organisationId),
        gt(shares.expiresAt, since),
        lte(shares.createdAt, since),
        eq(shares.revokedBy, by),
        gte(shares.revokedAt, since),
        isNull(shares.replacedBy)
      )
    )
  return Number(row?.ended)
}

/** Those of a filter, the first to end first, from `after` (exclusive) on. */
export function pageOfLive(
  queries: Queries,
  filter: LiveFilter & { after?: { expiresAt: number; id: string } | undefined; limit: number }
): Promise<ShareRow[]> {
  const { shares } = queries.tables
  const { after, limit } = filter
  const isAfter = after && [
    gt(shares.expiresAt, after.expiresAt),
    and(eq(shares.expiresAt, after.expiresAt), gt(shares.id, after.id))
  ]
  return queries
    .select()
    .from(shares)
    .where(and(isLive(queries, filter), isAfter && or(...isAfter)))
    .orderBy(asc(shares.expiresAt), asc(shares.id))
    .limit(limit)
}

/** How many there are of a filter, and of those that somebody should see to. */
export async function countLive(queries: Queries, filter: LiveFilter, endingBy: number) {
  const { shares, caseRequests, moreTime } = queries.tables
  const one = sql`1`
  const waiting = queries
    .select({ one })
    .from(moreTime)
    .where(and(eq(moreTime.shareId, shares.id), isNull(moreTime.answeredAt)))
  const overdue = and(lte(caseRequests.dueAt, filter.now), isUnanswered(queries))
  const many = (condition: unknown) => sql<number>`count(case when ${condition} then 1 end)`
  const [row] = await queries
    .select({
      live: count(),
      endingWithinDay: many(lte(shares.expiresAt, endingBy)),
      unopened: many(eq(shares.openings, 0)),
      overdue: many(overdue),
      moreTimeAsked: many(and(exists(waiting), isUnanswered(queries)))
    })
    .from(shares)
    .innerJoin(caseRequests, eq(caseRequests.caseId, shares.caseId))
    .where(isLive(queries, filter))
  return {
    live: Number(row?.live),
    endingWithinDay: Number(row?.endingWithinDay),
    unopened: Number(row?.unopened),
    overdue: Number(row?.overdue),
    moreTimeAsked: Number(row?.moreTimeAsked)
  }
}

/** A live share whose opinion is due, with by when, and where its days are counted. */
export interface DueShare {
  share: ShareRow
  dueAt: number | null
  timeZone: string
}

/**
 * Shares that can be opened, through which no opinion came back, and whose case is due after `now` and
 * until `until`: the first due first, from `after` (exclusive) on.
 */
export function dueShares(
  queries: Queries,
  asked: {
    now: number
    until: number
    after: { dueAt: number; id: string } | undefined
    limit: number
  }
): Promise<DueShare[]> {
  const { shares, caseRequests, organisations } = queries.tables
  const { now, until, after, limit } = asked
  const isAfter = after && [
    gt(caseRequests.dueAt, after.dueAt),
    and(eq(caseRequests.dueAt, after.dueAt), gt(shares.id, after.id))
  ]
  return queries
    .select({
      share: shares,
      dueAt: caseRequests.dueAt,
      timeZone: organisations.timeZone
    })
    .from(caseRequests)
    .innerJoin(shares, eq(shares.caseId, caseRequests.caseId))
    .innerJoin(organisations, eq(organisations.id, shares.organisationId))
    .where(
      and(
        gt(caseRequests.dueAt, now),
        lte(caseRequests.dueAt, until),
        // A constant, so that the index of what is due is used.
        sql`${caseRequests.state} <> 'closed'`,
        isNull(shares.revokedAt),
        lte(shares.notBefore, now),
        gt(shares.expiresAt, now),
        isUnanswered(queries),
        isAfter && or(...isAfter)
      )
    )
    .orderBy(asc(caseRequests.dueAt), asc(shares.id))
    .limit(limit)
}

/** No opinion came back through the share of the row. */
function isUnanswered(queries: Queries) {
  const { shares, caseMoves } = queries.tables
  const opinions = queries
    .select({ one: sql`1` })
    .from(caseMoves)
    .where(
      and(
        eq(caseMoves.caseId, shares.caseId),
        eq(caseMoves.shareId, shares.id),
        eq(caseMoves.move, 'opinion')
      )
    )
  return sql`not ${exists(opinions)}`
}
