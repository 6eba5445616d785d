import type { NoticeKind } from '../../schemas/notice.ts'
import type { Exchange } from '../exchange.ts'
import { readEmailAddress } from '../identity/email-address.ts'
import { contactOf } from '../identity/people.ts'
import { invitationLink } from '../register/invitation.ts'
import { findShare, type ShareRow } from '../shares/share.ts'
import { isAnswered } from '../shares/turnaround.ts'
import type { Attempt } from './attempt.ts'
import type { SendMail } from './mailer.ts'
import { openRecipient } from './outbox.ts'
import { wantsReminders } from './preference-queries.ts'
import { type NoticeRow, organisationName } from './queries.ts'
import { renderMail, templates } from './templates.ts'

export type MailParts = Pick<
  Exchange,
  'database' | 'serviceKeys' | 'links' | 'invitationLinks' | 'clock' | 'publicUrl'
>

/**
 * One attempt at one e-mail: find out whether there is still something to tell and somebody to tell
 * it to, write the message, hand it over. Everything is looked up now and not when the notice was
 * made: a person may have left, turned reminders off or changed their address, a share may have been
 * withdrawn, an invitation sent again. Links are made here, so that none is ever stored.
 */
export async function deliverMail(
  parts: MailParts,
  send: SendMail | undefined,
  row: NoticeRow,
  signal: AbortSignal
): Promise<Attempt> {
  const { database, clock } = parts
  const kind = row.kind as NoticeKind
  const share = row.shareId === null ? undefined : await shareOf(parts, row.shareId)
  if (await isOvertaken(parts, kind, share)) return { result: 'dropped', code: 'overtaken' }
  if (row.usefulUntil !== null && clock() >= row.usefulUntil) {
    return { result: 'given-up', code: 'too-late' }
  }
  if (templates[kind].reminder && row.accountId !== null) {
    const wanted = await wantsReminders(database.read, row.accountId)
    if (!wanted) return { result: 'dropped', code: 'unwanted' }
  }
  const recipient = await recipientOf(parts, row)
  if ('result' in recipient) return recipient
  const link = await linkOf(parts, kind, row, share)
  if (link === undefined && templates[kind].link === 'invitation') {
    return { result: 'dropped', code: 'overtaken' }
  }
  if (send === undefined) return { result: 'later', code: 'not-configured', all: true }
  const mail = renderMail(kind, {
    organisation: (await organisationName(database.read, row.organisationId)) ?? '',
    reference: row.shareId ?? row.caseId ?? row.invitationId ?? row.id,
    link,
    // Only what is yet to come when the notice was made, so that each attempt says the same.
    opensAt: share !== undefined && share.notBefore > row.createdAt ? share.notBefore : undefined,
    closesAt: share?.expiresAt,
    until: row.usefulUntil ?? undefined,
    publicUrl: parts.publicUrl
  })
  return send({ id: row.id, to: recipient.address, date: row.createdAt, ...mail }, signal)
}

async function recipientOf(
  { database, serviceKeys }: MailParts,
  row: NoticeRow
): Promise<{ address: string } | Attempt> {
  const { recipientSealed } = row
  if (recipientSealed !== null) return openRecipient(serviceKeys, { id: row.id, recipientSealed })
  const contact = await contactOf(database.read, serviceKeys, row.accountId ?? '')
  if (contact === undefined) return { result: 'dropped', code: 'account-disabled' }
  const address = contact.email === undefined ? undefined : readEmailAddress(contact.email)
  return address === undefined ? { result: 'failed', code: 'no-address' } : { address }
}

async function shareOf({ database }: MailParts, id: string): Promise<ShareRow | undefined> {
  const [share] = await findShare(database.read, { id })
  return share
}

/** Whether what happened since leaves nothing to tell. */
async function isOvertaken(
  { database }: MailParts,
  kind: NoticeKind,
  share: ShareRow | undefined
): Promise<boolean> {
  if (share === undefined) return false
  const { whileShared, whileUnanswered } = templates[kind]
  if (whileShared && share.revokedAt !== null) return true
  return whileUnanswered === true && (await isAnswered(database.read, share.id))
}

async function linkOf(
  { database, links, invitationLinks, clock }: MailParts,
  kind: NoticeKind,
  row: NoticeRow,
  share: ShareRow | undefined
): Promise<string | undefined> {
  if (row.invitationLinkId !== null) {
    return invitationLink(database.read, invitationLinks, row.invitationLinkId, clock())
  }
  if (templates[kind].link !== 'share' || share === undefined) return undefined
  const { id, createdAt, notBefore, expiresAt } = share
  return links.make({ shareId: id, issuedAt: createdAt, notBefore, expiresAt })
}
