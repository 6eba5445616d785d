import { and, desc, eq, gte, isNull, lt, ne, notLike, or } from 'drizzle-orm'
import type { Queries } from '../database/database.ts'

/** Filters as the database knows them. All must hold. */
export interface EventFilter {
  /** Only what concerns this organisation: its data, its people, and callers nobody knows. */
  organisationId: string
  /** Milliseconds UTC: from (inclusive) and to (exclusive). */
  from?: number
  to?: number
  actorId?: string
  caseId?: string
  recordId?: string
  shareId?: string
  action?: string
  outcome?: string
  recipientCountry?: string
  patientRef?: Buffer
}

/** Events newest first, from `before` (exclusive) on. */
export function pageOfEvents(
  queries: Queries,
  filter: EventFilter,
  before: string | undefined,
  limit: number
) {
  const events = queries.tables.auditEvents
  const same = <T>(column: Parameters<typeof eq>[0], value: T | undefined) =>
    value === undefined ? undefined : eq(column, value)
  return queries
    .select()
    .from(events)
    .where(
      and(
        or(
          eq(events.organisationId, filter.organisationId),
          and(
            eq(events.actorOrganisationId, filter.organisationId),
            asksForObject(filter)
              ? or(
                  isNull(events.code),
                  and(notLike(events.code, `%${NOT_FOUND}`), ne(events.code, NOT_IN_CASE))
                )
              : undefined
          ),
          and(isNull(events.organisationId), isNull(events.actorOrganisationId))
        ),
        filter.from === undefined ? undefined : gte(events.id, firstIdAt(filter.from)),
        filter.to === undefined ? undefined : lt(events.id, firstIdAt(filter.to)),
        same(events.actorId, filter.actorId),
        same(events.caseId, filter.caseId),
        same(events.recordId, filter.recordId),
        same(events.shareId, filter.shareId),
        same(events.action, filter.action),
        same(events.outcome, filter.outcome),
        same(events.recipientCountry, filter.recipientCountry),
        same(events.patientRef, filter.patientRef),
        before === undefined ? undefined : lt(events.id, before)
      )
    )
    .orderBy(desc(events.id))
    .limit(limit)
}
export type EventRow = Awaited<ReturnType<typeof pageOfEvents>>[number]

const NOT_FOUND = '-not-found'
const NOT_IN_CASE = 'record-not-in-case'

/**
 * Whether somebody of this organisation was told that an object of another does not exist. Its
 * owner's log says what it was; theirs must not, nor find the event by it.
 */
export function wasHidden(row: EventRow, organisationId: string): boolean {
  if (row.organisationId === organisationId || row.code === null) return false
  return row.code.endsWith(NOT_FOUND) || row.code === NOT_IN_CASE
}

function asksForObject(filter: EventFilter): boolean {
  const { caseId, recordId, shareId, recipientCountry, patientRef } = filter
  return [caseId, recordId, shareId, recipientCountry, patientRef].some(
    value => value !== undefined
  )
}

/**
 * The smallest id of a millisecond: a UUIDv7 begins with its time (RFC 9562, section 5.7), so every
 * index that ends in the id serves time ranges too.
 */
function firstIdAt(milliseconds: number): string {
  const time = Math.max(0, milliseconds).toString(16).padStart(12, '0')
  return `${time.slice(0, 8)}-${time.slice(8)}-7000-8000-000000000000`
}
