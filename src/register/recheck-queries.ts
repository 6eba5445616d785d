import {
  and,
  asc,
  eq,
  gt,
  inArray,
  isNotNull,
  isNull,
  lte,
  min,
  ne,
  or
} from '../../schemas/drizzle.ts'
import type { Queries } from '../database/database.ts'
import type { EntryRow } from './queries.ts'

interface File {
  id: string
  source: string
}

/** Verified entries of which the file does not say what it should. */
export async function entriesAgainstFile(
  queries: Queries,
  file: File,
  after: string,
  limit: number
): Promise<EntryRow[]> {
  const { specialists, registerRows: rows } = queries.tables
  const found = await queries
    .select({ entry: specialists })
    .from(specialists)
    .leftJoin(rows, and(eq(rows.fileId, file.id), eq(rows.numberRef, specialists.numberRef)))
    .where(
      and(
        eq(specialists.numberSystem, file.source),
        isNotNull(specialists.verifiedAt),
        gt(specialists.id, after),
        or(
          isNull(rows.status),
          ne(rows.status, 'registered'),
          and(eq(specialists.onSpecialistRegister, true), eq(rows.onSpecialistRegister, false))
        )
      )
    )
    .orderBy(asc(specialists.id))
    .limit(limit)
  return found.map(({ entry }) => entry)
}

/** Entries whose specialist has just enrolled, and whom the file has in good standing. */
export async function entriesToVerify(
  queries: Queries,
  file: File,
  after: string,
  limit: number
): Promise<EntryRow[]> {
  const { specialists, registerRows: rows } = queries.tables
  const found = await queries
    .select({ entry: specialists })
    .from(specialists)
    .innerJoin(rows, and(eq(rows.fileId, file.id), eq(rows.numberRef, specialists.numberRef)))
    .where(
      and(
        eq(specialists.numberSystem, file.source),
        eq(specialists.unverifiedReason, 'enrolled'),
        eq(rows.status, 'registered'),
        gt(specialists.id, after)
      )
    )
    .orderBy(asc(specialists.id))
    .limit(limit)
  return found.map(({ entry }) => entry)
}

/** Entries whose verification has run out, which the log does not say yet. */
export function entriesRunOut(
  queries: Queries,
  now: number,
  limit: number
): Promise<{ id: string; accountId: string | null }[]> {
  const { specialists } = queries.tables
  return queries
    .select({ id: specialists.id, accountId: specialists.accountId })
    .from(specialists)
    .where(and(lte(specialists.verifiedUntil, now), isNull(specialists.expiryNotedAt)))
    .orderBy(asc(specialists.verifiedUntil), asc(specialists.id))
    .limit(limit)
}

/** Says once that an entry has run out; false when somebody has said so, or verified it anew. */
export async function noteExpiry(tx: Queries, id: string, now: number): Promise<boolean> {
  const { specialists } = tx.tables
  const noted = await tx
    .update(specialists)
    .set({ expiryNotedAt: now })
    .where(
      and(
        eq(specialists.id, id),
        lte(specialists.verifiedUntil, now),
        isNull(specialists.expiryNotedAt)
      )
    )
    .returning({ id: specialists.id })
  return noted.length > 0
}

/**
 * Files that have rows, but for imports that may still be under way: ids begin with the time they were
 * made.
 */
export async function filesWithRows(queries: Queries, before: number): Promise<string[]> {
  const { registerRows: rows, registerFiles: files } = queries.tables
  const found: string[] = []
  let last = ''
  for (;;) {
    // One step along the index for each file, however many rows it has.
    const [next] = await queries
      .select({ id: min(rows.fileId) })
      .from(rows)
      .where(gt(rows.fileId, last))
    if (next?.id == null) return found
    last = next.id
    const [whole] = await queries.select({ id: files.id }).from(files).where(eq(files.id, last))
    const madeAt = Number.parseInt(last.replace('-', '').slice(0, 12), 16)
    if (whole !== undefined || madeAt < before) found.push(last)
  }
}

/** Removes at most `limit` rows of a file, and says how many it were. */
export async function removeRows(tx: Queries, fileId: string, limit: number): Promise<number> {
  const { registerRows: rows } = tx.tables
  const some = await tx
    .select({ numberRef: rows.numberRef })
    .from(rows)
    .where(eq(rows.fileId, fileId))
    .limit(limit)
  if (some.length === 0) return 0
  const numbers = some.map(row => row.numberRef)
  await tx.delete(rows).where(and(eq(rows.fileId, fileId), inArray(rows.numberRef, numbers)))
  return some.length
}
