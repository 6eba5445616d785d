import {
  and,
  asc,
  desc,
  eq,
  getTableColumns,
  inArray,
  isNull,
  ne,
  sql
} from '../../schemas/drizzle.ts'
import { type OfCases, ofCases } from '../cases/of-cases.ts'
import { held, prepared, type Queries } from '../database/database.ts'
import { Refusal } from '../errors.ts'
import { isShredded } from '../sealing/keys.ts'

const p = sql.placeholder

export const findRecord = prepared(q =>
  q
    .select()
    .from(q.tables.records)
    .where(eq(q.tables.records.id, p('id')))
    .prepare('find_record')
)
export type RecordRow = Awaited<ReturnType<typeof findRecord>>[number]

/** The same, which nobody erases before the transaction ends. */
export const findRecordHeld = prepared(q =>
  held(
    q,
    q
      .select()
      .from(q.tables.records)
      .where(eq(q.tables.records.id, p('id'))),
    'share'
  ).prepare('find_record_held')
)

/** Objects of one record in their order. */
export const findObjects = prepared(q =>
  q
    .select()
    .from(q.tables.objects)
    .where(eq(q.tables.objects.recordId, p('recordId')))
    .orderBy(asc(q.tables.objects.position))
    .prepare('find_objects')
)
export type ObjectRow = Awaited<ReturnType<typeof findObjects>>[number]

export const findObject = prepared(q =>
  q
    .select()
    .from(q.tables.objects)
    .where(and(eq(q.tables.objects.id, p('id')), eq(q.tables.objects.recordId, p('recordId'))))
    .prepare('find_object')
)

/** Records of one case, oldest first, without copies and without those that were erased. */
export function recordsOfCase(queries: Queries, caseId: string): Promise<RecordRow[]> {
  const { records } = queries.tables
  return queries
    .select()
    .from(records)
    .where(
      and(
        eq(records.caseId, caseId),
        isNull(records.copyOf),
        sql`length(${records.wrappedKey}) > 0`
      )
    )
    .orderBy(asc(records.id))
}

/** What is left of those records of a case that were erased, oldest first. */
export function erasedOfCase(queries: Queries, caseId: string) {
  const { records, erasedRecords, erasures } = queries.tables
  return queries
    .select({ record: records, erasure: erasures.id, at: erasures.at })
    .from(records)
    .innerJoin(erasedRecords, eq(erasedRecords.recordId, records.id))
    .innerJoin(erasures, eq(erasures.id, erasedRecords.erasureId))
    .where(and(eq(records.caseId, caseId), isNull(records.copyOf)))
    .orderBy(asc(records.id))
}

/** Records of one organisation's cases, newest first, without copies and what was erased. */
export function pageOfRecords(queries: Queries, filter: OfCases): Promise<RecordRow[]> {
  const { cases, records } = queries.tables
  return queries
    .select(getTableColumns(records))
    .from(records)
    .innerJoin(cases, eq(cases.id, records.caseId))
    .where(
      and(
        isNull(records.copyOf),
        sql`length(${records.wrappedKey}) > 0`,
        ofCases(cases, records, filter)
      )
    )
    .orderBy(desc(records.id))
    .limit(filter.limit)
}

/** Those of these records that exist, in their order. One at a time, by a query that is built already. */
export async function recordsById(queries: Queries, ids: string[]): Promise<RecordRow[]> {
  const rows: RecordRow[] = []
  for (const id of ids) rows.push(...(await findRecord(queries, { id })))
  return rows
}

/** What tells objects that are there twice apart, of a whole case, without copies or what is erased. */
export const objectsOfCase = prepared(q => {
  const { objects, records } = q.tables
  return q
    .select({
      id: objects.id,
      recordId: objects.recordId,
      sha256: objects.sha256,
      instanceRef: objects.instanceRef
    })
    .from(objects)
    .innerJoin(records, eq(records.id, objects.recordId))
    .where(
      and(
        eq(records.caseId, p('caseId')),
        isNull(records.copyOf),
        sql`length(${records.wrappedKey}) > 0`
      )
    )
    .orderBy(asc(objects.id))
    .prepare('objects_of_case')
})

/** Says why a mismatch may be shared. Returns the record, or nothing when there is none to confirm. */
export function confirmPatientRow(
  tx: Queries,
  confirmed: { id: string; reasonSealed: Buffer; by: string; at: number }
): Promise<RecordRow[]> {
  const { records } = tx.tables
  return tx
    .update(records)
    .set({
      patientReasonSealed: confirmed.reasonSealed,
      patientConfirmedBy: confirmed.by,
      patientConfirmedAt: confirmed.at
    })
    .where(
      and(
        eq(records.id, confirmed.id),
        sql`length(${records.wrappedKey}) > 0`,
        eq(records.patientMatch, 'mismatch'),
        isNull(records.patientConfirmedAt)
      )
    )
    .returning()
}

