import { isNotNull, isNull } from '../../schemas/drizzle.ts'
import type { Exchange } from '../exchange.ts'
import { openRecipient } from './outbox.ts'
import { openWebhook } from './webhooks/webhook.ts'

type Look = (what: string, at: () => unknown) => Promise<void>

/** Opens what waits for somebody without an account, and where systems are told. */
export async function checkNotices(
  { database, serviceKeys }: Pick<Exchange, 'database' | 'serviceKeys'>,
  look: Look
): Promise<void> {
  const { notices, webhooks } = database.read.tables
  const waiting = await database.read
    .select({ id: notices.id, recipientSealed: notices.recipientSealed })
    .from(notices)
    .where(isNotNull(notices.recipientSealed))
  for (const { id, recipientSealed } of waiting) {
    if (recipientSealed === null) continue
    await look(`Notice ${id}`, () => openRecipient(serviceKeys, { id, recipientSealed }))
  }
  const used = await database.read.select().from(webhooks).where(isNull(webhooks.removedAt))
  for (const row of used) {
    await look(`Webhook ${row.id}`, () => openWebhook(serviceKeys, row, 0))
  }
}
