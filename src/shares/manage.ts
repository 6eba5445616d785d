import type { ShareView } from '../../schemas/share.ts'
import { actedBy } from '../audit/acted-by.ts'
import { type CaseRow, caseOf, openCaseKey } from '../cases/case.ts'
import type { Queries } from '../database/database.ts'
import { Refusal } from '../errors.ts'
import type { Exchange } from '../exchange.ts'
import { type Page, pageOf } from '../http/page.ts'
import type { Caller } from '../identity/principal.ts'
import { findShare, findShareRecords, pageOfShares, revokeRow } from './queries.ts'
import { aboutShare, openTerms, type ShareRow, viewShare } from './share.ts'
import { tellSpecialist } from './tell.ts'

/** Shares of the caller's organisation, newest first; with `caseId` only those of that case. */
export async function listShares(
  exchange: Exchange,
  caller: Caller,
  page: Page,
  caseId?: string
): Promise<{ shares: ShareView[]; next?: string }> {
  const found = caseId && (await caseOf(exchange.database.read, caller, caseId))
  const { rows, next } = await pageOf(page, exchange.limits, (before, limit) =>
    pageOfShares(exchange.database.read, {
      organisationId: caller.organisationId,
      limit,
      ...(caseId && { caseId }),
      ...(before && { before })
    })
  )
  const shares = []
  for (const row of rows) shares.push(await viewSent(exchange, caller, row))
  await exchange.database.write(tx =>
    exchange.audit.append(tx, {
      action: 'share.list',
      outcome: 'success',
      caseId,
      patientRef: found ? found.patientRef : undefined,
      ...actedBy(caller, { shown: rows.map(row => row.id) })
    })
  )
  return { shares, ...(next && { next }) }
}

/**
 * Withdraws a share for good. New requests are refused from the moment this commits, and streams
 * under way are cut within a second. Refusal `share-ended` when it was withdrawn before.
 */
export async function revokeShare(
  exchange: Exchange,
  caller: Caller,
  shareId: string
): Promise<ShareView> {
  const { found } = await sentShare(exchange.database.read, caller, shareId)
  const row = await exchange.database.write(async tx => {
    const at = exchange.clock()
    const [revoked] = await revokeRow(tx, { id: shareId, by: caller.accountId, at })
    if (revoked === undefined) throw new Refusal('share-ended')
    await exchange.audit.append(tx, {
      action: 'share.revoke',
      outcome: 'success',
      ...actedBy(caller),
      ...aboutShare(revoked, found)
    })
    await tellSpecialist(exchange, tx, revoked, 'share-revoked')
    return revoked
  })
  return viewSent(exchange, caller, row)
}

/** A share that the caller's organisation sent. */
async function sentShare(
  queries: Queries,
  caller: Caller,
  shareId: string
): Promise<{ row: ShareRow; found: CaseRow }> {
  const [row] = await findShare(queries, { id: shareId })
  if (row === undefined) throw new Refusal('share-not-found', 'unknown')
  try {
    return { row, found: await caseOf(queries, caller, row.caseId) }
  } catch (err) {
    if (!(err instanceof Refusal)) throw err
    const { recipientCountry } = row
    const about = { ...err.extra.about, triedShareId: shareId, recipientCountry }
    throw new Refusal('share-not-found', err.message, { about })
  }
}

async function viewSent(exchange: Exchange, caller: Caller, row: ShareRow): Promise<ShareView> {
  const { database, keyring, clock } = exchange
  const found = await caseOf(database.read, caller, row.caseId)
  const recordIds = await findShareRecords(database.read, { shareId: row.id })
  const terms = openTerms(await openCaseKey(keyring, found), row)
  return viewShare(
    row,
    recordIds.map(({ recordId }) => recordId),
    terms,
    clock()
  )
}
