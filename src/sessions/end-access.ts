import { isNull } from '../../schemas/drizzle.ts'
import type { Queries } from '../database/database.ts'

/**
 * Signs everybody out and makes every challenge and every code to enrol with worthless, inside the
 * caller's transaction. After a restore nobody knows which of them were ended or used since the backup:
 * people sign in again with their passkeys, and administrators make new codes.
 */
export async function endAccess(tx: Queries): Promise<void> {
  const { sessions, ceremonies, enrolments } = tx.tables
  await tx.delete(sessions)
  await tx.delete(ceremonies)
  await tx.update(enrolments).set({ codeRef: null }).where(isNull(enrolments.usedAt))
}
