import type { ConsentWithdrawn } from '../../schemas/consent.ts'
import { actedBy } from '../audit/acted-by.ts'
import { aboutCase, type CaseRow, caseOf, openCaseKey } from '../cases/case.ts'
import { plainText } from '../cases/check-request.ts'
import { holdCase } from '../cases/move.ts'
import type { Queries } from '../database/database.ts'
import { Refusal } from '../errors.ts'
import type { Exchange } from '../exchange.ts'
import type { Caller } from '../identity/principal.ts'
import { withdrawShare } from '../shares/withdraw.ts'
import { type ConsentRow, sealReason, viewConsent } from './consent.ts'
import { consentsOf, sharesOfCase, sharesOn, withdrawRow } from './queries.ts'

/**
 * The patient takes a consent back. In one transaction the consent ends, with its reason, and so does
 * every share that it bears: of a consent to the second opinion all shares of the case, and any other
 * consent to it; of a consent to a transfer those that rest on it. Those that have expired are shut too,
 * because they still show their specialist what they wrote. Running downloads are cut within a second. Refusals: `consent-not-found`, `consent-ended`, `text-invalid`.
 */
export async function withdrawConsent(
  exchange: Exchange,
  caller: Caller,
  named: { caseId: string; consentId: string },
  wanted: { reason: string }
): Promise<ConsentWithdrawn> {
  const { database, clock } = exchange
  const { caseId, consentId } = named
  const found = await caseOf(database.read, caller, caseId)
  const reason = plainText('reason', wanted.reason)
  const key = await openCaseKey(exchange.keyring, found)
  const done = await database.write(async tx => {
    await holdCase(tx, caseId)
    const rows = await consentsOf(tx, { caseId })
    const asked = rows.find(({ id }) => id === consentId)
    if (asked === undefined) throw new Refusal('consent-not-found', undefined, aboutIt(found))
    if (asked.withdrawnAt !== null) throw new Refusal('consent-ended', undefined, aboutIt(found))
    const at = clock()
    const isToAll = asked.kind === 'second-opinion'
    const shares = await (isToAll ? sharesOfCase(tx, caseId) : sharesOn(tx, consentId))
    const ending = rows.filter(row => row.id === consentId || (isToAll && isOfSame(row, asked)))
    for (const row of ending) {
      const reasonSealed = sealReason(key, row, reason)
      await withdrawRow(tx, row.id, {
        withdrawnAt: at,
        withdrawnBy: caller.accountId,
        reasonSealed
      })
      await exchange.audit.append(tx, {
        action: 'consent.withdraw',
        outcome: 'success',
        ...actedBy(caller, {
          consent: row.id,
          kind: row.kind,
          shares: shares.map(({ id }) => id)
        }),
        ...aboutCase(found)
      })
    }
    const senders = await endShares(exchange, tx, caller, found, shares)
    for (const accountId of senders) await tellSender(exchange, tx, found, consentId, accountId)
    return shares.map(({ id }) => id)
  })
  const rows = await consentsOf(database.read, { caseId })
  const row = rows.find(({ id }) => id === consentId)
  if (row === undefined) throw new Error('A consent that was withdrawn is not there.')
  return { consent: viewConsent(key, row, clock()), withdrawnShares: done }
}

const aboutIt = (found: CaseRow) => ({ about: aboutCase(found) })

const isOfSame = (row: ConsentRow, asked: ConsentRow) =>
  row.kind === asked.kind && row.withdrawnAt === null

/** Ends the shares, each with its own event and a notice to its specialist. Returns who sent them. */
async function endShares(
  exchange: Exchange,
  tx: Queries,
  caller: Caller,
  found: CaseRow,
  shares: { id: string }[]
): Promise<Set<string>> {
  const senders = new Set<string>()
  for (const { id } of shares) {
    const ended = await withdrawShare(exchange, tx, caller, found, id, {
      action: 'share.revoke',
      tells: 'consent-withdrawn'
    })
    if (ended !== undefined) senders.add(ended.createdBy)
  }
  return senders
}

function tellSender(
  { notices }: Pick<Exchange, 'notices'>,
  tx: Queries,
  found: CaseRow,
  consentId: string,
  accountId: string
): Promise<void> {
  return notices.enqueue(tx, {
    kind: 'consent-withdrawn',
    to: { accountId },
    about: { organisationId: found.organisationId, caseId: found.id },
    once: `consent-withdrawn:${consentId}`
  })
}
