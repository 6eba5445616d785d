import { and, asc, desc, eq, gt, ne, sql } from '../../schemas/drizzle.ts'
import type { Queries } from '../database/database.ts'
import { type ObjectRow, type RecordInCase, segmentRows } from '../records/record.ts'

/** Rows of objects read at once, each with the keys of its record and case. */
const OBJECTS_MAX = 200

/** An object with what it is sealed by. */
export interface OwnedObject extends RecordInCase {
  object: ObjectRow
  /** The blobs of one that is sealed in segments, in their order. */
  segments: SegmentRow[]
}

type SegmentRow = Awaited<ReturnType<typeof segmentRows>>[number]

/**
 * Every object, some at a time, in the order of ids: those of a record are near each other. Those that
 * were infected are gone, and so are those of erased records.
 */
export async function* ownedObjects(read: Queries): AsyncGenerator<OwnedObject> {
  const { objects, records, cases } = read.tables
  for (let last = ''; ; ) {
    const rows = await read
      .select({ object: objects, record: records, case: cases })
      .from(objects)
      .innerJoin(records, eq(records.id, objects.recordId))
      .innerJoin(cases, eq(cases.id, records.caseId))
      .where(and(gt(objects.id, last), ne(objects.scan, 'infected'), hasKey(records)))
      .orderBy(asc(objects.id))
      .limit(OBJECTS_MAX)
    for (const row of rows) {
      const isWhole = row.object.layoutSealed === null
      yield { ...row, segments: isWhole ? [] : await segmentRows(read, row.object.id) }
    }
    if (rows.length < OBJECTS_MAX) return
    last = rows.at(-1)?.object.id ?? ''
  }
}

/** Nothing else of an erased record is left than its rows. */
const hasKey = ({ wrappedKey }: Queries['tables']['records']) => sql`length(${wrappedKey}) > 0`

/** How many objects there are, and their bytes in clear. */
export async function sumObjects(read: Queries): Promise<{ objects: number; bytes: number }> {
  const { objects, records } = read.tables
  const [sum] = await read
    .select({
      objects: sql<number>`count(*)`.mapWith(Number),
      bytes: sql<number>`coalesce(sum(${objects.bytes}), 0)`.mapWith(Number)
    })
    .from(objects)
    .innerJoin(records, eq(records.id, objects.recordId))
    .where(and(ne(objects.scan, 'infected'), hasKey(records)))
  return sum ?? { objects: 0, bytes: 0 }
}

export interface LastEvent {
  idx: number
  leaf: Buffer
}

/** The event at the end of the log. Its leaf has random bytes that no other log's has. */
export async function lastEvent(read: Queries): Promise<LastEvent | undefined> {
  const { auditEvents } = read.tables
  const { idx, leaf } = auditEvents
  const [last] = await read.select({ idx, leaf }).from(auditEvents).orderBy(desc(idx)).limit(1)
  return last
}

/** Whether a log has just this event at its place: then it is the same log, or its continuation. */
export async function continues(read: Queries, event: LastEvent | undefined): Promise<boolean> {
  if (event === undefined) return false
  const { auditEvents } = read.tables
  const [found] = await read
    .select({ leaf: auditEvents.leaf })
    .from(auditEvents)
    .where(eq(auditEvents.idx, event.idx))
  return found?.leaf.equals(event.leaf) ?? false
}
