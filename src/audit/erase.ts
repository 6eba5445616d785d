import type { KeyObject } from 'node:crypto'
import { and, asc, eq, gt, inArray, isNotNull, ne, or } from '../../schemas/drizzle.ts'
import { held, type Queries } from '../database/database.ts'
import { Refusal } from '../errors.ts'
import type { Exchange } from '../exchange.ts'
import { isId } from '../http/page.ts'
import { SealError } from '../sealing/seal-error.ts'
import { commitmentTo, openDetails, parseDetails } from './entry.ts'
import { ERASED_DAMAGED, ERASED_NAMED_MAX, type ErasedEvent, keptDigest } from './erased.ts'
import { placeAllPending } from './tree/pending.ts'

/** What is erased: the details of every event of a case so far, or of one event. */
export type ErasedThing = { caseId: string } | { eventId: string }

/** On whose word. Kept sealed, in the event of the erasure itself, which is never erased. */
export interface ErasureOrder {
  reference: string
  by?: string | undefined
  /** Who carries it out; the operator, unless it says otherwise. */
  carriedOutBy?: string
}

type Parts = Pick<Exchange, 'database' | 'audit' | 'serviceKeys'>
type EventRow = Queries['tables']['auditEvents']['$inferSelect']

/**
 * Erases salt, details and patient reference of events, and resolves to how many had them. Their
 * leaves stay, so the tree and every proof still hold, and without the salt nobody can test a guess
 * against the commitment in a leaf (docs/audit-log.md). Each batch is erased in the transaction that
 * writes its `audit.erase` event, which names every event of it: if it stops between two, what is
 * erased is on the log, and doing it again goes on with the rest.
 * Refusals `case-not-found`, `event-not-found`.
 */
export async function eraseDetails(
  { database, audit, serviceKeys }: Parts,
  thing: ErasedThing,
  order: ErasureOrder
): Promise<number> {
  await placeAllPending(database)
  const about = await subjectOf(database.read, thing)
  let erased = 0
  for (let after = ''; ; ) {
    const batch = await database.write(async tx => {
      const { named, last } = await eraseBatch(tx, serviceKeys.audit, thing, after)
      if (last === undefined) return { events: 0, last: after }
      await audit.append(tx, {
        action: 'audit.erase',
        outcome: 'success',
        ...about,
        details: {
          by: order.carriedOutBy ?? 'operator console',
          order: order.reference,
          orderedBy: order.by,
          ...('eventId' in thing && { event: thing.eventId }),
          events: named.length,
          erased: named
        }
      })
      return { events: named.length, last }
    })
    erased += batch.events
    if (batch.events < ERASED_NAMED_MAX) return erased
    after = batch.last
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

/**
 * Erases the oldest after this id that are left, and tells which. In the order of ids, which is that of
 * the index of a case: or each batch would read and sort all of its history again.
 */
async function eraseBatch(
  tx: Queries,
  auditKey: KeyObject,
  thing: ErasedThing,
  after: string
): Promise<{ named: ErasedEvent[]; last?: string }> {
  const { auditEvents: events } = tx.tables
  const left = tx
    .select()
    .from(events)
    .where(
      and(
        'caseId' in thing ? eq(events.caseId, thing.caseId) : eq(events.id, thing.eventId),
        gt(events.id, after),
        // Who ordered an erasure, and what was erased, stays known.
        ne(events.action, 'audit.erase'),
        ne(events.action, 'case.erase'),
        or(isNotNull(events.detailsSealed), isNotNull(events.patientRef))
      )
    )
    .orderBy(asc(events.id))
    .limit(ERASED_NAMED_MAX)
  // Whoever erases at the same time waits, and then finds what is left: an event that two erasures
  // name is a fault of the log, which nobody could ever mend.
  const rows = await held(tx, left, 'update')
  const last = rows.at(-1)?.id
  if (last === undefined) return { named: [] }
  await tx
    .update(events)
    .set({ detailsSealed: null, patientRef: null })
    .where(
      inArray(
        events.idx,
        rows.map(({ idx }) => idx)
      )
    )
  const named = rows.map((row): ErasedEvent => [row.idx, keptOf(auditKey, row)])
  // In the order of their places, which is not always that of their ids.
  return { named: named.sort(([a], [b]) => a - b), last }
}

/**
 * The digest is of what the details say and not of the columns, which somebody may have changed: an
 * erasure must not vouch for that. Details that are not those of the leaf are erased all the same,
 * and it stays on the log that they were not.
 */
function keptOf(auditKey: KeyObject, { id, leaf, detailsSealed }: EventRow): string {
  if (detailsSealed === null) return ERASED_DAMAGED
  try {
    const salted = openDetails(auditKey, id, detailsSealed)
    const isOfLeaf = JSON.parse(leaf.toString()).d === commitmentTo(salted)
    return isOfLeaf ? keptDigest(parseDetails(salted)) : ERASED_DAMAGED
  } catch (err) {
    if (err instanceof SealError || err instanceof SyntaxError) return ERASED_DAMAGED
    throw err
  }
}
