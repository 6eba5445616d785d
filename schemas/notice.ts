import { type Static, Type } from 'typebox'
import { Id, Next, Timestamp } from './common.ts'

/**
 * What people, and their systems, are told of. Wire constants: stored, and the event types of
 * webhooks, so never renamed, only added to.
 */
export const noticeKinds = [
  'share-created',
  'share-opened',
  'share-revoked',
  'share-expiring',
  'share-expired',
  'more-time-asked',
  'more-time-given',
  'opinion-due',
  'opinion-submitted',
  'opinion-acknowledged',
  'invitation',
  'invitation-reminder',
  'case-declined',
  'consent-withdrawn',
  'webhook-disabled',
  'message-received',
  'more-time-declined',
  'account-recovered',
  'colleague-recovered'
] as const
export type NoticeKind = (typeof noticeKinds)[number]

/** How a notice travels. */
export const channels = ['mail', 'webhook'] as const
export type Channel = (typeof channels)[number]

/**
 * What became of a notice: `waiting` for its first or next attempt, `sending` now; then for good
 * `sent` (its receiver took it), `failed` (its receiver will never take it), `given-up` (nobody took
 * it for too long), or `dropped` (there was nothing to tell any more, or nobody who wanted it).
 */
export const noticeStates = ['waiting', 'sending', 'sent', 'failed', 'given-up', 'dropped'] as const
export type NoticeState = (typeof noticeStates)[number]

const attempts = {
  id: Id,
  kind: Type.Enum(noticeKinds),
  case: Type.Optional(Id),
  share: Type.Optional(Id),
  invitation: Type.Optional(Id),
  state: Type.Enum(noticeStates),
  attempts: Type.Integer(),
  problem: Type.Optional(
    Type.String({ description: 'Why it has not arrived: see docs/api.md, "Notices".' })
  ),
  createdAt: Timestamp,
  nextAttemptAt: Type.Optional(Timestamp),
  endedAt: Type.Optional(Timestamp)
}

/** One e-mail, as the clinicians of the organisation whose case it is about see it. */
export const NoticeView = Type.Object(
  {
    ...attempts,
    to: Type.Optional(
      Type.String({ format: 'uuid', description: 'Account; absent for an invitation.' })
    )
  },
  { $id: 'Notice' }
)
export type NoticeView = Static<typeof NoticeView>

export const NoticeList = Type.Object(
  {
    notices: Type.Array(NoticeView),
    mail: Type.Enum(['configured', 'not-configured'], {
      description: 'Without configuration no e-mail is sent at all.'
    }),
    next: Next
  },
  { $id: 'NoticeList' }
)
export type NoticeList = Static<typeof NoticeList>

/** Reminders can be turned off; that something was shared, withdrawn or answered cannot. */
export const NoticePreferences = Type.Object(
  { reminders: Type.Boolean() },
  { $id: 'NoticePreferences', additionalProperties: false }
)
export type NoticePreferences = Static<typeof NoticePreferences>

/** One delivery to a webhook, as administrators of its organisation see it. */
export const DeliveryView = Type.Object(attempts, { $id: 'Delivery' })
export type DeliveryView = Static<typeof DeliveryView>

export const DeliveryList = Type.Object(
  { deliveries: Type.Array(DeliveryView), next: Next },
  { $id: 'DeliveryList' }
)
export type DeliveryList = Static<typeof DeliveryList>
