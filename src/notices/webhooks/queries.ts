import { and, asc, desc, eq, isNull, lt, sql } from '../../../schemas/drizzle.ts'
import type { Queries } from '../../database/database.ts'

export type WebhookRow = Queries['tables']['webhooks']['$inferSelect']
export type DeliveryRow = Queries['tables']['notices']['$inferSelect']

/** A webhook that was not removed. */
export async function findWebhook(queries: Queries, id: string): Promise<WebhookRow | undefined> {
  const { webhooks } = queries.tables
  const [row] = await queries
    .select()
    .from(webhooks)
    .where(and(eq(webhooks.id, id), isNull(webhooks.removedAt)))
  return row
}

export function webhooksOf(queries: Queries, organisationId: string): Promise<WebhookRow[]> {
  const { webhooks } = queries.tables
  return queries
    .select()
    .from(webhooks)
    .where(and(eq(webhooks.organisationId, organisationId), isNull(webhooks.removedAt)))
    .orderBy(asc(webhooks.id))
}

/**
 * Stores a webhook in a free place, of which its organisation has `max`; false when there is none. A
 * place that another transaction is taking is not free.
 */
export async function insertWebhook(
  tx: Queries,
  row: Omit<WebhookRow, 'slot'>,
  max: number
): Promise<boolean> {
  const { webhooks } = tx.tables
  for (let slot = 1; slot <= max; slot += 1) {
    const stored = await tx
      .insert(webhooks)
      .values({ ...row, slot })
      .onConflictDoNothing()
      .returning({ id: webhooks.id })
    if (stored.length > 0) return true
  }
  return false
}

/** Removes a webhook with its address and secrets. False when it was removed before. */
export async function removeWebhookRow(tx: Queries, id: string, now: number): Promise<boolean> {
  const { webhooks } = tx.tables
  const removed = await tx
    .update(webhooks)
    .set({
      removedAt: now,
      urlSealed: null,
      secretSealed: null,
      olderSecretSealed: null,
      olderSecretUntil: null
    })
    .where(and(eq(webhooks.id, id), isNull(webhooks.removedAt)))
    .returning({ id: webhooks.id })
  return removed.length > 0
}

/** Puts a new secret in the place of the current one, which signs beside it until then. */
export async function replaceSecret(
  tx: Queries,
  id: string,
  secretSealed: Buffer,
  olderUntil: number
): Promise<boolean> {
  const { webhooks } = tx.tables
  const replaced = await tx
    .update(webhooks)
    .set({
      secretSealed,
      olderSecretSealed: sql`${webhooks.secretSealed}`,
      olderSecretUntil: olderUntil
    })
    .where(and(eq(webhooks.id, id), isNull(webhooks.removedAt)))
    .returning({ id: webhooks.id })
  return replaced.length > 0
}

/** Since when nothing has arrived at a webhook; null once something has. */
export async function setHealth(
  tx: Queries,
  id: string,
  values: Pick<WebhookRow, 'failingSince'>
): Promise<void> {
  const { webhooks } = tx.tables
  await tx.update(webhooks).set(values).where(eq(webhooks.id, id))
}

/** Disables a webhook. False when another delivery has done so before. */
export async function disableRow(
  tx: Queries,
  id: string,
  values: { disabledAt: number; disabledCode: string }
): Promise<boolean> {
  const { webhooks } = tx.tables
  const disabled = await tx
    .update(webhooks)
    .set(values)
    .where(and(eq(webhooks.id, id), isNull(webhooks.disabledAt)))
    .returning({ id: webhooks.id })
  return disabled.length > 0
}

/** Puts everything off that waits for this webhook, so that one delivery finds out for all. */
export async function putOff(tx: Queries, webhookId: string, until: number): Promise<void> {
  const { notices } = tx.tables
  await tx
    .update(notices)
    .set({ nextAt: until })
    .where(
      and(eq(notices.webhookId, webhookId), eq(notices.state, 'waiting'), lt(notices.nextAt, until))
    )
}

/** What was, and is to be, delivered to a webhook, newest first. */
export function pageOfDeliveries(
  queries: Queries,
  filter: { webhookId: string; before?: string | undefined; limit: number }
): Promise<DeliveryRow[]> {
  const { notices } = queries.tables
  return queries
    .select()
    .from(notices)
    .where(
      and(
        eq(notices.webhookId, filter.webhookId),
        filter.before === undefined ? undefined : lt(notices.id, filter.before)
      )
    )
    .orderBy(desc(notices.id))
    .limit(filter.limit)
}
