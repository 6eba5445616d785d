import { and, asc, eq, inArray, ne, sql } from '../../schemas/drizzle.ts'
import { prepared, type Queries } from '../database/database.ts'

const p = sql.placeholder

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

/** The blobs of all segments of all uploads. */
export function allSegments(queries: Queries): Promise<{ blob: string }[]> {
  const { uploadSegments } = queries.tables
  return queries.select({ blob: uploadSegments.blob }).from(uploadSegments)
}

export const segmentAt = prepared(q => {
  const { uploadSegments } = q.tables
  return q
    .select()
    .from(uploadSegments)
    .where(and(eq(uploadSegments.uploadId, p('uploadId')), eq(uploadSegments.place, p('place'))))
    .prepare('segment_at')
})

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

/** Ends an upload for good. False when it is not in this state any more. */
export async function endUpload(tx: Queries, id: string, state: string): Promise<boolean> {
  const { uploads } = tx.tables
  const rows = await tx
    .update(uploads)
    .set({ state: 'ended', code: null })
    .where(and(eq(uploads.id, id), eq(uploads.state, state)))
    .returning({ id: uploads.id })
  return rows.length > 0
}

/**
 * Gives the segments of a partial upload that is all there to the final one, from the place `at` on.
 * False when it is not, and nothing was changed.
 */
export async function giveSegments(
  tx: Queries,
  { from, to, at }: { from: string; to: string; at: number }
): Promise<boolean> {
  const { uploads, uploadSegments } = tx.tables
  const given = await tx
    .update(uploads)
    .set({ state: 'joined', joinedTo: to })
    .where(and(eq(uploads.id, from), eq(uploads.state, 'stored')))
    .returning({ id: uploads.id })
  if (given.length === 0) return false
  await tx
    .update(uploadSegments)
    .set({ uploadId: to, place: sql`${uploadSegments.place} + ${at}` })
    .where(eq(uploadSegments.uploadId, from))
  return true
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
