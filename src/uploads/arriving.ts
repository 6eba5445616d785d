import { and, count, eq, gt, isNull, ne, sql } from '../../schemas/drizzle.ts'
import type { Queries } from '../database/database.ts'

/** Drafts that go on, and the plaintext bytes that have come into them so far. */
export interface Arriving {
  drafts: number
  draftBytes: number
}

/** What no backup and no move takes along, because it comes and goes while they are made. */
export async function countArriving(queries: Queries, now: number): Promise<Arriving> {
  const { drafts, uploads, uploadSegments } = queries.tables
  const goesOn = and(isNull(drafts.discardedAt), gt(drafts.expiresAt, now))
  const [found] = await queries.select({ drafts: count() }).from(drafts).where(goesOn)
  const [came] = await queries
    .select({ bytes: sql<string>`coalesce(sum(${uploadSegments.bytes}), 0)` })
    .from(drafts)
    .innerJoin(uploads, eq(uploads.draftId, drafts.id))
    .innerJoin(uploadSegments, eq(uploadSegments.uploadId, uploads.id))
    .where(and(goesOn, ne(uploads.state, 'ended'), ne(uploads.state, 'refused')))
  return { drafts: found?.drafts ?? 0, draftBytes: Number(came?.bytes ?? 0) }
}
