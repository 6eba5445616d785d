import type { SafeguardWithdraw, SafeguardWithdrawn } from '../../schemas/transfer.ts'
import { actedBy } from '../audit/acted-by.ts'
import { knownCase } from '../cases/case.ts'
import { plainText } from '../cases/check-request.ts'
import { sharesOn } from '../consents/grounds.ts'
import type { Exchange } from '../exchange.ts'
import type { Caller } from '../identity/principal.ts'
import { withdrawShare } from '../shares/withdraw.ts'
import { endSafeguard } from './queries.ts'
import { holdToEnd, onFile } from './withdrawn.ts'

/**
 * An agreement or an attestation no longer holds: in one transaction every share of the caller's
 * organisation that rests on it is withdrawn, one that has expired too, and none can name it any more. Asked again it finds
 * nothing left to do. Refusal `text-invalid`.
 */
export async function withdrawSafeguard(
  exchange: Exchange,
  caller: Caller,
  { type, ...wanted }: SafeguardWithdraw
): Promise<SafeguardWithdrawn> {
  const reference = plainText('reference', wanted.reference)
  const reason = plainText('reason', wanted.reason)
  const named = onFile(exchange.serviceKeys, caller.organisationId, { type, reference })
  if (named === undefined) throw new Error('A safeguard without a reference cannot be named.')
  return await exchange.database.write(async tx => {
    const { isOver } = await holdToEnd(tx, named)
    const at = exchange.clock()
    const shares = await sharesOn(tx, named.ref)
    for (const { id, caseId } of shares) {
      await withdrawShare(exchange, tx, caller, await knownCase(tx, caseId), id)
    }
    if (!isOver) {
      await endSafeguard(tx, named.ref, { withdrawnAt: at, withdrawnBy: caller.accountId })
    }
    const withdrawnShares = shares.map(({ id }) => id)
    await exchange.audit.append(tx, {
      action: 'safeguard.withdraw',
      outcome: 'success',
      ...actedBy(caller, { type, reference, reason, shares: withdrawnShares })
    })
    return { withdrawnShares }
  })
}
