import {
  and,
  desc,
  eq,
  gte,
  inArray,
  isNotNull,
  isNull,
  lt,
  ne,
  notLike,
  or,
  sql
} from 'drizzle-orm'
import type { Queries } from '../database/database.ts'

/** Events of one action that ended in one of these ways, with a share or without if it matters. */
export interface EventKind {
  action: string
  outcomes: string[]
  viaShare: boolean | undefined
}

/** Filters as the database knows them. All must hold. */
export interface EventFilter {
  /** Only what concerns this organisation: its data, its people, and callers nobody knows. */
  organisationId: string
  /** Milliseconds UTC: from (inclusive) and to (exclusive). */
  from?: number
  to?: number
  id?: string
  actorId?: string
  caseId?: string
  recordId?: string
  objectId?: string
  shareId?: string
  /** Events of any of these kinds; none at all when there is none. */
  kinds?: EventKind[]
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
        same(events.id, filter.id),
        same(events.actorId, filter.actorId),
        same(events.caseId, filter.caseId),
        same(events.recordId, filter.recordId),
        same(events.objectId, filter.objectId),
        same(events.shareId, filter.shareId),
        filter.kinds && anyKind(events, filter.kinds),
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

function anyKind(events: Queries['tables']['auditEvents'], kinds: EventKind[]) {
  const conditions = kinds.map(({ action, outcomes, viaShare }) =>
    and(
      eq(events.action, action),
      inArray(events.outcome, outcomes),
      viaShare === undefined
        ? undefined
        : viaShare
          ? isNotNull(events.shareId)
          : isNull(events.shareId)
    )
  )
  return conditions.length === 0 ? sql`1 = 0` : or(...conditions)
}

/** Whose event this is, whoever asks. */
export async function ownerOfEvent(
  queries: Queries,
  id: string
): Promise<{ organisationId: string | null } | undefined> {
  const { auditEvents } = queries.tables
  const [row] = await queries
    .select({ organisationId: auditEvents.organisationId })
    .from(auditEvents)
    .where(eq(auditEvents.id, id))
  return row
}

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
  const { caseId, recordId, objectId, shareId, recipientCountry, patientRef } = filter
  return [caseId, recordId, objectId, shareId, recipientCountry, patientRef].some(
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
