import type { CaseClose, CaseReopen, CaseView } from '../../schemas/case.ts'
import { actedBy } from '../audit/acted-by.ts'
import { Refusal } from '../errors.ts'
import type { Exchange } from '../exchange.ts'
import type { Caller } from '../identity/principal.ts'
import { lookAgain } from '../retention/look-again.ts'
import { withdrawShare } from '../shares/withdraw.ts'
import { aboutCase, caseOf, knownCase, openCaseKey, requireCaseKept } from './case.ts'
import { plainText } from './check-request.ts'
import { holdCase, moveCase } from './move.ts'
import { liveShares } from './queries.ts'
import { viewCase } from './view.ts'

/**
 * Closes a case, with the reason. Nothing is withdrawn unseen: while shares of it have not ended it
 * refuses (`case-shares-live`), unless told to withdraw them, each with its own event. All of it
 * happens or nothing. Other Refusals: `case-state-refused`, `text-invalid`.
 */
export async function closeCase(
  exchange: Exchange,
  caller: Caller,
  caseId: string,
  { reason, revokeShares = false }: CaseClose
): Promise<CaseView> {
  const { database, clock } = exchange
  const found = await caseOf(database.read, caller, caseId)
  const about = aboutCase(found)
  const why = { key: await openCaseKey(exchange.keyring, found), text: plainText('reason', reason) }
  await database.write(async tx => {
    await holdCase(tx, caseId)
    const at = clock()
    const live = await liveShares(tx, { caseId, now: at })
    if (live.length > 0 && !revokeShares) {
      const problems = live.map(({ id }) => `share ${id}`)
      throw new Refusal('case-shares-live', undefined, { problems, about })
    }
    for (const { id } of live) await withdrawShare(exchange, tx, caller, found, id)
    await moveCase(tx, 'close', { caseId, by: caller.accountId, at, reason: why })
    await exchange.audit.append(tx, {
      action: 'case.close',
      outcome: 'success',
      ...actedBy(caller, { withdrawn: live.map(({ id }) => id) }),
      ...about
    })
  })
  return viewCase(exchange, found)
}

/**
 * Opens a closed case again where it stood when it was closed. What closing withdrew stays withdrawn.
 * Refusals: `case-state-refused`, `text-invalid`.
 */
export async function reopenCase(
  exchange: Exchange,
  caller: Caller,
  caseId: string,
  { reason }: CaseReopen
): Promise<CaseView> {
  const { database, clock } = exchange
  const found = await caseOf(database.read, caller, caseId)
  const why = { key: await openCaseKey(exchange.keyring, found), text: plainText('reason', reason) }
  await database.write(async tx => {
    // An erasure may have come in between: what has no key any more is closed for good.
    await holdCase(tx, caseId)
    requireCaseKept(await knownCase(tx, caseId))
    const at = clock()
    await moveCase(tx, 'reopen', { caseId, by: caller.accountId, at, reason: why })
    // When it is closed again it may be of another class than it was judged by, and stay for less.
    await lookAgain(tx, caseId, at)
    await exchange.audit.append(tx, {
      action: 'case.reopen',
      outcome: 'success',
      ...actedBy(caller),
      ...aboutCase(found)
    })
  })
  return viewCase(exchange, found)
}
