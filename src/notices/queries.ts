import {
  and,
  asc,
  count,
  desc,
  eq,
  inArray,
  isNull,
  lt,
  lte,
  ne,
  or,
  sql
} from '../../schemas/drizzle.ts'
import type { Channel, NoticeState } from '../../schemas/notice.ts'
import { prepared, type Queries } from '../database/database.ts'

export type NoticeRow = Queries['tables']['notices']['$inferSelect']
type InsertValues = Omit<
  NoticeRow,
  'state' | 'code' | 'attempts' | 'nextAt' | 'leaseRun' | 'leaseUntil' | 'createdAt' | 'endedAt'
> & { now: number }

const p = sql.placeholder
/** Notices taken back in one go. */
const LAPSED_MAX = 100

/** Stores nothing when there is one of this event for this recipient. */
export const insertNotice = prepared<InsertValues, unknown>(q => {
  const { notices } = q.tables
  return q
    .insert(notices)
    .values({
      id: p('id'),
      once: p('once'),
      kind: p('kind'),
      channel: p('channel'),
      organisationId: p('organisationId'),
      accountId: p('accountId'),
      webhookId: p('webhookId'),
      caseId: p('caseId'),
      shareId: p('shareId'),
      recipientSealed: p('recipientSealed'),
      invitationId: p('invitationId'),
      invitationLinkId: p('invitationLinkId'),
      state: 'waiting',
      attempts: 0,
      nextAt: p('now'),
      usefulUntil: p('usefulUntil'),
      createdAt: p('now')
    })
    .onConflictDoNothing({ target: notices.once })
    .prepare('insert_notice')
})

/** Which of these notices there are, by what names their event and recipient. */
export async function knownNames(queries: Queries, names: string[]): Promise<string[]> {
  if (names.length === 0) return []
  const { once } = queries.tables.notices
  const rows = await queries
    .select({ once })
    .from(queries.tables.notices)
    .where(inArray(once, names))
  return rows.map(row => row.once)
}

/** The webhooks of an organisation that are to be told of things, and of which. */
export const activeWebhooks = prepared<{ organisationId: string }, { id: string; kinds: string }[]>(
  q => {
    const { webhooks } = q.tables
    return q
      .select({ id: webhooks.id, kinds: webhooks.kinds })
      .from(webhooks)
      .where(
        and(
          eq(webhooks.organisationId, p('organisationId')),
          isNull(webhooks.removedAt),
          isNull(webhooks.disabledAt)
        )
      )
      .prepare('active_webhooks')
  }
)

/** Whether anything is due on a channel: a look that costs nothing when there is not. */
export const isAnyDue = prepared<{ channel: Channel; now: number }, { id: string }[]>(q => {
  const { notices } = q.tables
  return q
    .select({ id: notices.id })
    .from(notices)
    .where(
      and(
        eq(notices.channel, p('channel')),
        eq(notices.state, 'waiting'),
        sql`${notices.nextAt} <= ${p('now')}`
      )
    )
    .limit(1)
    .prepare('is_any_notice_due')
})

/**
 * Takes at most `limit` notices that are due, for one run alone until its lease ends. Of any number
 * of processes at once each notice goes to one: they pass over rows that another is taking.
 */
export async function claimDue(
  tx: Queries,
  claim: { channel: Channel; now: number; run: string; until: number; limit: number }
): Promise<NoticeRow[]> {
  const { notices } = tx.tables
  const isDue = and(
    eq(notices.channel, claim.channel),
    eq(notices.state, 'waiting'),
    lte(notices.nextAt, claim.now)
  )
  const due = tx
    .select({ id: notices.id })
    .from(notices)
    .where(isDue)
    .orderBy(asc(notices.nextAt))
    .limit(claim.limit)
  if (tx.kind === 'postgres') due.for('update', { skipLocked: true })
  // Found first and not inside the change, for which PostgreSQL may look for them once for each row: it
  // passes over what the change has done by then, and so comes to all of them.
  const ids = (await due).map(({ id }) => id)
  if (ids.length === 0) return []
  return tx
    .update(notices)
    .set({
      state: 'sending',
      attempts: sql`${notices.attempts} + 1`,
      leaseRun: claim.run,
      leaseUntil: claim.until
    })
    .where(inArray(notices.id, ids))
    .returning()
}

/** What an attempt makes of its notice. */
export interface Ending {
  state: Exclude<NoticeState, 'sending'>
  code: string | null
  nextAt: number
  endedAt: number | null
}

