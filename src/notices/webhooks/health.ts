import type { Queries } from '../../database/database.ts'
import type { Exchange } from '../../exchange.ts'
import { type Attempt, retryDelay } from '../attempt.ts'
import type { NoticeRow } from '../outbox.ts'
import { disableRow, putOff, setHealth } from './queries.ts'
import { findWebhook, type WebhookRow } from './webhook.ts'

/** A webhook on which nothing has arrived for so long is disabled. */
export const FAILING_MILLISECONDS_MAX = 5 * 86_400_000

type Parts = Pick<Exchange, 'audit' | 'notices'>

/**
 * Keeps account of a webhook after each attempt, in the transaction that stores what came of it: what
 * works again is well; what fails is asked by one delivery at a time; what has failed for days, or
 * says that it is gone, is disabled, and whoever added it is told by e-mail.
 */
export async function afterDelivery(
  parts: Parts,
  tx: Queries,
  row: Pick<NoticeRow, 'webhookId' | 'attempts'>,
  attempt: Attempt,
  now: number
): Promise<void> {
  if (row.webhookId === null) return
  const webhook = await findWebhook(tx, row.webhookId)
  if (webhook === undefined || webhook.disabledAt !== null) return
  if (attempt.result === 'sent') {
    if (webhook.failingSince !== null) await setHealth(tx, webhook.id, { failingSince: null })
    return
  }
  if (attempt.code === 'stopped' || attempt.code === 'internal-error') return
  if (attempt.result === 'failed') return disable(parts, tx, webhook, attempt.code, now)
  const since = webhook.failingSince ?? now
  if (now - since >= FAILING_MILLISECONDS_MAX) {
    return disable(parts, tx, webhook, attempt.code, now)
  }
  if (webhook.failingSince === null) await setHealth(tx, webhook.id, { failingSince: now })
  await putOff(tx, webhook.id, now + retryDelay(row.attempts))
}

async function disable(
  { audit, notices }: Parts,
  tx: Queries,
  webhook: WebhookRow,
  code: string,
  now: number
): Promise<void> {
  const { id, organisationId, createdBy } = webhook
  // Several deliveries are under way at once, and each may be the one to find out.
  if (!(await disableRow(tx, id, { disabledAt: now, disabledCode: code }))) return
  await audit.append(tx, {
    action: 'webhook.disable',
    outcome: 'success',
    organisationId,
    details: { problem: code, webhook: id }
  })
  await notices.enqueue(tx, {
    kind: 'webhook-disabled',
    to: { accountId: createdBy },
    about: { organisationId },
    once: `webhook-disabled:${id}`
  })
}
