import { and, eq, inArray, isNotNull, ne, or } from 'drizzle-orm'
import type { Queries } from '../database/database.ts'
import { Refusal } from '../errors.ts'
import type { Exchange } from '../exchange.ts'
import { isId } from '../http/page.ts'
import { placeAllPending } from './tree/pending.ts'

/** Events erased in one transaction, so that no other write waits long for it. */
export const ERASE_EVENTS_MAX = 500

/** What is erased: the details of every event of a case so far, or of one event. */
export type ErasedThing = { caseId: string } | { eventId: string }

/** On whose word. Kept sealed, in the event of the erasure itself, which is never erased. */
export interface ErasureOrder {
  reference: string
  by?: string | undefined
}

type Parts = Pick<Exchange, 'database' | 'audit'>

/**
 * Erases salt, details and patient reference of events, and resolves to how many had them. Their
 * leaves stay, so the tree and every proof still hold, and without the salt nobody can test a guess
 * against the commitment in a leaf (docs/audit-log.md). Each batch is erased in the transaction that
 * writes its `audit.erase` event: if it stops between two, what is erased is on the log, and doing it
 * again goes on with the rest. Refusals `case-not-found`, `event-not-found`.
 */
export async function eraseDetails(
  { database, audit }: Parts,
  thing: ErasedThing,
  order: ErasureOrder
): Promise<number> {
  await placeAllPending(database)
  const about = await subjectOf(database.read, thing)
  let erased = 0
  for (;;) {
    const batch = await database.write(async tx => {
      const events = await eraseBatch(tx, thing)
      if (events === 0) return 0
      await audit.append(tx, {
        action: 'audit.erase',
        outcome: 'success',
        ...about,
        details: {
          by: 'operator console',
          order: order.reference,
          orderedBy: order.by,
          ...('eventId' in thing && { event: thing.eventId }),
          events
        }
      })
      return events
    })
    erased += batch
    if (batch < ERASE_EVENTS_MAX) return erased
  }
}

/** Whose log tells of the erasure: that of the organisation whose data the events are about. */
async function subjectOf(queries: Queries, thing: ErasedThing) {
  const { auditEvents, cases } = queries.tables
  if ('caseId' in thing) {
    const { caseId } = thing
    const [found] = isId(caseId)
      ? await queries.select().from(cases).where(eq(cases.id, caseId))
      : []
    if (found === undefined) throw new Refusal('case-not-found')
    return { organisationId: found.organisationId, caseId }
  }
  const { eventId } = thing
  const [found] = isId(eventId)
    ? await queries.select().from(auditEvents).where(eq(auditEvents.id, eventId))
    : []
  if (found === undefined) throw new Refusal('event-not-found')
  return {
    organisationId: found.organisationId ?? found.actorOrganisationId ?? undefined,
    caseId: found.caseId ?? undefined
  }
}

async function eraseBatch(tx: Queries, thing: ErasedThing): Promise<number> {
  const { auditEvents: events } = tx.tables
  const found = await tx
    .select({ idx: events.idx })
    .from(events)
    .where(
      and(
        'caseId' in thing ? eq(events.caseId, thing.caseId) : eq(events.id, thing.eventId),
        // Who ordered an erasure stays known.
        ne(events.action, 'audit.erase'),
        or(isNotNull(events.detailsSealed), isNotNull(events.patientRef))
      )
    )
    .limit(ERASE_EVENTS_MAX)
  const places = found.map(({ idx }) => idx)
  if (places.length === 0) return 0
  await tx
    .update(events)
    .set({ detailsSealed: null, patientRef: null })
    .where(inArray(events.idx, places))
  return places.length
}
