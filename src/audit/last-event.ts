import type { Action } from '../../schemas/audit-event.ts'
import { inArray, sql } from '../../schemas/drizzle.ts'
import type { Queries } from '../database/database.ts'

/** Looking, which is no news of a case unless it is done through a share. */
const looks: Action[] = [
  'case.read',
  'request.read',
  'checklist.read',
  'record.list',
  'record.read',
  'content.read',
  'share.list',
  'audit.query',
  'audit.export',
  'audit.report'
]

/** What is news: what was done, and what a specialist saw. Not what was refused. */
const isNews = sql`event.outcome <> 'refused' and (event.share_id is not null
  or event.action not in (${sql.join(
    looks.map(action => sql`${action}`),
    sql`, `
  )}))`

/** When something last happened to each of these cases, in milliseconds UTC. */
export async function lastEventTimes(
  queries: Queries,
  caseIds: string[]
): Promise<Map<string, number>> {
  const times = new Map<string, number>()
  if (caseIds.length === 0) return times
  const { cases } = queries.tables
  // Ids grow with time: the newest event of a case is near the end of its stretch of one index.
  const newestIn = (table: 'audit_events' | 'audit_pending') =>
    sql<string | null>`(select event.id from ${sql.raw(table)} as event
      where event.case_id = cases.id and event.case_id is not null and ${isNews}
      order by event.id desc limit 1)`
  const placed = newestIn('audit_events')
  // On PostgreSQL the events of the last second have no place yet.
  const last =
    queries.kind === 'sqlite'
      ? placed
      : sql<string | null>`greatest(${newestIn('audit_pending')}, ${placed})`
  const rows = await queries
    .select({ caseId: cases.id, last })
    .from(cases)
    .where(inArray(cases.id, caseIds))
  for (const { caseId, last } of rows) {
    if (last !== null) times.set(caseId, timeOf(last))
  }
  return times
}

/** RFC 9562, section 5.7: the first 48 bits of a UUIDv7 are milliseconds since 1970 UTC. */
const timeOf = (id: string): number => Number.parseInt(id.replace('-', '').slice(0, 12), 16)
