import {
  and,
  asc,
  count,
  desc,
  eq,
  gt,
  inArray,
  isNull,
  lt,
  lte,
  sql
} from '../../schemas/drizzle.ts'
import { held, type Queries } from '../database/database.ts'
import type { EntryRow } from './queries.ts'

export type InvitationRow = Awaited<ReturnType<typeof findInvitation>>[number]

export function findInvitation(queries: Queries, id: string) {
  const { invitations } = queries.tables
  return queries.select().from(invitations).where(eq(invitations.id, id))
}

export function findByLink(queries: Queries, linkId: string) {
  const { invitations } = queries.tables
  return queries.select().from(invitations).where(eq(invitations.linkId, linkId))
}

/** The same, which then stays as it is until the transaction ends. */
export function findByLinkHeld(tx: Queries, linkId: string) {
  const { invitations } = tx.tables
  const query = tx.select().from(invitations).where(eq(invitations.linkId, linkId))
  return held(tx, query, 'update')
}

/**
 * Counts one try of a code, in one statement that only an open invitation with a try left passes, so
 * that no number of guesses at once, in however many processes, can pass the limit.
 */
export async function countTry(
  tx: Queries,
  at: { linkId: string; now: number; triesMax: number }
): Promise<InvitationRow | undefined> {
  const { invitations } = tx.tables
  const [row] = await tx
    .update(invitations)
    .set({ tries: sql`${invitations.tries} + 1` })
    .where(
      and(
        eq(invitations.linkId, at.linkId),
        isNull(invitations.acceptedAt),
        isNull(invitations.withdrawnAt),
        gt(invitations.expiresAt, at.now),
        lt(invitations.tries, at.triesMax)
      )
    )
    .returning()
  return row
}

/** Changes an invitation that is neither accepted nor withdrawn. Nothing when it is. */
export async function changeOpen(
  tx: Queries,
  id: string,
  change: Partial<InvitationRow>,
  sendsBelow?: number
): Promise<InvitationRow | undefined> {
  const { invitations } = tx.tables
  const [row] = await tx
    .update(invitations)
    .set(change)
    .where(
      and(
        eq(invitations.id, id),
        isNull(invitations.acceptedAt),
        isNull(invitations.withdrawnAt),
        sendsBelow === undefined ? undefined : lt(invitations.sends, sendsBelow)
      )
    )
    .returning()
  return row
}

/**
 * Takes at most `limit` invitations that can be accepted, end by `until`, and were not reminded of since
 * they were sent. Each goes to one caller, however many ask at once.
 */
export function takeUnanswered(
  tx: Queries,
  { now, until, limit }: { now: number; until: number; limit: number }
): Promise<InvitationRow[]> {
  const { invitations } = tx.tables
  const isMeant = and(
    isNull(invitations.acceptedAt),
    isNull(invitations.withdrawnAt),
    isNull(invitations.remindedAt),
    gt(invitations.expiresAt, now),
    lte(invitations.expiresAt, until)
  )
  const some = tx
    .select({ id: invitations.id })
    .from(invitations)
    .where(isMeant)
    .orderBy(asc(invitations.expiresAt))
    .limit(limit)
  return tx
    .update(invitations)
    .set({ remindedAt: now })
    .where(and(isMeant, sql`${invitations.id} IN ${some}`))
    .returning()
}

/** How many invitations of an account somebody could still accept. */
export async function countOpen(queries: Queries, accountId: string, now: number): Promise<number> {
  const { invitations } = queries.tables
  const [row] = await queries
    .select({ open: count() })
    .from(invitations)
    .where(
      and(
        eq(invitations.createdBy, accountId),
        isNull(invitations.acceptedAt),
        isNull(invitations.withdrawnAt),
        gt(invitations.expiresAt, now)
      )
    )
  return row?.open ?? 0
}

/** Invitations of one organisation, newest first, from `before` (exclusive) on. */
export function pageOfInvitations(
  queries: Queries,
  filter: { organisationId: string; before: string | undefined; limit: number }
): Promise<InvitationRow[]> {
  const { invitations } = queries.tables
  return queries
    .select()
    .from(invitations)
    .where(
      and(
        eq(invitations.organisationId, filter.organisationId),
        filter.before === undefined ? undefined : lt(invitations.id, filter.before)
      )
    )
    .orderBy(desc(invitations.id))
    .limit(filter.limit)
}

export function entriesById(queries: Queries, ids: string[]): Promise<EntryRow[]> {
  const { specialists } = queries.tables
  if (ids.length === 0) return Promise.resolve([])
  return queries.select().from(specialists).where(inArray(specialists.id, ids))
}

/**
 * Makes an account that of an entry which has none. Whoever verified the entry before had not seen who
 * would sign in, so it is to be verified anew. Nothing when the entry has an account.
 */
export async function bindEntry(
  tx: Queries,
  id: string,
  accountId: string,
  now: number
): Promise<EntryRow | undefined> {
  const { specialists } = tx.tables
  const [row] = await tx
    .update(specialists)
    .set({
      accountId,
      verifiedAt: null,
      verifiedUntil: null,
      unverifiedReason: 'enrolled',
      expiryNotedAt: null,
      version: sql`${specialists.version} + 1`,
      changedAt: now
    })
    .where(and(eq(specialists.id, id), isNull(specialists.accountId)))
    .returning()
  return row
}
