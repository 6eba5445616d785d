import type { Action } from '../../schemas/audit-event.ts'
import type { NoticeKind } from '../../schemas/notice.ts'
import { actedBy } from '../audit/acted-by.ts'
import type { CaseRow } from '../cases/case.ts'
import { holdCase, moveCase } from '../cases/move.ts'
import type { Queries } from '../database/database.ts'
import type { Exchange } from '../exchange.ts'
import type { Caller } from '../identity/principal.ts'
import { revokeRow } from './queries.ts'
import { aboutShare, type ShareRow } from './share.ts'
import { tellSpecialist } from './tell.ts'

/** How a share is ended before its time: what the log calls it, and what its specialist is told. */
export interface Withdrawal {
  action: Action
  tells?: NoticeKind
  /** The share that takes its place; its own notice tells of both. */
  replacedBy?: string
  /** Why, for the access log. */
  reason?: string | undefined
}

export const revocation: Withdrawal = { action: 'share.revoke', tells: 'share-revoked' }

/**
 * Withdraws one share inside the caller's transaction, with its event and a notice to its specialist,
 * and lets its case follow: one without a live share is shared no longer. With `replacedBy` it makes way
 * for that share, whose notice tells of both. Undefined when it had been withdrawn before.
 */
export async function withdrawShare(
  exchange: Pick<Exchange, 'audit' | 'clock' | 'notices'>,
  tx: Queries,
  caller: Caller,
  found: CaseRow,
  shareId: string,
  { action, tells, replacedBy, reason }: Withdrawal = revocation
): Promise<ShareRow | undefined> {
  await holdCase(tx, found.id)
  const at = exchange.clock()
  const [revoked] = await revokeRow(tx, { id: shareId, by: caller.accountId, at, replacedBy })
  if (revoked === undefined) return undefined
  await exchange.audit.append(tx, {
    action,
    outcome: 'success',
    ...actedBy(caller, {
      ...(replacedBy !== undefined && { replacedBy }),
      ...(reason !== undefined && { reason })
    }),
    ...aboutShare(revoked, found)
  })
  if (tells !== undefined) await tellSpecialist(exchange, tx, revoked, tells)
  // One that time has ended already was no longer what made the case shared.
  if (at < revoked.expiresAt) {
    await moveCase(tx, 'withdraw', { caseId: found.id, by: caller.accountId, at, shareId })
  }
  return revoked
}
