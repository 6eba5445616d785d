import {
  and,
  asc,
  count,
  desc,
  eq,
  gt,
  inArray,
  isNotNull,
  isNull,
  lt,
  ne,
  or,
  sql
} from '../../schemas/drizzle.ts'
import type { Queries } from '../database/database.ts'
import { EMBEDDED } from '../identity/principal.ts'

export type EnrolmentRow = Queries['tables']['enrolments']['$inferSelect']
type AccountRow = Queries['tables']['accounts']['$inferSelect']

/** Puts a code in force. One with the same id, and every other of the same account, is dead by then. */
export async function putEnrolment(tx: Queries, row: EnrolmentRow): Promise<void> {
  const { enrolments } = tx.tables
  if (row.accountId !== null) {
    await tx
      .update(enrolments)
      .set({ codeRef: null })
      .where(and(eq(enrolments.accountId, row.accountId), ne(enrolments.id, row.id)))
  }
  const { codeRef, tries, createdBy, createdAt, expiresAt, usedAt, withdrawnAt } = row
  await tx.insert(enrolments).values(row).onConflictDoUpdate({
    target: enrolments.id,
    set: { codeRef, tries, createdBy, createdAt, expiresAt, usedAt, withdrawnAt }
  })
}

/**
 * Counts one try of a code, in one statement that only a code in force with a try left passes, so that
 * no number of guesses at once, in however many processes, can pass the limit.
 */
export async function countTry(
  tx: Queries,
  at: { id: string; now: number; triesMax: number }
): Promise<EnrolmentRow | undefined> {
  const { enrolments } = tx.tables
  const [row] = await tx
    .update(enrolments)
    .set({ tries: sql`${enrolments.tries} + 1` })
    .where(and(inForce(tx, at), lt(enrolments.tries, at.triesMax)))
    .returning()
  return row
}

/** The row of a code in force, whatever was tried on it. */
export async function openCode(
  queries: Queries,
  at: { id: string; now: number }
): Promise<EnrolmentRow | undefined> {
  const { enrolments } = queries.tables
  const [row] = await queries.select().from(enrolments).where(inForce(queries, at))
  return row
}

export async function voidCode(tx: Queries, id: string): Promise<void> {
  const { enrolments } = tx.tables
  await tx.update(enrolments).set({ codeRef: null }).where(eq(enrolments.id, id))
}

/** Uses a code up that was tried and right, in one statement that one caller passes. */
export async function spendCode(
  tx: Queries,
  at: { id: string; now: number; createdAt: number }
): Promise<boolean> {
  const { enrolments } = tx.tables
  const spent = await tx
    .update(enrolments)
    .set({ codeRef: null, usedAt: at.now })
    // Of the first administrator's there is one row: a later start may have put another code in it.
    .where(and(inForce(tx, at), eq(enrolments.createdAt, at.createdAt)))
    .returning({ id: enrolments.id })
  return spent.length === 1
}

function inForce(tx: Queries, { id, now }: { id: string; now: number }) {
  const { enrolments } = tx.tables
  return and(
    eq(enrolments.id, id),
    isNull(enrolments.usedAt),
    isNotNull(enrolments.codeRef),
    gt(enrolments.expiresAt, now)
  )
}

/**
 * Whether some administrator of the organisation that runs this exchange has a way in: a passkey, a
 * client, or an identity elsewhere.
 */
export async function hasAdministrator(queries: Queries): Promise<boolean> {
  const { accounts, operatingOrganisation, passkeys, identities, clients } = queries.tables
  const [found] = await queries
    .select({ id: accounts.id })
    .from(accounts)
    .innerJoin(
      operatingOrganisation,
      eq(operatingOrganisation.organisationId, accounts.organisationId)
    )
    .leftJoin(passkeys, eq(passkeys.accountId, accounts.id))
    .leftJoin(identities, eq(identities.accountId, accounts.id))
    .leftJoin(
      clients,
      and(
        eq(identities.issuer, EMBEDDED),
        eq(clients.id, identities.subject),
        isNull(clients.disabledAt)
      )
    )
    .where(
      and(
        eq(accounts.role, 'administrator'),
        isNull(accounts.disabledAt),
        or(isNotNull(passkeys.id), isNotNull(clients.id), ne(identities.issuer, EMBEDDED))
      )
    )
    .limit(1)
  return found !== undefined
}

