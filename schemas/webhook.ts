import { type Static, Type } from 'typebox'
import { Id, Timestamp } from './common.ts'
import { noticeKinds } from './notice.ts'

/** What a webhook can be told of: every kind of notice but those about webhooks. */
export const webhookKinds = noticeKinds.filter(kind => kind !== 'webhook-disabled')

const Kinds = Type.Array(Type.Enum(webhookKinds), {
  uniqueItems: true,
  maxItems: webhookKinds.length
})

export const WebhookCreate = Type.Object(
  {
    url: Type.String({
      minLength: 1,
      maxLength: 2000,
      description: 'https, on port 443 or above 1023, at a public address.'
    }),
    kinds: Type.Optional(Kinds)
  },
  { additionalProperties: false }
)
export type WebhookCreate = Static<typeof WebhookCreate>

const webhook = {
  id: Id,
  url: Type.String(),
  kinds: Type.Array(Type.Enum(webhookKinds), { description: 'Empty: all.' }),
  createdBy: Id,
  createdAt: Timestamp,
  failingSince: Type.Optional(Timestamp),
  disabledAt: Type.Optional(Timestamp),
  problem: Type.Optional(Type.String({ description: 'Why it was disabled.' }))
}

export const WebhookView = Type.Object(webhook, { $id: 'Webhook' })
export type WebhookView = Static<typeof WebhookView>

const secret = Type.String({
  description: 'Signs every delivery (docs/webhooks.md). Shown this once: nobody can get it again.'
})

export const WebhookCreated = Type.Object({ ...webhook, secret }, { $id: 'WebhookCreated' })
export type WebhookCreated = Static<typeof WebhookCreated>

export const WebhookSecret = Type.Object(
  { id: Id, secret, olderUntil: Timestamp },
  { $id: 'WebhookSecret' }
)
export type WebhookSecret = Static<typeof WebhookSecret>

export const WebhookList = Type.Object(
  { webhooks: Type.Array(WebhookView) },
  { $id: 'WebhookList' }
)
export type WebhookList = Static<typeof WebhookList>
