import { and, asc, eq } from '../../../schemas/drizzle.ts'
import type { Queries } from '../../database/database.ts'

export type OwnQuestionRow = Queries['tables']['savedQuestions']['$inferSelect']

/** The questions of one person, the first first. */
export function questionsOf(queries: Queries, accountId: string): Promise<OwnQuestionRow[]> {
  const { savedQuestions: table } = queries.tables
  return queries.select().from(table).where(eq(table.accountId, accountId)).orderBy(asc(table.id))
}

export async function insertQuestion(tx: Queries, row: OwnQuestionRow): Promise<void> {
  await tx.insert(tx.tables.savedQuestions).values(row)
}

/** Removes one of this person, and returns it, or nothing when it is not there or not theirs. */
export function deleteQuestion(
  tx: Queries,
  { id, accountId }: { id: string; accountId: string }
): Promise<{ id: string }[]> {
  const { savedQuestions: table } = tx.tables
  return tx
    .delete(table)
    .where(and(eq(table.id, id), eq(table.accountId, accountId)))
    .returning({ id: table.id })
}