const insertObject = prepared(q =>
  q
    .insert(q.tables.objects)
    .values({
      id: p('id'),
      recordId: p('recordId'),
      position: p('position'),
      blob: p('blob'),
      format: p('format'),
      type: p('type'),
      endToEnd: p('endToEnd'),
      bytes: p('bytes'),
      sha256: p('sha256'),
      nameSealed: p('nameSealed'),
      layoutSealed: p('layoutSealed'),
      summarySealed: p('summarySealed'),
      instanceRef: p('instanceRef'),
      scan: p('scan'),
      scanReason: p('scanReason'),
      scanSignature: p('scanSignature'),
      scanAt: p('scanAt'),
      scanDue: p('scanDue'),
      scanTries: p('scanTries')
    })
    .prepare('insert_object')
)

/** The case of a record, which nobody erases before the transaction ends. */
const findHome = prepared(q => {
  const { cases } = q.tables
  const query = q
    .select({ wrappedKey: cases.wrappedKey })
    .from(cases)
    .where(eq(cases.id, p('id')))
  return held(q, query, 'share').prepare('find_home_of_record')
})

/** Refusal `case-erased` when its case was erased meanwhile. */
export async function insertRecord(tx: Queries, row: RecordRow, objects: ObjectRow[]) {
  const [home] = await findHome(tx, { id: row.caseId })
  if (home && isShredded(home.wrappedKey)) throw new Refusal('case-erased', 'meanwhile')
  await tx.insert(tx.tables.records).values(row)
  for (const object of objects) await insertObject(tx, { ...object })
}

/**
 * Which of these blobs anything names. Segments move from an upload to the object that is made of it,
 * so those of uploads are asked for first: what has moved meanwhile is found where it went. Those of
 * infected objects and of erased records are to be gone.
 */
export async function namedBlobs(queries: Queries, names: string[]): Promise<Set<string>> {
  const { objects, objectSegments, records, uploadSegments } = queries.tables
  const isKept = and(ne(objects.scan, 'infected'), sql`length(${records.wrappedKey}) > 0`)
  const arriving = queries
    .select({ blob: uploadSegments.blob })
    .from(uploadSegments)
    .where(inArray(uploadSegments.blob, names))
  const parts = queries
    .select({ blob: objectSegments.blob })
    .from(objectSegments)
    .innerJoin(objects, eq(objects.id, objectSegments.objectId))
    .innerJoin(records, eq(records.id, objects.recordId))
    .where(and(inArray(objectSegments.blob, names), isKept))
  const wholes = queries
    .select({ blob: objects.blob })
    .from(objects)
    .innerJoin(records, eq(records.id, objects.recordId))
    .where(and(inArray(objects.blob, names), isKept))
  // In this order, because a blob only ever moves from the first to the second.
  const rows = [...(await arriving), ...(await parts), ...(await wholes)]
  return new Set(rows.flatMap(({ blob }) => blob ?? []))
}

/** The blobs of an object that is sealed in segments, in their order, as the plain rows have them. */
export function segmentRows(queries: Queries, objectId: string) {
  const { objectSegments } = queries.tables
  return queries
    .select()
    .from(objectSegments)
    .where(eq(objectSegments.objectId, objectId))
    .orderBy(asc(objectSegments.place))
}

/** The copies that were made for a share. */
export const findCopies = prepared(q =>
  q
    .select()
    .from(q.tables.records)
    .where(eq(q.tables.records.copyFor, p('shareId')))
    .prepare('find_copies')
)

/** Removes the copies of a share, and says which records and blobs there were. */
export async function deleteCopies(tx: Queries, shareId: string) {
  const { records, objects } = tx.tables
  const copies = await tx
    .select({ id: records.id })
    .from(records)
    .where(eq(records.copyFor, shareId))
  const blobs: string[] = []
  for (const { id } of copies) {
    const gone = await tx
      .delete(objects)
      .where(eq(objects.recordId, id))
      .returning({ blob: objects.blob })
    blobs.push(...gone.flatMap(({ blob }) => blob ?? []))
  }
  const ids = copies.map(({ id }) => id)
  const removed =
    ids.length === 0
      ? []
      : await tx.delete(records).where(inArray(records.id, ids)).returning({ id: records.id })
  return { records: removed.length, blobs }
}
