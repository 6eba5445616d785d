import type { SQL, SQLWrapper } from 'drizzle-orm'
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
} from '../../../schemas/drizzle.ts'
import type { Database, Queries } from '../../database/database.ts'
import type { Range, Stream } from './keyset.ts'
import type { EventFilter, EventKind } from './queries.ts'

// Which index answers a question to the log. Every stream is one index from which entries are taken
// in order; what else is asked for is looked up entry by entry. The planner must have no choice, or
// it would some day choose another index and sort: conditions that are not for the index are hidden
// from it, and those of partial indexes are repeated word for word.

type Reader = Pick<Database, 'read'>
type Events = Queries['tables']['auditEvents']
export type EventRow = Events['$inferSelect']

/** Conditions on the index, in its own words, and the rest. */
interface Plan {
  on: SQL | undefined
  rest?: SQL | undefined
}

/** Selections that the log has an index for, because they are rare among all events. */
export type RareEvents = 'refused' | 'disclosed-abroad' | 'log-read'

export const LOG_READS = ['audit.query', 'audit.export', 'audit.report']

/** The conditions of partial indexes of the migration, word for word. */
const rare: Record<RareEvents, (events: Events) => SQL> = {
  refused: events => sql`${events.outcome} = 'refused'`,
  'disclosed-abroad': events =>
    sql`${events.recipientCountry} <> 'GB' AND ${events.outcome} IN ('granted', 'success') AND ${events.action} IN ('link.open', 'share.read', 'content.read')`,
  'log-read': events => sql`${events.action} IN ('audit.query', 'audit.export', 'audit.report')`
}

/**
 * The streams whose rows, merged, are all events that fulfil the filter, each once. The most
 * selective index comes first; what the filter says beside it is a condition on its entries.
 */
export async function eventStreams(
  database: Reader,
  filter: EventFilter
): Promise<Stream<EventRow>[]> {
  if (filter.kinds?.length === 0) return []
  const plans = await plansFor(database, filter)
  return plans.map(plan => streamOf(database, plan))
}

async function plansFor(database: Reader, filter: EventFilter): Promise<Plan[]> {
  const { auditEvents: events } = database.read.tables
  const rest = and(visible(events, filter), otherwise(events, filter))
  if (filter.patientRef !== undefined) return patientPlans(database, filter.patientRef, rest)
  if (filter.id !== undefined) return [{ on: eq(events.id, filter.id), rest }]
  if (filter.shareId !== undefined) return [{ on: eq(events.shareId, filter.shareId), rest }]
  const caseId = filter.caseId ?? (await caseAbout(database, filter))
  if (caseId !== undefined) return [{ on: eq(events.caseId, caseId), rest }]
  if (filter.actorId !== undefined) return [{ on: eq(events.actorId, filter.actorId), rest }]
  return organisationPlans(events, filter)
}

/**
 * By the patient's cases, wherever they are: an erasure takes the patient off the events, not the
 * case. Events without a case are found by the patient.
 */
async function patientPlans(
  { read }: Reader,
  patientRef: Buffer,
  rest: SQL | undefined
): Promise<Plan[]> {
  const { auditEvents: events, cases } = read.tables
  const known = await read
    .select({ id: cases.id })
    .from(cases)
    .where(eq(cases.patientRef, patientRef))
  return [
    ...known.map(({ id }) => ({ on: eq(events.caseId, id), rest })),
    { on: and(eq(events.patientRef, patientRef), isNull(events.caseId)), rest }
  ]
}

/** The case of the record or the object asked for; of one that is not there nothing is known. */
async function caseAbout(
  { read }: Reader,
  { recordId, objectId }: EventFilter
): Promise<string | undefined> {
  const { records, objects } = read.tables
  if (recordId === undefined && objectId === undefined) return undefined
  const [row] =
    recordId !== undefined
      ? await read.select({ caseId: records.caseId }).from(records).where(eq(records.id, recordId))
      : await read
          .select({ caseId: records.caseId })
          .from(objects)
          .innerJoin(records, eq(records.id, objects.recordId))
          .where(eq(objects.id, String(objectId)))
  return row?.caseId
}

