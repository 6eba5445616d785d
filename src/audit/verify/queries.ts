import { and, asc, count, eq, gt, gte, lt, max, min, or, sql } from '../../../schemas/drizzle.ts'
import { prepared, type Queries } from '../../database/database.ts'

// The verifier reads the tables by itself: it must not see them through the code it checks.

const p = sql.placeholder

/** Whole rows from index `from` up to and without `to`, in order. */
export const rowsBetween = prepared<{ from: number; to: number }, EventRow[]>(q => {
  const { auditEvents } = q.tables
  return q
    .select()
    .from(auditEvents)
    .where(and(gte(auditEvents.idx, p('from')), lt(auditEvents.idx, p('to'))))
    .orderBy(asc(auditEvents.idx))
    .prepare('rows_between')
})
export type EventRow = Queries['tables']['auditEvents']['$inferSelect']

export const tileHashes = prepared<{ level: number; idx: number }, { hashes: Buffer }[]>(q => {
  const { auditTiles } = q.tables
  return q
    .select({ hashes: auditTiles.hashes })
    .from(auditTiles)
    .where(and(eq(auditTiles.level, p('level')), eq(auditTiles.idx, p('idx'))))
    .prepare('tile_hashes')
})

/**
 * Events that wait for their places, which are to be `placed` and those after it: as if they had them
 * already, those from index `from` up to and without `to`.
 */
export async function waitingRows(
  queries: Queries,
  placed: number,
  from: number,
  to: number
): Promise<EventRow[]> {
  if (queries.kind === 'sqlite') return []
  const { auditPending } = queries.tables
  const first = Math.max(from, placed)
  const rows = await queries
    .select()
    .from(auditPending)
    .orderBy(asc(auditPending.seq))
    .limit(to - first)
    .offset(first - placed)
  return rows.map(({ seq, ...row }, n) => ({ idx: first + n, ...row }))
}

/**
 * The first and the last index, and how many rows there are. On PostgreSQL those count that wait for
 * their places, from `placed` on: their numbers and grants are on the log like all others.
 */
export async function extentOf(queries: Queries) {
  const { auditEvents } = queries.tables
  const [extent] = await queries
    .select({ rows: count(), first: min(auditEvents.idx), last: max(auditEvents.idx) })
    .from(auditEvents)
  const { rows = 0, first, last } = extent ?? {}
  const waiting = await waitingCount(queries)
  const placed = (last ?? -1) + 1
  return { rows: rows + waiting, first: first ?? 0, last: placed + waiting - 1, placed }
}

async function waitingCount(queries: Queries): Promise<number> {
  if (queries.kind === 'sqlite') return 0
  const [found] = await queries.select({ rows: count() }).from(queries.tables.auditPending)
  return found?.rows ?? 0
}

export async function storedHead(queries: Queries): Promise<number | undefined> {
  const { auditHead } = queries.tables
  const [head] = await queries.select({ size: auditHead.size }).from(auditHead)
  return head?.size
}

export async function storedCheckpoint(queries: Queries) {
  const { auditCheckpoint } = queries.tables
  const [row] = await queries
    .select({ size: auditCheckpoint.size, note: auditCheckpoint.note })
    .from(auditCheckpoint)
  return row
}

export async function storedCosignatures(queries: Queries) {
  const { auditCosignatures } = queries.tables
  return await queries.select().from(auditCosignatures)
}

/** Tiles that a tree with `counts[level]` tiles on each level has not; at most `limit` of them. */
export async function surplusTiles(queries: Queries, counts: number[], limit: number) {
  const { auditTiles } = queries.tables
  const beyond = counts.map((tiles, level) =>
    and(eq(auditTiles.level, level), gte(auditTiles.idx, tiles))
  )
  return await queries
    .select({ level: auditTiles.level, index: auditTiles.idx })
    .from(auditTiles)
    .where(or(...beyond, gte(auditTiles.level, counts.length), lt(auditTiles.idx, 0)))
    .orderBy(asc(auditTiles.level), asc(auditTiles.idx))
    .limit(limit)
}

/** The counters of shares after this one, in the order of their ids. */
export async function shareCounts(queries: Queries, after: string, limit: number) {
  const { auditShareCounts } = queries.tables
  return await queries
    .select()
    .from(auditShareCounts)
    .where(gt(auditShareCounts.shareId, after))
    .orderBy(asc(auditShareCounts.shareId))
    .limit(limit)
}

/** Ids of the grants that are said to be under way. */
export async function grantsUnderWay(queries: Queries): Promise<string[]> {
  const { openDisclosures } = queries.tables
  const rows = await queries.select({ id: openDisclosures.grantId }).from(openDisclosures)
  return rows.map(({ id }) => id)
}