/** Writes down what came of an attempt. False when the lease had gone to somebody else. */
export async function endAttempt(tx: Queries, row: NoticeRow, ending: Ending): Promise<boolean> {
  const { notices } = tx.tables
  const ended = await tx
    .update(notices)
    .set({
      ...ending,
      leaseRun: null,
      leaseUntil: null,
      // Whom it went to is of no use once it has ended.
      ...(ending.endedAt !== null && { recipientSealed: null })
    })
    .where(
      and(
        eq(notices.id, row.id),
        eq(notices.state, 'sending'),
        eq(notices.leaseRun, row.leaseRun ?? ''),
        eq(notices.leaseUntil, row.leaseUntil ?? 0)
      )
    )
    .returning({ id: notices.id })
  return ended.length > 0
}

/** Runs other than `own` that hold notices of a channel. */
export async function otherLeases(queries: Queries, channel: Channel, own: string) {
  const { notices } = queries.tables
  const rows = await queries
    .select({ run: notices.leaseRun })
    .from(notices)
    .where(
      and(eq(notices.channel, channel), eq(notices.state, 'sending'), ne(notices.leaseRun, own))
    )
    .groupBy(notices.leaseRun)
  return rows.flatMap(({ run }) => (run === null ? [] : [run]))
}

/** Ids of notices in the hands of a process whose time for them is over, or which has ended. */
export async function lapsedLeases(
  queries: Queries,
  channel: Channel,
  gone: string[],
  now: number
): Promise<string[]> {
  const { notices } = queries.tables
  const rows = await queries
    .select({ id: notices.id })
    .from(notices)
    .where(and(eq(notices.channel, channel), hasLapsed(queries, gone, now)))
    .limit(LAPSED_MAX)
  return rows.map(({ id }) => id)
}

/** Lets these be taken again, unless their lease is another by now. */
export async function takeBack(
  tx: Queries,
  ids: string[],
  gone: string[],
  now: number
): Promise<number> {
  const { notices } = tx.tables
  const rows = await tx
    .update(notices)
    .set({ state: 'waiting', code: 'interrupted', nextAt: now, leaseRun: null, leaseUntil: null })
    .where(and(inArray(notices.id, ids), hasLapsed(tx, gone, now)))
    .returning({ id: notices.id })
  return rows.length
}

function hasLapsed(queries: Queries, gone: string[], now: number) {
  const { notices } = queries.tables
  const isGone = gone.length > 0 ? inArray(notices.leaseRun, gone) : undefined
  return and(eq(notices.state, 'sending'), or(lte(notices.leaseUntil, now), isGone))
}

/** Removes at most `limit` notices that ended before this moment. */
export async function removeEnded(tx: Queries, before: number, limit: number): Promise<number> {
  const { notices } = tx.tables
  const old = tx
    .select({ id: notices.id })
    .from(notices)
    .where(lt(notices.endedAt, before))
    .limit(limit)
  const removed = await tx
    .delete(notices)
    .where(sql`${notices.id} IN ${old}`)
    .returning({ id: notices.id })
  return removed.length
}

/** How many notices are in each state that an operator may have to do something about. */
export async function countStates(
  queries: Queries
): Promise<{ channel: string; state: string; n: number }[]> {
  const { notices } = queries.tables
  return queries
    .select({ channel: notices.channel, state: notices.state, n: count() })
    .from(notices)
    .where(inArray(notices.state, ['waiting', 'sending', 'failed', 'given-up']))
    .groupBy(notices.channel, notices.state)
}

/** E-mails about an organisation's shares and cases, newest first, from `before` (exclusive) on. */
export function pageOfNotices(
  queries: Queries,
  filter: {
    organisationId: string
    shareId?: string | undefined
    state?: NoticeState | undefined
    before?: string | undefined
    limit: number
  }
): Promise<NoticeRow[]> {
  const { notices } = queries.tables
  const { organisationId, shareId, state, before, limit } = filter
  return queries
    .select()
    .from(notices)
    .where(
      and(
        eq(notices.organisationId, organisationId),
        eq(notices.channel, 'mail'),
        // How somebody signs in is told to them and to their administrators alone.
        ne(notices.kind, 'account-recovered'),
        ne(notices.kind, 'colleague-recovered'),
        shareId === undefined ? undefined : eq(notices.shareId, shareId),
        state === undefined ? undefined : eq(notices.state, state),
        before === undefined ? undefined : lt(notices.id, before)
      )
    )
    .orderBy(desc(notices.id))
    .limit(limit)
}

/** By which name an organisation is known. */
export async function organisationName(queries: Queries, id: string): Promise<string | undefined> {
  const { organisations } = queries.tables
  const [row] = await queries
    .select({ name: organisations.name })
    .from(organisations)
    .where(eq(organisations.id, id))
  return row?.name
}
