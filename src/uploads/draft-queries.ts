import { and, asc, count, eq, gt, inArray, isNull, lte, sql } from '../../schemas/drizzle.ts'
import { held, prepared, type Queries } from '../database/database.ts'

const p = sql.placeholder

export const findDraft = prepared(q => {
  const { drafts, cases } = q.tables
  return q
    .select({ draft: drafts, case: cases })
    .from(drafts)
    .innerJoin(cases, eq(cases.id, drafts.caseId))
    .where(eq(drafts.id, p('id')))
    .prepare('find_draft')
})

export type DraftInCase = Awaited<ReturnType<typeof findDraft>>[number]

export type DraftRow = DraftInCase['draft']

/** What one organisation has open: drafts, the bytes they are to have, and unfinished uploads. */
export async function countOpen(queries: Queries, organisationId: string, now: number) {
  const { drafts, uploads } = queries.tables
  const [held] = await queries
    .select({ drafts: count(), bytes: sql<string>`coalesce(sum(${drafts.bytes}), 0)` })
    .from(drafts)
    .where(
      and(
        eq(drafts.organisationId, organisationId),
        isNull(drafts.discardedAt),
        gt(drafts.expiresAt, now)
      )
    )
  const [open] = await queries
    .select({ uploads: count() })
    .from(uploads)
    .where(and(eq(uploads.organisationId, organisationId), eq(uploads.state, 'receiving')))
  return {
    drafts: held?.drafts ?? 0,
    bytes: Number(held?.bytes ?? 0),
    uploads: open?.uploads ?? 0
  }
}

export async function insertDraft(tx: Queries, row: DraftRow): Promise<void> {
  await tx.insert(tx.tables.drafts).values(row)
}

/** Makes the draft stay as it is until the transaction ends. Undefined when it is over or gone. */
export async function holdDraft(
  tx: Queries,
  id: string,
  now: number
): Promise<DraftRow | undefined> {
  const { drafts } = tx.tables
  const [row] = await held(
    tx,
    tx
      .select()
      .from(drafts)
      .where(and(eq(drafts.id, id), isNull(drafts.discardedAt), gt(drafts.expiresAt, now))),
    'update'
  )
  return row
}

const addToDraftQuery = prepared(q => {
  const { drafts } = q.tables
  return q
    .update(drafts)
    .set({
      files: sql`${drafts.files} + ${p('files')}`,
      bytes: sql`${drafts.bytes} + ${p('bytes')}`
    })
    .where(
      and(
        eq(drafts.id, p('id')),
        isNull(drafts.discardedAt),
        gt(drafts.expiresAt, p('now')),
        lte(drafts.files, p('filesMax'))
      )
    )
    .returning({ files: drafts.files })
    .prepare('add_to_draft')
})

/**
 * Counts uploads into a draft that goes on and holds at most `filesMax` so far. Resolves to how many
 * it holds then; undefined when nothing was changed.
 */
export async function addToDraft(
  tx: Queries,
  change: { id: string; files: number; bytes: number; now: number; filesMax: number }
): Promise<number | undefined> {
  const [row] = await addToDraftQuery(tx, change)
  return row?.files
}

/** Gives a draft up, with all its uploads. False when that was done before. */
export async function discardDraft(tx: Queries, id: string, now: number): Promise<boolean> {
  const { drafts, uploads } = tx.tables
  const rows = await tx
    .update(drafts)
    .set({ discardedAt: now })
    .where(and(eq(drafts.id, id), isNull(drafts.discardedAt)))
    .returning({ id: drafts.id })
  if (rows.length === 0) return false
  await tx.update(uploads).set({ state: 'ended', code: null }).where(eq(uploads.draftId, id))
  return true
}

/** Gives the segments of a draft to the objects that were made of it, and removes the draft. */
export async function dissolveDraft(tx: Queries, draftId: string): Promise<void> {
  const { drafts, uploads, uploadSegments, objectSegments } = tx.tables
  const ofDraft = eq(uploads.draftId, draftId)
  await tx.insert(objectSegments).select(
    tx
      .select({
        blob: uploadSegments.blob,
        objectId: uploadSegments.uploadId,
        place: uploadSegments.place,
        bytes: uploadSegments.bytes
      })
      .from(uploadSegments)
      .innerJoin(uploads, eq(uploads.id, uploadSegments.uploadId))
      .where(and(ofDraft, eq(uploads.state, 'stored')))
  )
  const ids = tx.select({ id: uploads.id }).from(uploads).where(ofDraft)
  await tx.delete(uploadSegments).where(inArray(uploadSegments.uploadId, ids))
  await tx.delete(uploads).where(ofDraft)
  await tx.delete(drafts).where(eq(drafts.id, draftId))
}

/** Drafts of one case that are neither over nor given up, oldest first. */
export function draftsOfCase(queries: Queries, caseId: string, now: number): Promise<DraftRow[]> {
  const { drafts } = queries.tables
  return queries
    .select()
    .from(drafts)
    .where(and(eq(drafts.caseId, caseId), isNull(drafts.discardedAt), gt(drafts.expiresAt, now)))
    .orderBy(asc(drafts.id))
}

/** Drafts whose time is over. */
export function expiredDrafts(queries: Queries, now: number, limit: number) {
  const { drafts, cases } = queries.tables
  return queries
    .select({ draft: drafts, case: cases })
    .from(drafts)
    .innerJoin(cases, eq(cases.id, drafts.caseId))
    .where(and(lte(drafts.expiresAt, now), isNull(drafts.discardedAt)))
    .limit(limit)
}

/** Removes ended uploads that have no segment left, and discarded drafts that have no upload left. */
export async function removeEmpty(tx: Queries, limit: number): Promise<number> {
  const { drafts, uploads, uploadSegments } = tx.tables
  const ended = await tx
    .select({ id: uploads.id })
    .from(uploads)
    .leftJoin(uploadSegments, eq(uploadSegments.uploadId, uploads.id))
    .where(and(eq(uploads.state, 'ended'), isNull(uploadSegments.blob)))
    .limit(limit)
  if (ended.length > 0) {
    await tx.delete(uploads).where(
      inArray(
        uploads.id,
        ended.map(({ id }) => id)
      )
    )
  }
  const discarded = await tx
    .select({ id: drafts.id })
    .from(drafts)
    .leftJoin(uploads, eq(uploads.draftId, drafts.id))
    .where(and(sql`${drafts.discardedAt} IS NOT NULL`, isNull(uploads.id)))
    .limit(limit)
  if (discarded.length > 0) {
    await tx.delete(drafts).where(
      inArray(
        drafts.id,
        discarded.map(({ id }) => id)
      )
    )
  }
  return ended.length + discarded.length
}

/** Every draft, the discarded ones that are still to be removed among them. */
export function allDrafts(queries: Queries): Promise<DraftInCase[]> {
  const { drafts, cases } = queries.tables
  return queries
    .select({ draft: drafts, case: cases })
    .from(drafts)
    .innerJoin(cases, eq(cases.id, drafts.caseId))
}
