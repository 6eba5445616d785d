import type { NoticeKind } from '../../schemas/notice.ts'
import type { Queries } from '../database/database.ts'
import type { Exchange } from '../exchange.ts'
import type { InvitationRow } from './invitation.ts'

/**
 * Puts the mail of an invitation, or a reminder of it, into the outbox, in the caller's transaction.
 * It names the link in force: once another is, or nobody can accept any more, it is not sent. The link
 * itself is made when it is mailed, and the code never is.
 */
export function enqueueInvitation(
  tx: Queries,
  { notices }: Pick<Exchange, 'notices'>,
  row: InvitationRow,
  email: string,
  kind: Extract<NoticeKind, 'invitation' | 'invitation-reminder'> = 'invitation'
): Promise<void> {
  const { id, organisationId, linkId, expiresAt } = row
  return notices.enqueue(tx, {
    kind,
    to: { address: email },
    about: { organisationId, invitation: { id, linkId } },
    once: `${kind}:${linkId}`,
    usefulUntil: expiresAt
  })
}
