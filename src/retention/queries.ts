import {
  and,
  asc,
  eq,
  exists,
  gt,
  inArray,
  isNotNull,
  isNull,
  lt,
  lte,
  ne,
  or,
  sql
} from '../../schemas/drizzle.ts'
import type { Queries } from '../database/database.ts'

export type HoldRow = Queries['tables']['legalHolds']['$inferSelect']
export type ErasureRow = Queries['tables']['erasures']['$inferSelect']

export async function insertHold(tx: Queries, row: HoldRow): Promise<void> {
  await tx.insert(tx.tables.legalHolds).values(row)
}

/** Holds of a case, the first first. */
export function holdsOf(queries: Queries, caseId: string): Promise<HoldRow[]> {
  const { legalHolds: holds } = queries.tables
  return queries.select().from(holds).where(eq(holds.caseId, caseId)).orderBy(asc(holds.id))
}

/** Lifts a hold, once. Returns it, or nothing when it was lifted before. */
export function liftRow(
  tx: Queries,
  lifted: { id: string; by: string; at: number; reasonSealed: Buffer }
): Promise<HoldRow[]> {
  const { legalHolds: holds } = tx.tables
  return tx
    .update(holds)
    .set({ liftedBy: lifted.by, liftedAt: lifted.at, liftReasonSealed: lifted.reasonSealed })
    .where(and(eq(holds.id, lifted.id), isNull(holds.liftedAt)))
    .returning()
}

/** Whether a case is held now. */
export async function isHeld(queries: Queries, caseId: string): Promise<boolean> {
  return (await holdsOf(queries, caseId)).some(({ liftedAt }) => liftedAt === null)
}

export async function findErasure(queries: Queries, id: string): Promise<ErasureRow | undefined> {
  const { erasures } = queries.tables
  const [row] = await queries.select().from(erasures).where(eq(erasures.id, id))
  return row
}

export function erasuresOf(queries: Queries, caseId: string): Promise<ErasureRow[]> {
  const { erasures } = queries.tables
  return queries
    .select()
    .from(erasures)
    .where(eq(erasures.caseId, caseId))
    .orderBy(asc(erasures.id))
}

/** What was erased of records, in the order of ids: rows of records, then of their objects. */
export function erasedRecordsOf(queries: Queries, erasureId: string) {
  const { erasedRecords, records } = queries.tables
  return queries
    .select({ id: records.id, kind: records.kind })
    .from(erasedRecords)
    .innerJoin(records, eq(records.id, erasedRecords.recordId))
    .where(eq(erasedRecords.erasureId, erasureId))
    .orderBy(asc(records.id))
}

/** The shares of a case that have not ended by this moment. */
export function sharesLive(queries: Queries, caseId: string, now: number) {
  const { shares } = queries.tables
  return queries
    .select({ id: shares.id })
    .from(shares)
    .where(and(eq(shares.caseId, caseId), isNull(shares.revokedAt), gt(shares.expiresAt, now)))
    .orderBy(asc(shares.id))
}

/** Shares of a case whose specialists read copies. */
export function sharesWithCopies(queries: Queries, caseId: string) {
  const { shares } = queries.tables
  return queries
    .select({ id: shares.id })
    .from(shares)
    .where(and(eq(shares.caseId, caseId), eq(shares.pseudonymised, true)))
    .orderBy(asc(shares.id))
}

/** When a case is to be looked at next. */
export async function lookAgain(tx: Queries, caseId: string, lookAt: number): Promise<void> {
  const { caseRetention: table } = tx.tables
  await tx
    .insert(table)
    .values({ caseId, lookAt })
    .onConflictDoUpdate({ target: table.caseId, set: { lookAt } })
}

export async function retentionRow(queries: Queries, caseId: string) {
  const { caseRetention: table } = queries.tables
  const [row] = await queries.select().from(table).where(eq(table.caseId, caseId))
  return row
}

/**
 * Closed cases after this id of which something may be due: never looked at, to be looked at again,
 * or with records that are copies still. Those that are held are none.
 */
