import { eq } from '../../schemas/drizzle.ts'
import type { Queries } from '../database/database.ts'

/** Whether this person wants reminders: yes, unless they said no. */
export async function wantsReminders(queries: Queries, accountId: string): Promise<boolean> {
  const { noticePreferences: preferences } = queries.tables
  const [row] = await queries
    .select({ reminders: preferences.reminders })
    .from(preferences)
    .where(eq(preferences.accountId, accountId))
  return row?.reminders ?? true
}

export async function setReminders(
  tx: Queries,
  accountId: string,
  reminders: boolean,
  now: number
): Promise<void> {
  const { noticePreferences: preferences } = tx.tables
  await tx
    .insert(preferences)
    .values({ accountId, reminders, changedAt: now })
    .onConflictDoUpdate({ target: preferences.accountId, set: { reminders, changedAt: now } })
}
