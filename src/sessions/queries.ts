import { and, eq, gt, lte, sql } from '../../schemas/drizzle.ts'
import { prepared, type Queries } from '../database/database.ts'

export type SessionRow = Queries['tables']['sessions']['$inferSelect']

const p = sql.placeholder

/** A session with its account. */
export const findSession = prepared((q: Queries) => {
  const { sessions, accounts } = q.tables
  return q
    .select({
      session: sessions,
      organisationId: accounts.organisationId,
      role: accounts.role,
      country: accounts.country,
      disabledAt: accounts.disabledAt
    })
    .from(sessions)
    .innerJoin(accounts, eq(accounts.id, sessions.accountId))
    .where(eq(sessions.id, p('id')))
    .prepare('find_session')
})

/** Which role an account has, and whether it, or the client that may act for it, was disabled. */
export const findStanding = prepared((q: Queries) => {
  const { accounts, clients } = q.tables
  return q
    .select({
      role: accounts.role,
      disabledAt: accounts.disabledAt,
      clientDisabledAt: clients.disabledAt
    })
    .from(accounts)
    .leftJoin(clients, eq(clients.id, p('clientId')))
    .where(eq(accounts.id, p('accountId')))
    .prepare('find_standing')
})

/** The session of an account that began at this moment, whatever its cookie is by now. */
export const sessionBegunAt = prepared((q: Queries) => {
  const { sessions } = q.tables
  return q
    .select({ id: sessions.id })
    .from(sessions)
    .where(and(eq(sessions.accountId, p('accountId')), eq(sessions.createdAt, p('createdAt'))))
    .prepare('session_begun_at')
})

export async function insertSession(tx: Queries, row: SessionRow): Promise<void> {
  await tx.insert(tx.tables.sessions).values(row)
}

export async function touchSession(tx: Queries, id: string, seenAt: number): Promise<void> {
  const { sessions } = tx.tables
  await tx.update(sessions).set({ seenAt }).where(eq(sessions.id, id))
}

/** Ends sessions of an account: one of them, those of one passkey, or all. Resolves to those that were there. */
export async function deleteSessions(
  tx: Queries,
  { accountId, id, passkeyId }: { accountId: string; id?: string; passkeyId?: string }
): Promise<SessionRow[]> {
  const { sessions } = tx.tables
  return tx
    .delete(sessions)
    .where(
      and(
        eq(sessions.accountId, accountId),
        id === undefined ? undefined : eq(sessions.id, id),
        passkeyId === undefined ? undefined : eq(sessions.passkeyId, passkeyId)
      )
    )
    .returning()
}

/** Those of an account that still count at `now`, latest first. */
export async function sessionsOf(
  queries: Queries,
  { accountId, now, seenAfter }: { accountId: string; now: number; seenAfter: number }
): Promise<SessionRow[]> {
  const { sessions } = queries.tables
  return queries
    .select()
    .from(sessions)
    .where(
      and(
        eq(sessions.accountId, accountId),
        gt(sessions.expiresAt, now),
        gt(sessions.seenAt, seenAfter)
      )
    )
    .orderBy(sql`${sessions.createdAt} DESC`)
}

/** Deletes at most `batchMax` rows that have been over since `now`, and resolves to how many. */
export async function deleteExpired(
  tx: Queries,
  { now, batchMax }: { now: number; batchMax: number }
): Promise<number> {
  const { sessions, ceremonies } = tx.tables
  let removed = 0
  for (const table of [sessions, ceremonies]) {
    const expired = tx
      .select({ id: table.id })
      .from(table)
      .where(lte(table.expiresAt, now))
      .limit(batchMax)
    const rows = await tx.delete(table).where(sql`${table.id} IN ${expired}`).returning()
    removed += rows.length
  }
  return removed
}
