import { and, asc, desc, eq, inArray, isNull, lte, ne, sql } from '../../../schemas/drizzle.ts'
import { isAmong, listed, prepared, type Queries } from '../../database/database.ts'
import type { ObjectRow } from '../record.ts'
import type { ScanColumns } from './verdict.ts'

const p = sql.placeholder

/** Word for word the condition of the index objects_not_clean, without which it would not be used. */
const isNotClean = sql`scan <> 'clean'`

/** Infected objects of a record. Asked at every reading of content. */
export const findInfected = prepared(q =>
  q
    .select({ id: q.tables.objects.id })
    .from(q.tables.objects)
    .where(
      and(
        eq(q.tables.objects.recordId, p('recordId')),
        eq(q.tables.objects.scan, 'infected'),
        isNotClean
      )
    )
    .prepare('find_infected')
)

const kindsOf = (q: Queries, onlyInfected: boolean) => {
  const { objects } = q.tables
  return q
    .select({
      recordId: objects.recordId,
      scan: objects.scan,
      scanReason: objects.scanReason,
      type: objects.type,
      endToEnd: objects.endToEnd
    })
    .from(objects)
    .where(
      and(
        isAmong(q, objects.recordId, 'recordIds'),
        isNotClean,
        onlyInfected ? eq(objects.scan, 'infected') : undefined
      )
    )
    .groupBy(objects.recordId, objects.scan, objects.scanReason, objects.type, objects.endToEnd)
}
const notClean = prepared(q => kindsOf(q, false).prepare('kinds_not_clean'))
const infected = prepared(q => kindsOf(q, true).prepare('kinds_infected'))

/**
 * What kinds of objects these records have that are not clean, each kind once; only the infected ones
 * when that is all that matters.
 */
export function kindsNotClean(queries: Queries, recordIds: string[], onlyInfected: boolean) {
  const find = onlyInfected ? infected : notClean
  return find(queries, { recordIds: listed(queries, recordIds) })
}

/** Objects that the background scan is to see to, never tried and newest first. */
export function dueObjects(queries: Queries, now: number, limit: number): Promise<ObjectRow[]> {
  const { objects } = queries.tables
  return queries
    .select()
    .from(objects)
    .where(lte(objects.scanDue, now))
    .orderBy(asc(objects.scanDue), desc(objects.id))
    .limit(limit)
}

/** The object, if it is still due. */
export const findDue = prepared(q =>
  q
    .select()
    .from(q.tables.objects)
    .where(and(eq(q.tables.objects.id, p('id')), lte(q.tables.objects.scanDue, p('now'))))
    .prepare('find_due_object')
)

/** Of pending objects, those whose waiting has not begun to be counted, or began by `before`. */
export function pendingObjects(
  queries: Queries,
  before: number | 'uncounted',
  limit: number
): Promise<ObjectRow[]> {
  const { objects } = queries.tables
  const isWaiting = before === 'uncounted' ? isNull(objects.scanAt) : lte(objects.scanAt, before)
  return queries
    .select()
    .from(objects)
    .where(and(isNotClean, eq(objects.scan, 'pending'), isWaiting))
    .limit(limit)
}

/** Begins to count how long these have waited for a scanner. */
export async function countWaiting(tx: Queries, ids: string[], now: number): Promise<void> {
  const { objects } = tx.tables
  await tx
    .update(objects)
    .set({ scanAt: now })
    .where(and(inArray(objects.id, ids), eq(objects.scan, 'pending'), isNull(objects.scanAt)))
}

/**
 * Stores a verdict. Returns nothing when the object was found to be infected before, or is not
 * `still` what whoever has no scan of their own knows of it: another process may have a verdict.
 */
export function setVerdict(
  tx: Queries,
  id: string,
  columns: ScanColumns,
  still?: 'pending'
): Promise<{ id: string }[]> {
  const { objects } = tx.tables
  return tx
    .update(objects)
    .set(columns)
    .where(and(eq(objects.id, id), still ? eq(objects.scan, still) : ne(objects.scan, 'infected')))
    .returning({ id: objects.id })
}

/** When the background scan is to see to an object again; null for never. */
export async function setDue(
  tx: Queries,
  id: string,
  scanDue: number | null,
  scanTries: number
): Promise<void> {
  const { objects } = tx.tables
  await tx.update(objects).set({ scanDue, scanTries }).where(eq(objects.id, id))
}

/** Makes due what was too large for an earlier setting, or for an earlier clamd. */
export async function makeTooLargeDue(tx: Queries, bytesMax: number): Promise<void> {
  const { objects } = tx.tables
  await tx
    .update(objects)
    .set({ scanDue: 0 })
    .where(and(isNotClean, eq(objects.scanReason, 'too-large'), lte(objects.bytes, bytesMax)))
}
