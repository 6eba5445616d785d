import { and, asc, count, eq, gt, inArray, isNull, lte, ne, sql } from '../../schemas/drizzle.ts'
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

export const findUpload = prepared(q => {
  const { uploads, drafts, cases } = q.tables
  return q
    .select({ upload: uploads, draft: drafts, case: cases })
    .from(uploads)
    .innerJoin(drafts, eq(drafts.id, uploads.draftId))
    .innerJoin(cases, eq(cases.id, drafts.caseId))
    .where(eq(uploads.id, p('id')))
    .prepare('find_upload')
})
export type UploadInCase = Awaited<ReturnType<typeof findUpload>>[number]
export type UploadRow = UploadInCase['upload']

/** Every upload of a draft but those that were ended, in the order of the files. */
export const uploadsOfDraft = prepared(q => {
  const { uploads } = q.tables
  return q
    .select()
    .from(uploads)
    .where(and(eq(uploads.draftId, p('draftId')), ne(uploads.state, 'ended')))
    .orderBy(asc(uploads.position), asc(uploads.id))
    .prepare('uploads_of_draft')
})

/** The segments of an upload in their order. */
export const segmentsOfUpload = prepared(q => {
  const { uploadSegments } = q.tables
  return q
    .select()
    .from(uploadSegments)
    .where(eq(uploadSegments.uploadId, p('uploadId')))
    .orderBy(asc(uploadSegments.place))
    .prepare('segments_of_upload')
})
export type SegmentRow = Awaited<ReturnType<typeof segmentsOfUpload>>[number]

export const segmentAt = prepared(q => {
  const { uploadSegments } = q.tables
  return q
    .select()
    .from(uploadSegments)
    .where(and(eq(uploadSegments.uploadId, p('uploadId')), eq(uploadSegments.place, p('place'))))
    .prepare('segment_at')
})

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

const insertUploadQuery = prepared(q => {
  const { uploads } = q.tables
  return q
    .insert(uploads)
    .values({
      id: p('id'),
      draftId: p('draftId'),
      organisationId: p('organisationId'),
      part: p('part'),
      position: p('position'),
      bytes: p('bytes'),
      received: p('received'),
      segments: p('segments'),
      state: p('state'),
      code: null,
      type: null,
      endToEnd: null,
      sha256: null,
      layoutSealed: null,
      metadataSealed: p('metadataSealed'),
      joinedTo: null,
      createdAt: p('createdAt')
    })
    .prepare('insert_upload')
})

export type NewUpload = Omit<
  UploadRow,
  'code' | 'type' | 'endToEnd' | 'sha256' | 'layoutSealed' | 'joinedTo'
>

export async function insertUpload(tx: Queries, row: NewUpload): Promise<void> {
  await insertUploadQuery(tx, { ...row })
}

/** What a PATCH has added: the upload must still be where it began. */
export interface Advance {
  id: string
  from: number
  to: number
  segments: number
  state: 'receiving' | 'stored'
  type: string | null
  endToEnd: boolean | null
}

const advanceQuery = prepared(q => {
  const { uploads } = q.tables
  return q
    .update(uploads)
    .set({
      received: sql`${p('to')}`,
      segments: sql`${p('segments')}`,
      state: sql`${p('state')}`,
      type: sql`${p('type')}`,
      endToEnd: sql`${p('endToEnd')}`
    })
    .where(
      and(eq(uploads.id, p('id')), eq(uploads.received, p('from')), eq(uploads.state, 'receiving'))
    )
    .returning({ id: uploads.id })
    .prepare('advance_upload')
})

/** False when somebody else has added to it, or it has ended: nothing was changed. */
export async function advanceUpload(tx: Queries, advance: Advance): Promise<boolean> {
  const flag = tx.kind === 'sqlite' && advance.endToEnd !== null
  const endToEnd = flag ? Number(advance.endToEnd) : advance.endToEnd
  return (await advanceQuery(tx, { ...advance, endToEnd })).length > 0
}

const insertSegmentQuery = prepared(q =>
  q
    .insert(q.tables.uploadSegments)
    .values({
      blob: p('blob'),
      uploadId: p('uploadId'),
      place: p('place'),
      sealedFor: p('sealedFor'),
      number: p('number'),
      bytes: p('bytes')
    })
    .prepare('insert_segment')
)

export async function insertSegment(tx: Queries, row: SegmentRow): Promise<void> {
  await insertSegmentQuery(tx, { ...row })
}

export async function deleteSegments(tx: Queries, blobs: string[]): Promise<void> {
  const { uploadSegments } = tx.tables
  await tx.delete(uploadSegments).where(inArray(uploadSegments.blob, blobs))
}

/** What is known of a whole file once all of it has come. */
export type Whole = Pick<UploadRow, 'sha256' | 'layoutSealed' | 'type' | 'endToEnd'>

/** Makes an upload whole. False when it is not receiving any more, or is not all there. */
export async function storeUpload(tx: Queries, id: string, whole: Whole): Promise<boolean> {
  const { uploads } = tx.tables
  const rows = await tx
    .update(uploads)
    .set({ ...whole, state: 'stored' })
    .where(
      and(eq(uploads.id, id), eq(uploads.state, 'receiving'), eq(uploads.received, uploads.bytes))
    )
    .returning({ id: uploads.id })
  return rows.length > 0
}

/** Ends an upload as refused. False when it has ended already. */
export async function refuseUpload(tx: Queries, id: string, code: string): Promise<boolean> {
  const { uploads } = tx.tables
  const rows = await tx
    .update(uploads)
    .set({ state: 'refused', code })
    .where(and(eq(uploads.id, id), inArray(uploads.state, ['receiving', 'stored'])))
    .returning({ id: uploads.id })
  return rows.length > 0
}

/** Ends an upload for good. False when it has ended already. */
export async function endUpload(tx: Queries, id: string): Promise<boolean> {
  const { uploads } = tx.tables
  const rows = await tx
    .update(uploads)
    .set({ state: 'ended', code: null })
    .where(and(eq(uploads.id, id), ne(uploads.state, 'ended')))
    .returning({ id: uploads.id })
  return rows.length > 0
}

/** Gives the segments of a partial upload to the final one, from the place `at` on. */
export async function giveSegments(
  tx: Queries,
  { from, to, at }: { from: string; to: string; at: number }
): Promise<void> {
  const { uploads, uploadSegments } = tx.tables
  await tx
    .update(uploadSegments)
    .set({ uploadId: to, place: sql`${uploadSegments.place} + ${at}` })
    .where(eq(uploadSegments.uploadId, from))
  await tx.update(uploads).set({ state: 'joined', joinedTo: to }).where(eq(uploads.id, from))
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

/** Blobs of uploads that were refused or ended; of one of them, where it is named. */
export function endedSegments(queries: Queries, limit: number, uploadId?: string) {
  const { uploads, uploadSegments } = queries.tables
  return queries
    .select({ blob: uploadSegments.blob })
    .from(uploads)
    .innerJoin(uploadSegments, eq(uploadSegments.uploadId, uploads.id))
    .where(
      and(
        inArray(uploads.state, ['refused', 'ended']),
        uploadId === undefined ? undefined : eq(uploads.id, uploadId)
      )
    )
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
