import type { KeyObject } from 'node:crypto'
import type { ShareView } from '../../schemas/share.ts'
import { actedBy } from '../audit/acted-by.ts'
import { type CaseRow, caseOf, isErased, openCaseKey } from '../cases/case.ts'
import type { Queries } from '../database/database.ts'
import { Refusal } from '../errors.ts'
import type { Exchange } from '../exchange.ts'
import { type Page, pageOf } from '../http/page.ts'
import type { Caller } from '../identity/principal.ts'
import { SealError } from '../sealing/seal-error.ts'
import { findShare, findShareRecords, pageOfShares } from './queries.ts'
import { openTerms, type ShareRow, viewShare } from './share.ts'
import { withdrawShare } from './withdraw.ts'

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
 * under way are cut within a second. It needs no key: what only a key would show is left out of the
 * answer while there is none. Refusal `share-ended` when it was withdrawn before.
 */
export async function revokeShare(
  exchange: Exchange,
  caller: Caller,
  shareId: string
): Promise<ShareView> {
  const { found } = await sentShare(exchange.database.read, caller, shareId)
  const row = await exchange.database.write(async tx => {
    const revoked = await withdrawShare(exchange, tx, caller, found, shareId)
    if (revoked === undefined) throw new Refusal('share-ended')
    return revoked
  })
  return await viewSent(exchange, caller, row, unlessUnavailable)
}

/** What nobody can open now; that must keep nobody from withdrawing. */
async function unlessUnavailable<T>(opened: Promise<T>): Promise<T | undefined> {
  return await opened.catch(err => {
    if (err instanceof SealError && err.code === 'keys-unavailable') return undefined
    throw err
  })
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

async function viewSent(
  exchange: Exchange,
  caller: Caller,
  row: ShareRow,
  attempt: (opened: Promise<KeyObject>) => Promise<KeyObject | undefined> = opened => opened
): Promise<ShareView> {
  const { database, keyring, clock } = exchange
  const found = await caseOf(database.read, caller, row.caseId)
  const recordIds = await findShareRecords(database.read, { shareId: row.id })
  const key = isErased(found) ? undefined : await attempt(openCaseKey(keyring, found))
  return viewShare(
    row,
    recordIds.map(({ recordId }) => recordId),
    key && openTerms(key, row),
    clock()
  )
}
