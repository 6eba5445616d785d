import { timestamp } from '../../../schemas/common.ts'
import type { NoticeKind } from '../../../schemas/notice.ts'
import type { WebhookView } from '../../../schemas/webhook.ts'
import type { ServiceKeys } from '../../exchange.ts'
import { canonicalContext, openBox, sealBox } from '../../sealing/keys.ts'
import type { WebhookRow } from './queries.ts'

export { findWebhook, type WebhookRow } from './queries.ts'

type DirectoryKey = Pick<ServiceKeys, 'directory'>

const context = (what: 'url' | 'secret', id: string) => canonicalContext(`webhook-${what}`, id)

export function sealPart(
  keys: DirectoryKey,
  what: 'url' | 'secret',
  id: string,
  text: string
): Buffer {
  return sealBox(keys.directory, context(what, id), Buffer.from(text))
}

/** The address and the secrets that sign now, the current one first. */
export interface OpenedWebhook {
  url: string
  secrets: string[]
}

/**
 * Opens the address and secrets of a webhook that was not removed. Throws SealError when they were
 * changed or moved to another row.
 */
export function openWebhook(keys: DirectoryKey, row: WebhookRow, now: number): OpenedWebhook {
  const open = (what: 'url' | 'secret', sealed: Buffer | null) =>
    openBox(keys.directory, context(what, row.id), sealed ?? Buffer.alloc(0)).toString()
  const olderHolds = row.olderSecretUntil !== null && now < row.olderSecretUntil
  return {
    url: open('url', row.urlSealed),
    secrets: [
      open('secret', row.secretSealed),
      ...(olderHolds ? [open('secret', row.olderSecretSealed)] : [])
    ]
  }
}

/** A webhook as administrators of its organisation see it: never with a secret. */
export function viewWebhook(keys: DirectoryKey, row: WebhookRow, now: number): WebhookView {
  return {
    id: row.id,
    url: openWebhook(keys, row, now).url,
    kinds: (row.kinds === '' ? [] : row.kinds.split(' ')) as Exclude<
      NoticeKind,
      'webhook-disabled'
    >[],
    createdBy: row.createdBy,
    createdAt: timestamp(row.createdAt),
    ...(row.failingSince !== null && { failingSince: timestamp(row.failingSince) }),
    ...(row.disabledAt !== null && { disabledAt: timestamp(row.disabledAt) }),
    ...(row.disabledCode !== null && { problem: row.disabledCode })
  }
}
