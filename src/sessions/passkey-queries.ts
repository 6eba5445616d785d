import { and, asc, count, desc, eq, isNull, sql } from '../../schemas/drizzle.ts'
import { held, type Queries } from '../database/database.ts'

export type PasskeyRow = Queries['tables']['passkeys']['$inferSelect']
type IdentityRow = Queries['tables']['identities']['$inferSelect']

export function passkeyById(queries: Queries, id: string): Promise<PasskeyRow[]> {
  const { passkeys } = queries.tables
  return queries.select().from(passkeys).where(eq(passkeys.id, id))
}

export function passkeysOf(queries: Queries, accountId: string): Promise<PasskeyRow[]> {
  const { passkeys } = queries.tables
  return queries
    .select()
    .from(passkeys)
    .where(eq(passkeys.accountId, accountId))
    .orderBy(asc(passkeys.createdAt), asc(passkeys.id))
}

/** False when there is one with its id, whoever owns it. */
export async function insertPasskey(tx: Queries, row: PasskeyRow): Promise<boolean> {
  const { passkeys } = tx.tables
  const added = await tx
    .insert(passkeys)
    .values(row)
    .onConflictDoNothing()
    .returning({ id: passkeys.id })
  return added.length === 1
}

/** All passkeys of an account are one identity of it. */
export async function insertIdentityOnce(tx: Queries, row: IdentityRow): Promise<void> {
  await tx.insert(tx.tables.identities).values(row).onConflictDoNothing()
}

/**
 * Notes that a passkey was used, in one statement that only a count above the last one passes, or none
 * from an authenticator that never counts (Web Authentication, section 6.1.1). False for the same count
 * again or one that goes back: there are two of it.
 */
export async function countSignature(
  tx: Queries,
  at: { id: string; accountId: string; counter: number; now: number }
): Promise<boolean> {
  const { passkeys } = tx.tables
  const rises = sql`(${passkeys.counter} < ${at.counter} OR (${passkeys.counter} = 0 AND ${at.counter} = 0))`
  const counted = await tx
    .update(passkeys)
    .set({ counter: at.counter, usedAt: at.now })
    .where(and(eq(passkeys.id, at.id), eq(passkeys.accountId, at.accountId), rises))
    .returning({ id: passkeys.id })
  return counted.length === 1
}

export async function setPasskeyName(
  tx: Queries,
  { id, accountId, nameSealed }: { id: string; accountId: string; nameSealed: Buffer }
): Promise<boolean> {
  const { passkeys } = tx.tables
  const renamed = await tx
    .update(passkeys)
    .set({ nameSealed })
    .where(and(eq(passkeys.id, id), eq(passkeys.accountId, accountId)))
    .returning({ id: passkeys.id })
  return renamed.length === 1
}

export async function deletePasskey(
  tx: Queries,
  { id, accountId }: { id: string; accountId: string }
): Promise<boolean> {
  const { passkeys } = tx.tables
  const removed = await tx
    .delete(passkeys)
    .where(and(eq(passkeys.id, id), eq(passkeys.accountId, accountId)))
    .returning({ id: passkeys.id })
  return removed.length === 1
}

/** The account, which stays as it is until the transaction ends: its ways in are counted meanwhile. */
export async function holdAccount(tx: Queries, id: string) {
  const { accounts } = tx.tables
  const query = tx
    .select({
      id: accounts.id,
      organisationId: accounts.organisationId,
      role: accounts.role,
      disabledAt: accounts.disabledAt
    })
    .from(accounts)
    .where(eq(accounts.id, id))
  const [row] = await held(tx, query, 'update')
  return row
}

/** Administrators of an organisation who are not disabled, the newest first. */
export async function administratorsOf(
  queries: Queries,
  organisationId: string,
  limit: number
): Promise<string[]> {
  const { accounts } = queries.tables
  const rows = await queries
    .select({ id: accounts.id })
    .from(accounts)
    .where(
      and(
        eq(accounts.organisationId, organisationId),
        eq(accounts.role, 'administrator'),
        isNull(accounts.disabledAt)
      )
    )
    .orderBy(desc(accounts.id))
    .limit(limit)
  return rows.map(({ id }) => id)
}

export async function insertRecoveryCodes(
  tx: Queries,
  rows: { codeRef: Buffer; accountId: string; createdAt: number }[]
): Promise<void> {
  await tx.insert(tx.tables.recoveryCodes).values(rows.map(row => ({ ...row, usedAt: null })))
}

export async function deleteRecoveryCodes(tx: Queries, accountId: string): Promise<void> {
  const { recoveryCodes } = tx.tables
  await tx.delete(recoveryCodes).where(eq(recoveryCodes.accountId, accountId))
}

export async function countRecoveryCodes(queries: Queries, accountId: string): Promise<number> {
  const { recoveryCodes } = queries.tables
  const [row] = await queries
    .select({ left: count() })
    .from(recoveryCodes)
    .where(and(eq(recoveryCodes.accountId, accountId), isNull(recoveryCodes.usedAt)))
  return row?.left ?? 0
}

/** Whose unused code this is. */
export async function recoveryCodeOwner(
  queries: Queries,
  codeRef: Buffer
): Promise<string | undefined> {
  const { recoveryCodes } = queries.tables
  const [row] = await queries
    .select({ accountId: recoveryCodes.accountId })
    .from(recoveryCodes)
    .where(and(eq(recoveryCodes.codeRef, codeRef), isNull(recoveryCodes.usedAt)))
  return row?.accountId
}

/** Uses a code up. Of several at once one does. */
export async function spendRecoveryCode(
  tx: Queries,
  { codeRef, accountId, now }: { codeRef: Buffer; accountId: string; now: number }
): Promise<boolean> {
  const { recoveryCodes } = tx.tables
  const spent = await tx
    .update(recoveryCodes)
    .set({ usedAt: now })
    .where(
      and(
        eq(recoveryCodes.codeRef, codeRef),
        eq(recoveryCodes.accountId, accountId),
        isNull(recoveryCodes.usedAt)
      )
    )
    .returning({ accountId: recoveryCodes.accountId })
  return spent.length === 1
}
