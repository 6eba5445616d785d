import { type CaseRow, isErased, openCaseKey } from '../../cases/case.ts'
import type { Queries } from '../../database/database.ts'
import type { Exchange } from '../../exchange.ts'
import {
  findShareRecords,
  openTerms,
  pageOfShares,
  type ShareRow,
  type ShareTerms
} from '../../shares/share.ts'
import { placeAllPending } from '../tree/pending.ts'
import { shareEntries } from './queries.ts'
import type { Scope } from './scope.ts'

/** Where on the log something is. */
interface Entry {
  event: string
  index: number
}

/** Shares with their terms opened, oldest first. */
export type SharesOfReport = {
  row: ShareRow
  /** Of a case that was erased, as far as the log still has them. */
  terms: Partial<ShareTerms>
  recordIds: string[]
  made: Entry | undefined
  withdrawn: Entry | undefined
}[]

/**
 * The shares of these cases that held at some time of the period, so every share by which anything
 * could be read in it. At most `sharesMax` of each case.
 */
export async function sharesIn(
  exchange: Exchange,
  scope: Scope,
  sharesMax: number
): Promise<SharesOfReport> {
  const shares: SharesOfReport = []
  for (const found of scope.cases) {
    const held = await heldIn(exchange.database.read, found, scope, sharesMax)
    shares.push(...(await opened(exchange, found, held)))
  }
  return shares.sort((a, b) => (a.row.id < b.row.id ? -1 : 1))
}

/** Page by page: however many shares are of other times, those of the period are found behind them. */
async function heldIn(
  queries: Queries,
  { organisationId, id: caseId }: CaseRow,
  { from, to }: Scope,
  sharesMax: number
): Promise<ShareRow[]> {
  const held: ShareRow[] = []
  const page = { organisationId, caseId, limit: sharesMax }
  let rows = await pageOfShares(queries, page)
  for (;;) {
    held.push(...rows.filter(row => row.createdAt < to && (row.revokedAt ?? row.expiresAt) >= from))
    const last = rows.at(-1)
    if (last === undefined || rows.length < sharesMax || held.length >= sharesMax) break
    rows = await pageOfShares(queries, { ...page, before: last.id })
  }
  return held.slice(0, sharesMax)
}

async function opened(exchange: Exchange, found: CaseRow, rows: ShareRow[]) {
  if (rows.length === 0) return []
  const { database, keyring } = exchange
  // What made and withdrew these is on the log, where it may wait for its place.
  await placeAllPending(database)
  const caseKey = isErased(found) ? undefined : await openCaseKey(keyring, found)
  const ids = rows.map(row => row.id)
  const entries = new Map<string, Entry>()
  const logged = new Map<string, Partial<ShareTerms>>()
  for (const entry of await shareEntries(database.read, ids)) {
    const { action, shareId, event, index, detailsSealed } = entry
    entries.set(`${action} ${shareId}`, { event, index })
    if (caseKey !== undefined || action !== 'share.create') continue
    logged.set(String(shareId), exchange.audit.readDetails(event, detailsSealed).details)
  }
  const shares: SharesOfReport = []
  for (const row of rows) {
    const named = await findShareRecords(database.read, { shareId: row.id })
    shares.push({
      row,
      terms: caseKey ? openTerms(caseKey, row) : termsIn(logged.get(row.id)),
      recordIds: named.map(({ recordId }) => recordId),
      made: entries.get(`share.create ${row.id}`),
      withdrawn: entries.get(`share.revoke ${row.id}`) ?? entries.get(`case.decline ${row.id}`)
    })
  }
  return shares
}

/** The event that made the share has its purpose and its transfer too, until it is erased. */
function termsIn({ purpose, transfer }: Partial<ShareTerms> = {}): Partial<ShareTerms> {
  return { ...(purpose && { purpose }), ...(transfer && { transfer }) }
}
