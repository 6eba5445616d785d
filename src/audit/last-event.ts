import { and, inArray, isNotNull, sql } from '../../schemas/drizzle.ts'
import type { Queries } from '../database/database.ts'

/** When each of these cases was last on the access log, in milliseconds UTC. */
export async function lastEventTimes(
  queries: Queries,
  caseIds: string[]
): Promise<Map<string, number>> {
  const times = new Map<string, number>()
  if (caseIds.length === 0) return times
  const { cases, auditEvents: events, auditPending: pending } = queries.tables
  // Ids grow with time: the newest event of a case is the end of its stretch of one index. The names
  // are written out, because Drizzle drops those of tables where there is one table.
  const last = sql<string | null>`(select max(audit_events.id) from ${events}
    where audit_events.case_id = cases.id and audit_events.case_id is not null)`
  const rows = await queries
    .select({ caseId: cases.id, last })
    .from(cases)
    .where(inArray(cases.id, caseIds))
  if (queries.kind === 'postgres') rows.push(...(await stillWaiting()))
  for (const { caseId, last } of rows) {
    if (last === null) continue
    times.set(caseId, Math.max(timeOf(last), times.get(caseId) ?? 0))
  }
  return times

  /** On PostgreSQL the events of the last second have no place yet. */
  function stillWaiting() {
    return queries
      .select({ caseId: sql<string>`${pending.caseId}`, last: sql<string>`max(${pending.id})` })
      .from(pending)
      .where(and(isNotNull(pending.caseId), inArray(pending.caseId, caseIds)))
      .groupBy(pending.caseId)
  }
}

/** RFC 9562, section 5.7: the first 48 bits of a UUIDv7 are milliseconds since 1970 UTC. */
const timeOf = (id: string): number => Number.parseInt(id.replace('-', '').slice(0, 12), 16)
