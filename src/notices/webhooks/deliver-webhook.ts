import { timestamp } from '../../../schemas/common.ts'
import type { Exchange } from '../../exchange.ts'
import type { Attempt } from '../attempt.ts'
import type { NoticeRow } from '../outbox.ts'
import type { PostWebhook } from './post.ts'
import { findWebhook, openWebhook } from './webhook.ts'

type Parts = Pick<Exchange, 'database' | 'serviceKeys' | 'clock'>

/** One attempt at one delivery. The body is the same at each: ids and what happened, nothing else. */
export async function deliverWebhook(
  { database, serviceKeys, clock }: Parts,
  post: PostWebhook,
  row: NoticeRow,
  signal: AbortSignal
): Promise<Attempt> {
  const webhook = await findWebhook(database.read, row.webhookId ?? '')
  if (webhook === undefined) return { result: 'dropped', code: 'webhook-removed' }
  if (webhook.disabledAt !== null) return { result: 'given-up', code: 'webhook-disabled' }
  const now = clock()
  const { url, secrets } = openWebhook(serviceKeys, webhook, now)
  return post({ id: row.id, url, secrets, body: bodyOf(row), now }, signal)
}

/** Standard Webhooks: type, timestamp of what happened, data. */
function bodyOf(row: NoticeRow): string {
  return JSON.stringify({
    type: row.kind,
    timestamp: timestamp(row.createdAt),
    data: {
      organisation: row.organisationId,
      ...(row.caseId !== null && { case: row.caseId }),
      ...(row.shareId !== null && { share: row.shareId }),
      ...(row.invitationId !== null && { invitation: row.invitationId })
    }
  })
}
