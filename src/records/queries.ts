import { and, asc, eq, inArray, isNull, sql } from '../../schemas/drizzle.ts'
import { prepared, type Queries } from '../database/database.ts'

const p = sql.placeholder

export const findRecord = prepared(q =>
  q
    .select()
    .from(q.tables.records)
    .where(eq(q.tables.records.id, p('id')))
    .prepare('find_record')
)
export type RecordRow = Awaited<ReturnType<typeof findRecord>>[number]

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

/** Records of one case, oldest first, without copies. A case has tens of them, not thousands. */
export function recordsOfCase(queries: Queries, caseId: string): Promise<RecordRow[]> {
  const { records } = queries.tables
  return queries
    .select()
    .from(records)
    .where(and(eq(records.caseId, caseId), isNull(records.copyOf)))
    .orderBy(asc(records.id))
}

/** Those of these records that exist, in their order. One at a time, by a query that is built already. */
export async function recordsById(queries: Queries, ids: string[]): Promise<RecordRow[]> {
  const rows = await Promise.all(ids.map(id => findRecord(queries, { id })))
  return rows.flat()
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
      nameSealed: p('nameSealed')
    })
    .prepare('insert_object')
)

export async function insertRecord(tx: Queries, row: RecordRow, objects: ObjectRow[]) {
  await tx.insert(tx.tables.records).values(row)
  for (const object of objects) await insertObject(tx, { ...object })
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
    blobs.push(...gone.map(({ blob }) => blob))
  }
  const ids = copies.map(({ id }) => id)
  const removed =
    ids.length === 0
      ? []
      : await tx.delete(records).where(inArray(records.id, ids)).returning({ id: records.id })
  return { records: removed.length, blobs }
}
