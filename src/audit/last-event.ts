import { inArray, sql } from '../../schemas/drizzle.ts'
import type { Queries } from '../database/database.ts'

/**
 * What was done, and what a specialist saw; not what was refused, nor looking, which is no news of a
 * case unless it is done through a share. Word for word the condition of the index
 * `audit_events_news`: without it a case that is looked at often would be slow to look at.
 */
const isNews = sql.raw(`event.case_id IS NOT NULL AND event.outcome <> 'refused'
  AND (event.share_id IS NOT NULL OR (event.action NOT LIKE '%.read'
    AND event.action NOT LIKE '%.list' AND event.action NOT LIKE 'audit.%'))`)

/**
 * For a query of cases: the id of the newest event of each, or null. Ids grow with time, so it is the
 * last of its stretch of the index.
 */
export function newestEvent(queries: Queries) {
  const newestIn = (table: 'audit_events' | 'audit_pending') =>
    sql<string | null>`(select event.id from ${sql.raw(table)} as event
      where event.case_id = cases.id and ${isNews} order by event.id desc limit 1)`
  const placed = newestIn('audit_events')
  if (queries.kind === 'sqlite') return placed
  // On PostgreSQL the events of the last second have no place yet.
  return sql<string | null>`greatest(${newestIn('audit_pending')}, ${placed})`
}

/** When something last happened to each of these cases, in milliseconds UTC. */
export async function lastEventTimes(
  queries: Queries,
  caseIds: string[]
): Promise<Map<string, number>> {
  const { cases } = queries.tables
  const rows = await queries
    .select({ caseId: cases.id, last: newestEvent(queries) })
    .from(cases)
    .where(inArray(cases.id, caseIds))
  return new Map(
    rows.flatMap(({ caseId, last }) => (last === null ? [] : [[caseId, eventTime(last)]]))
  )
}

/** When an event was, by its id. RFC 9562, section 5.7: a UUIDv7 begins with 48 bits of milliseconds. */
export const eventTime = (id: string): number =>
  Number.parseInt(id.replace('-', '').slice(0, 12), 16)
