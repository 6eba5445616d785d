import type { ShareList, ShareView } from '../../schemas/share.ts'
import { actedBy } from '../audit/acted-by.ts'
import { caseOf, openCaseKey } from '../cases/case.ts'
import { plainText } from '../cases/check-request.ts'
import { Refusal } from '../errors.ts'
import type { Exchange } from '../exchange.ts'
import { type Page, pageOf } from '../http/page.ts'
import type { Caller } from '../identity/principal.ts'
import { SealError } from '../sealing/seal-error.ts'
import { reread } from './may-read.ts'
import { pageOfShares } from './queries.ts'
import type { ShareRow } from './share.ts'
import { sentShare, viewSent } from './view-sent.ts'
import { revocation, withdrawShare } from './withdraw.ts'

/** Shares of the caller's organisation, newest first; of one case or to one specialist if asked. */
export async function listShares(
  exchange: Exchange,
  caller: Caller,
  asked: Page & { case?: string; specialist?: string }
): Promise<ShareList> {
  const { database, keyring } = exchange
  const { case: caseId, specialist: specialistId } = asked
  const found = caseId && (await caseOf(database.read, caller, caseId))
  const { rows, next } = await pageOf(asked, exchange.limits, (before, limit) =>
    pageOfShares(database.read, {
      organisationId: caller.organisationId,
      limit,
      ...(caseId && { caseId }),
      ...(specialistId && { specialistId }),
      ...(before && { before })
    })
  )
  const shares = await viewSent(exchange, caller, rows, row => openCaseKey(keyring, row))
  await exchange.audit.add({
    action: 'share.list',
    outcome: 'success',
    caseId,
    patientRef: found ? found.patientRef : undefined,
    ...actedBy(caller, { shown: rows.map(row => row.id) })
  })
  return { shares, ...(next && { next }) }
}

/**
 * Withdraws a share for good. New requests are refused from the moment this commits, and streams
 * under way are cut within a second. It needs no key: what only a key would show is left out of the
 * answer while there is none. `why` is for the access log. Refusals: `share-ended` when it was withdrawn before, `share-replaced`
 * when another took its place, which then is the one to withdraw.
 */
export async function revokeShare(
  exchange: Exchange,
  caller: Caller,
  shareId: string,
  why?: string
): Promise<ShareView> {
  const { database, keyring } = exchange
  const reason = why === undefined ? undefined : plainText('reason', why)
  const { found } = await sentShare(database.read, caller, shareId)
  const row = await database.write(async tx => {
    const revoked = await withdrawShare(exchange, tx, caller, found, shareId, {
      ...revocation,
      reason
    })
    if (revoked === undefined) throw refusalOfEnded(await reread(tx, shareId))
    return revoked
  })
  const [view] = await viewSent(exchange, caller, [row], of => openedIfAvailable(keyring, of))
  if (view === undefined) throw new Error('A share has no view.')
  return view
}

/** Why one that was withdrawn cannot be withdrawn again. Nobody may think that it is over when it is not. */
export function refusalOfEnded({ replacedBy }: ShareRow): Refusal {
  if (replacedBy === null) return new Refusal('share-ended')
  return new Refusal('share-replaced', undefined, { problems: [`share ${replacedBy} replaces it`] })
}

/** What nobody can open now; that must keep nobody from withdrawing. */
async function openedIfAvailable(
  keyring: Exchange['keyring'],
  found: Parameters<typeof openCaseKey>[1]
) {
  return await openCaseKey(keyring, found).catch(err => {
    if (err instanceof SealError && err.code === 'keys-unavailable') return undefined
    throw err
  })
}