export function casesToEnd(
  queries: Queries,
  asked: { closedBy: number; now: number; keptKinds: readonly string[]; after: string },
  limit: number
): Promise<{ id: string }[]> {
  const { caseRequests: requests, caseRetention: seen, legalHolds, records } = queries.tables
  const ofCase = eq(legalHolds.caseId, requests.caseId)
  const hold = queries
    .select({ id: legalHolds.id })
    .from(legalHolds)
    .where(and(ofCase, isNull(legalHolds.liftedAt)))
  const copies = queries
    .select({ id: records.id })
    .from(records)
    .where(
      and(
        eq(records.caseId, requests.caseId),
        sql`length(${records.wrappedKey}) > 0`,
        asked.keptKinds.length === 0
          ? undefined
          : sql`not ${inArray(records.kind, [...asked.keptKinds])}`
      )
    )
  return queries
    .select({ id: requests.caseId })
    .from(requests)
    .leftJoin(seen, eq(seen.caseId, requests.caseId))
    .where(
      and(
        isNotNull(requests.closedAt),
        lte(requests.closedAt, asked.closedBy),
        gt(requests.caseId, asked.after),
        isNull(seen.auditErasedAt),
        or(isNull(seen.lookAt), lte(seen.lookAt, asked.now), exists(copies)),
        sql`not ${exists(hold)}`
      )
    )
    .orderBy(asc(requests.caseId))
    .limit(limit)
}

/** Erasures some of whose files are to be removed now. */
export function erasuresWithFiles(queries: Queries, now: number, limit: number) {
  const { erasures } = queries.tables
  return queries
    .select()
    .from(erasures)
    .where(and(isNotNull(erasures.filesDue), lte(erasures.filesDue, now)))
    .orderBy(asc(erasures.id))
    .limit(limit)
}

/** Every blob of what was erased, of objects in one and of objects in segments. */
export async function blobsOf(queries: Queries, erasureId: string): Promise<string[]> {
  const { erasedRecords, objects, objectSegments } = queries.tables
  const ofErasure = eq(erasedRecords.erasureId, erasureId)
  const wholes = await queries
    .select({ blob: objects.blob })
    .from(erasedRecords)
    .innerJoin(objects, eq(objects.recordId, erasedRecords.recordId))
    .where(ofErasure)
  const parts = await queries
    .select({ blob: objectSegments.blob })
    .from(erasedRecords)
    .innerJoin(objects, eq(objects.recordId, erasedRecords.recordId))
    .innerJoin(objectSegments, eq(objectSegments.objectId, objects.id))
    .where(ofErasure)
  return [...wholes, ...parts].flatMap(({ blob }) => blob ?? [])
}

/** Says what became of the files. Nothing when another process has said the same before. */
export function noteFiles(
  tx: Queries,
  erasureId: string,
  seen: Pick<ErasureRow, 'filesAt' | 'filesKept'>,
  now: { filesAt: number; filesKept: number; filesDue: number | null }
): Promise<ErasureRow[]> {
  const { erasures } = tx.tables
  return tx
    .update(erasures)
    .set(now)
    .where(
      and(
        eq(erasures.id, erasureId),
        seen.filesAt === null ? isNull(erasures.filesAt) : eq(erasures.filesAt, seen.filesAt),
        eq(erasures.filesKept, seen.filesKept)
      )
    )
    .returning()
}

/** Whether the access log says more than its leaves of what happened to a case before `until`. */
export async function hasDetails(
  queries: Queries,
  caseId: string,
  until: number
): Promise<boolean> {
  const { auditEvents: events } = queries.tables
  const rows = await queries
    .select({ idx: events.idx })
    .from(events)
    .where(
      and(
        eq(events.caseId, caseId),
        lt(events.at, until),
        ne(events.action, 'audit.erase'),
        ne(events.action, 'case.erase'),
        or(isNotNull(events.detailsSealed), isNotNull(events.patientRef))
      )
    )
    .limit(1)
  return rows.length > 0
}

/**
 * An event of the access log, wherever it stands by now. Looked for among those that wait first: an
 * event leaves them for the log and never comes back, so it cannot slip by between the two looks.
 */
export async function eventOf(queries: Queries, id: string) {
  const { auditEvents, auditPending } = queries.tables
  const find = async (table: typeof auditEvents | typeof auditPending) => {
    const [found] = await queries
      .select({ action: table.action, detailsSealed: table.detailsSealed })
      .from(table)
      .where(eq(table.id, id))
    return found
  }
  const waiting = queries.kind === 'sqlite' ? undefined : await find(auditPending)
  return waiting ?? (await find(auditEvents))
}
