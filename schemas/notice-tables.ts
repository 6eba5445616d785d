import type { Columns } from './columns.ts'

/** The tables of notices: webhooks, the outbox, and what is remembered for it. */
export function noticeTables(c: Columns) {
  /** Where an organisation's own systems are told of what happens. */
  const webhooks = c.table('webhooks', {
    id: c.text('id').primaryKey(),
    organisationId: c.text('organisation_id').notNull(),
    createdBy: c.text('created_by').notNull(),
    /** Its place among those of its organisation, of which there are only so many. */
    slot: c.int('slot').notNull(),
    /** The kinds of notice it wants, separated by blanks; empty for all. */
    kinds: c.text('kinds').notNull(),
    /** Address and secrets, under the directory key; null once it is removed. */
    urlSealed: c.bytes('url_sealed'),
    secretSealed: c.bytes('secret_sealed'),
    /** The secret before the current one, which still signs beside it until a while after. */
    olderSecretSealed: c.bytes('older_secret_sealed'),
    olderSecretUntil: c.int('older_secret_until'),
    createdAt: c.int('created_at').notNull(),
    /** Since when nothing has arrived; null while it works. */
    failingSince: c.int('failing_since'),
    disabledAt: c.int('disabled_at'),
    disabledCode: c.text('disabled_code'),
    removedAt: c.int('removed_at')
  })

  /** The outbox: each row one notice to one recipient, a person by e-mail or a webhook. */
  const notices = c.table('notices', {
    /** Also what a receiver knows a second copy by: the Message-ID, or `webhook-id`. */
    id: c.text('id').primaryKey(),
    /** The event and the recipient: one event never gives one recipient two notices. */
    once: c.text('once').notNull(),
    kind: c.text('kind').notNull(),
    channel: c.text('channel').notNull(),
    /** Whose share or case it is about. Its clinicians see what became of the notice. */
    organisationId: c.text('organisation_id').notNull(),
    /** The person it is for, unless it is for an address that has no account. */
    accountId: c.text('account_id'),
    webhookId: c.text('webhook_id'),
    caseId: c.text('case_id'),
    shareId: c.text('share_id'),
    /** Address of who has no account, under the directory key; null once it has ended. */
    recipientSealed: c.bytes('recipient_sealed'),
    /** waiting, sending, sent, failed, given-up or dropped: see `schemas/notice.ts`. */
    state: c.text('state').notNull(),
    /** Why the last attempt came to nothing. */
    code: c.text('code'),
    attempts: c.int('attempts').notNull(),
    nextAt: c.int('next_at').notNull(),
    /** When it would no longer be of use to anybody. */
    usefulUntil: c.int('useful_until'),
    /** The run of the service that is delivering it, and until when it alone may. */
    leaseRun: c.text('lease_run'),
    leaseUntil: c.int('lease_until'),
    createdAt: c.int('created_at').notNull(),
    endedAt: c.int('ended_at'),
    /** The invitation it carries the link of, and which link: another may be in force by now. */
    invitationId: c.text('invitation_id'),
    invitationLinkId: c.text('invitation_link_id')
  })

  /** How far the shares have been looked through, in the order of their ends. */
  const noticeMarks = c.table('notice_marks', {
    name: c.text('name').primaryKey(),
    at: c.int('at').notNull(),
    shareId: c.text('share_id').notNull()
  })

  /** Who wants no reminders. Who is not here wants them. */
  const noticePreferences = c.table('notice_preferences', {
    accountId: c.text('account_id').primaryKey(),
    reminders: c.flag('reminders').notNull(),
    changedAt: c.int('changed_at').notNull()
  })

  return { webhooks, notices, noticeMarks, noticePreferences }
}
