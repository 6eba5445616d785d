import { and, asc, count, eq, gte, inArray, lt, or } from '../../../schemas/drizzle.ts'
import type { Queries } from '../../database/database.ts'

/** Placeholders that a database takes in one query are few; ids come in groups of this many. */
const IDS_PER_QUERY_MAX = 500

/** Which events a report is made of. Times are milliseconds UTC: from (inclusive), to (exclusive). */
export interface ReportFilter {
  organisationId: string
  caseIds: string[]
  /** Only what this share allowed. */
  shareId?: string
  from: number
  to: number
}

/** Events by which somebody got to see something of these cases, oldest first. */
export function disclosingEvents(queries: Queries, filter: ReportFilter, limit: number) {
  const { auditEvents: events } = queries.tables
  return queries
    .select()
    .from(events)
    .where(
      and(
        inPeriod(queries, filter),
        or(
          and(eq(events.action, 'content.read'), inArray(events.outcome, ['granted', 'success'])),
          and(inArray(events.action, ['link.open', 'share.read']), eq(events.outcome, 'success'))
        )
      )
    )
    .orderBy(asc(events.id))
    .limit(limit)
}
export type EventRow = Awaited<ReturnType<typeof disclosingEvents>>[number]

/** How many attempts were refused, by the code that they were told. */
export function refusals(queries: Queries, filter: ReportFilter) {
  const { auditEvents: events } = queries.tables
  return queries
    .select({ code: events.code, count: count() })
    .from(events)
    .where(and(inPeriod(queries, filter), eq(events.outcome, 'refused')))
    .groupBy(events.code)
    .orderBy(asc(events.code))
}

/** The second events of these disclosures, whenever they came, by the first. */
export async function endings(
  queries: Queries,
  caseIds: string[],
  granted: string[]
): Promise<Map<string, EventRow>> {
  const { auditEvents: events } = queries.tables
  const ended = new Map<string, EventRow>()
  async function find(ids: string[], from: string): Promise<void> {
    const rows = await queries
      .select()
      .from(events)
      // Case and id are there for the index.
      .where(
        and(inArray(events.caseId, caseIds), gte(events.id, from), inArray(events.grantId, ids))
      )
    for (const row of rows) if (row.grantId !== null) ended.set(row.grantId, row)
  }
  for (const ids of groupsOf(granted)) {
    await find(ids, ids[0] ?? '')
    // An ending is younger than what it ends, unless the clock was put back in between.
    const left = ids.filter(id => !ended.has(id))
    if (left.length > 0) await find(left, '')
  }
  return ended
}

/** Where on the log it is that these shares were made and withdrawn. */
export async function shareEntries(queries: Queries, shareIds: string[]) {
  const { auditEvents: events } = queries.tables
  const entries = []
  for (const ids of groupsOf(shareIds)) {
    const rows = await queries
      .select({
        event: events.id,
        index: events.idx,
        action: events.action,
        shareId: events.shareId,
        detailsSealed: events.detailsSealed
      })
      .from(events)
      .where(
        and(
          inArray(events.shareId, ids),
          inArray(events.action, ['share.create', 'share.revoke', 'case.decline']),
          eq(events.outcome, 'success')
        )
      )
    entries.push(...rows)
  }
  return entries
}

function inPeriod(
  { tables }: Queries,
  { organisationId, caseIds, shareId, from, to }: ReportFilter
) {
  const { auditEvents: events } = tables
  return and(
    inArray(events.caseId, caseIds),
    eq(events.organisationId, organisationId),
    shareId === undefined ? undefined : eq(events.shareId, shareId),
    gte(events.at, from),
    lt(events.at, to)
  )
}

function groupsOf(ids: string[]): string[][] {
  const groups = []
  for (let at = 0; at < ids.length; at += IDS_PER_QUERY_MAX) {
    groups.push(ids.slice(at, at + IDS_PER_QUERY_MAX))
  }
  return groups
}
