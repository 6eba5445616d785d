import { desc, eq, max } from '../../../schemas/drizzle.ts'
import type { Database, Queries } from '../../database/database.ts'
import {
  type EventRow,
  eventStreams,
  NOT_FOUND,
  NOT_IN_CASE,
  type RareEvents
} from './event-streams.ts'
import { firstIdAt, type KeysetPage, pageOfStreams, upTo } from './keyset.ts'

export type { EventRow } from './event-streams.ts'

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
  /** Of that, its data alone. */
  ownDataOnly?: boolean
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
  rare?: RareEvents
  action?: string
  outcome?: string
  recipientCountry?: string
  patientRef?: Buffer
}

/**
 * Events newest first, from `before` (exclusive) on. The page may be short, or empty, and yet have a
 * `next`: so many events were looked at and did not match. Without `next` it is the last.
 */
export async function pageOfEvents(
  database: Pick<Database, 'read'>,
  filter: EventFilter,
  before: string | undefined,
  limit: number
): Promise<KeysetPage<EventRow>> {
  const newest = await newestId(database.read)
  if (newest === undefined) return { rows: [] }
  // What is written while this page is read belongs to none of its streams.
  const tops = [before ?? upTo(newest), ...(filter.to === undefined ? [] : [firstIdAt(filter.to)])]
  const from = filter.from === undefined ? undefined : firstIdAt(filter.from)
  const streams = await eventStreams(database, filter)
  return pageOfStreams(streams, { from, below: tops.sort()[0] ?? newest }, limit)
}

async function newestId(queries: Queries): Promise<string | undefined> {
  const { auditEvents } = queries.tables
  const [row] = await queries.select({ id: max(auditEvents.id) }).from(auditEvents)
  return row?.id ?? undefined
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

/**
 * Whether somebody of this organisation was told that an object of another does not exist. Its
 * owner's log says what it was; theirs must not, nor find the event by it.
 */
export function wasHidden(row: EventRow, organisationId: string): boolean {
  if (row.organisationId === organisationId || row.code === null) return false
  return row.code.endsWith(NOT_FOUND) || row.code === NOT_IN_CASE
}

/** Ids of an organisation's people and of those it shared with, the newest first; `max` of each. */
export async function knownPeople(
  queries: Queries,
  organisationId: string,
  max: number
): Promise<string[]> {
  const { accounts, shares } = queries.tables
  const own = await queries
    .select({ id: accounts.id })
    .from(accounts)
    .where(eq(accounts.organisationId, organisationId))
    .orderBy(desc(accounts.id))
    .limit(max)
  const sent = await queries
    .select({ id: shares.specialistId })
    .from(shares)
    .where(eq(shares.organisationId, organisationId))
    .orderBy(desc(shares.id))
    .limit(max)
  return [...new Set([...own, ...sent].map(({ id }) => id))]
}
