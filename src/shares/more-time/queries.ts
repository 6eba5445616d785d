import { and, asc, eq, isNull } from '../../../schemas/drizzle.ts'
import type { Queries } from '../../database/database.ts'

export type AskRow = Awaited<ReturnType<typeof asksOf>>[number]

/** Every time more of it was asked for a share, the first first. */
export function asksOf(queries: Queries, shareId: string) {
  const { moreTime } = queries.tables
  return queries
    .select()
    .from(moreTime)
    .where(eq(moreTime.shareId, shareId))
    .orderBy(asc(moreTime.id))
}

/** Stores nothing, and says so, while one of this share waits: of any number at once one is stored. */
export async function insertAsk(tx: Queries, row: AskRow): Promise<boolean> {
  const stored = await tx
    .insert(tx.tables.moreTime)
    .values(row)
    .onConflictDoNothing()
    .returning({ id: tx.tables.moreTime.id })
  return stored.length > 0
}

/** Answers one that waits, once. Nothing when somebody was quicker. */
export async function answerAsk(
  tx: Queries,
  id: string,
  answer: Pick<AskRow, 'answeredAt' | 'answeredBy' | 'reasonSealed' | 'shareGiven'>
): Promise<AskRow | undefined> {
  const { moreTime } = tx.tables
  const [row] = await tx
    .update(moreTime)
    .set(answer)
    .where(and(eq(moreTime.id, id), isNull(moreTime.answeredAt)))
    .returning()
  return row
}