/** What concerns an organisation: its data, its people elsewhere, and callers nobody knows. */
function organisationPlans(events: Events, filter: EventFilter): Plan[] {
  const rest = otherwise(events, filter)
  const selection = rareOf(filter)
  const own = {
    on: and(eq(events.organisationId, filter.organisationId), selection && rare[selection](events)),
    rest
  }
  if (filter.ownDataOnly) return [own]
  return [
    own,
    {
      on: and(
        eq(events.actorOrganisationId, filter.organisationId),
        sql`${events.actorOrganisationId} IS DISTINCT FROM ${events.organisationId}`
      ),
      rest: and(rest, notHidden(events, filter))
    },
    { on: and(isNull(events.organisationId), isNull(events.actorOrganisationId)), rest }
  ]
}

/** The rare events that a filter asks for, by name or by what it says of them. */
function rareOf({ rare, outcome, action, kinds }: EventFilter): RareEvents | undefined {
  if (rare !== undefined) return rare
  const outcomes = outcome !== undefined ? [outcome] : (kinds ?? []).flatMap(kind => kind.outcomes)
  const areAll = (values: string[], wanted: string[]) =>
    values.length > 0 && values.every(value => wanted.includes(value))
  if (areAll(outcomes, ['refused'])) return 'refused'
  const actions = action !== undefined ? [action] : (kinds ?? []).map(kind => kind.action)
  return areAll(actions, LOG_READS) ? 'log-read' : undefined
}

/** Decision 0006, as a condition on an event that was found by something else. */
function visible(events: Events, filter: EventFilter): SQL | undefined {
  const own = eq(hidden(events.organisationId), filter.organisationId)
  if (filter.ownDataOnly) return own
  return or(
    own,
    and(eq(hidden(events.actorOrganisationId), filter.organisationId), notHidden(events, filter)),
    and(isNull(hidden(events.organisationId)), isNull(hidden(events.actorOrganisationId)))
  )
}

export const NOT_FOUND = '-not-found'
export const NOT_IN_CASE = 'record-not-in-case'

/** Who was told that there is no such object must not find the event by that object (`wasHidden`). */
function notHidden(events: Events, filter: EventFilter): SQL | undefined {
  const { caseId, recordId, objectId, shareId, recipientCountry, patientRef } = filter
  const objects = [caseId, recordId, objectId, shareId, recipientCountry, patientRef]
  if (objects.every(value => value === undefined)) return undefined
  return or(
    isNull(events.code),
    and(notLike(events.code, `%${NOT_FOUND}`), ne(events.code, NOT_IN_CASE))
  )
}

/** All conditions of a filter but whose events they are and the patient. */
function otherwise(events: Events, filter: EventFilter): SQL | undefined {
  const same = (column: SQLWrapper, value: string | undefined) =>
    value === undefined ? undefined : eq(sql`${column}`, value)
  return and(
    same(hidden(events.id), filter.id),
    same(hidden(events.actorId), filter.actorId),
    same(hidden(events.caseId), filter.caseId),
    same(hidden(events.shareId), filter.shareId),
    same(events.recordId, filter.recordId),
    same(events.objectId, filter.objectId),
    same(events.action, filter.action),
    same(events.outcome, filter.outcome),
    same(events.recipientCountry, filter.recipientCountry),
    filter.rare && rare[filter.rare](events),
    filter.kinds && or(...filter.kinds.map(kind => ofKind(events, kind)))
  )
}

function ofKind(events: Events, { action, outcomes, viaShare }: EventKind): SQL | undefined {
  const shareId = hidden(events.shareId)
  return and(
    eq(events.action, action),
    inArray(events.outcome, outcomes),
    viaShare === undefined ? undefined : viaShare ? isNotNull(shareId) : isNull(shareId)
  )
}

/** The same value, as something that no index is of. */
const hidden = (column: SQLWrapper): SQL => sql`(${column} || '')`

function streamOf(database: Reader, { on, rest }: Plan): Stream<EventRow> {
  const { auditEvents: events } = database.read.tables
  const within = ({ from, below }: Range) =>
    and(on, from === undefined ? undefined : gte(events.id, from), lt(events.id, below))
  return {
    async nthId(range, n) {
      const [row] = await database.read
        .select({ id: events.id })
        .from(events)
        .where(within(range))
        .orderBy(desc(events.id))
        .limit(1)
        .offset(n - 1)
      return row?.id
    },
    rows: (range, limit) =>
      database.read
        .select()
        .from(events)
        .where(and(within(range), rest))
        .orderBy(desc(events.id))
        .limit(limit)
  }
}