/** Accounts of one organisation, newest first, from `before` (exclusive) on. */
export function pageOfAccounts(
  queries: Queries,
  filter: { organisationId: string; before: string | undefined; limit: number }
): Promise<AccountRow[]> {
  const { accounts } = queries.tables
  return queries
    .select()
    .from(accounts)
    .where(
      and(
        eq(accounts.organisationId, filter.organisationId),
        filter.before === undefined ? undefined : lt(accounts.id, filter.before)
      )
    )
    .orderBy(desc(accounts.id))
    .limit(filter.limit)
}

export async function accountRow(queries: Queries, id: string): Promise<AccountRow | undefined> {
  const { accounts } = queries.tables
  const [row] = await queries.select().from(accounts).where(eq(accounts.id, id))
  return row
}

export async function setRole(
  tx: Queries,
  id: string,
  change: Pick<AccountRow, 'role' | 'profileSealed'>
): Promise<void> {
  const { accounts } = tx.tables
  await tx.update(accounts).set(change).where(eq(accounts.id, id))
}

/** Codes of the people of one organisation with their accounts, newest first, from `before` on. */
export async function pageOfEnrolments(
  queries: Queries,
  filter: { organisationId: string; before: string | undefined; limit: number }
): Promise<(EnrolmentRow & { account: Pick<AccountRow, 'id' | 'profileSealed'> })[]> {
  const { accounts, enrolments } = queries.tables
  const rows = await queries
    .select({
      enrolment: enrolments,
      account: { id: accounts.id, profileSealed: accounts.profileSealed }
    })
    .from(enrolments)
    .innerJoin(accounts, eq(accounts.id, enrolments.accountId))
    .where(
      and(
        eq(accounts.organisationId, filter.organisationId),
        filter.before === undefined ? undefined : lt(enrolments.id, filter.before)
      )
    )
    .orderBy(desc(enrolments.id))
    .limit(filter.limit)
  return rows.map(({ enrolment, account }) => ({ ...enrolment, account }))
}

/** Ends the code in force of an account; false when there is none. */
export async function withdrawCode(
  tx: Queries,
  { accountId, now }: { accountId: string; now: number }
): Promise<boolean> {
  const { enrolments } = tx.tables
  const withdrawn = await tx
    .update(enrolments)
    .set({ withdrawnAt: now, codeRef: null })
    .where(
      and(
        eq(enrolments.accountId, accountId),
        isNull(enrolments.usedAt),
        isNotNull(enrolments.codeRef),
        gt(enrolments.expiresAt, now)
      )
    )
    .returning({ id: enrolments.id })
  return withdrawn.length > 0
}

/**
 * How many passkeys accounts have, which have an identity at an issuer of others, until when a code of
 * theirs is in force, and when a recovery code of those they have was last used.
 */
export async function waysInOf(queries: Queries, ids: string[], now: number) {
  const { passkeys, enrolments, recoveryCodes, identities } = queries.tables
  const none = () => new Map<string, number>()
  if (ids.length === 0) {
    return { passkeys: none(), codes: none(), recovered: none(), elsewhere: new Set<string>() }
  }
  const known = await queries
    .select({ accountId: identities.accountId })
    .from(identities)
    .where(and(inArray(identities.accountId, ids), ne(identities.issuer, EMBEDDED)))
  const counted = await queries
    .select({ accountId: passkeys.accountId, passkeys: count() })
    .from(passkeys)
    .where(inArray(passkeys.accountId, ids))
    .groupBy(passkeys.accountId)
  const open = await queries
    .select({ accountId: enrolments.accountId, expiresAt: enrolments.expiresAt })
    .from(enrolments)
    .where(
      and(
        inArray(enrolments.accountId, ids),
        isNotNull(enrolments.codeRef),
        isNull(enrolments.usedAt),
        gt(enrolments.expiresAt, now)
      )
    )
  const used = await queries
    .select({ accountId: recoveryCodes.accountId, usedAt: recoveryCodes.usedAt })
    .from(recoveryCodes)
    .where(and(inArray(recoveryCodes.accountId, ids), isNotNull(recoveryCodes.usedAt)))
    .orderBy(asc(recoveryCodes.usedAt))
  return {
    passkeys: new Map(counted.map(row => [row.accountId, row.passkeys])),
    elsewhere: new Set(known.map(row => row.accountId)),
    codes: new Map(open.map(row => [String(row.accountId), row.expiresAt])),
    recovered: new Map(used.map(row => [row.accountId, row.usedAt ?? 0]))
  }
}
