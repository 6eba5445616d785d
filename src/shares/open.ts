import { timestamp } from '../../schemas/common.ts'
import type { OpenedShare, ShareManifest } from '../../schemas/share.ts'
import { actedBy } from '../audit/acted-by.ts'
import type { Ending } from '../audit/disclosures.ts'
import { type CaseRow, knownCase, openCaseDetails, openCaseKey } from '../cases/case.ts'
import type { Queries } from '../database/database.ts'
import { Refusal } from '../errors.ts'
import type { Exchange } from '../exchange.ts'
import { describeSender } from '../identity/accounts.ts'
import type { Caller } from '../identity/principal.ts'
import {
  findObjects,
  openRecordKey,
  recordsById,
  viewRecord,
  viewSummary
} from '../records/record.ts'
import type { Access } from '../records/serve.ts'
import { countOpening, findShare, findShareHeld, findShareRecords } from './queries.ts'
import { aboutHiddenShare, aboutShare, openTerms, type ShareRow, stateOf } from './share.ts'
import { tellSender } from './tell.ts'
import { transferHolds } from './transfer.ts'

const HOUR_MILLISECONDS = 3_600_000

/**
 * Opens a share: the link is whole and signed here, the share is live, the caller is its
 * specialist, the transfer is still lawful, an opening is left. The opening is counted and recorded
 * in one transaction before anything is told. A link alone never spends an opening.
 */
export async function openLink(
  exchange: Exchange,
  caller: Caller,
  link: string
): Promise<OpenedShare> {
  const now = exchange.clock()
  const shareId = await exchange.links.read(link)
  const { share, found } = await ownShare(exchange.database.read, caller, shareId)
  const openUntil = Math.min(
    now + exchange.limits.openingHoursMax * HOUR_MILLISECONDS,
    share.expiresAt
  )
  const opened = await exchange.database.write(async tx => {
    const [counted] = await countOpening(tx, {
      id: shareId,
      specialistId: caller.accountId,
      openUntil,
      now
    })
    if (counted === undefined || !transferHolds(counted, caller.country, now)) {
      // Thrown inside the transaction: what was counted is undone.
      throw refusalOf(counted ?? (await reread(tx, shareId)), found, caller, now, 'opening')
    }
    await exchange.audit.append(tx, {
      action: 'link.open',
      outcome: 'success',
      ...actedBy(caller, { opening: counted.openings }),
      ...aboutShare(counted, found)
    })
    if (counted.openings === 1) await tellSender(exchange, tx, counted, 'share-opened')
    return counted
  })
  const records = await sharedRecords(exchange, opened, found)
  return {
    ...(await viewOpened(exchange, opened, found)),
    records: records.map(({ record, key }) => viewSummary(record, key))
  }
}

/**
 * The grounds on which a specialist may read a record through a share that they opened before.
 * Everything is judged afresh at each request, again inside the transaction that records it, and
 * again twice a second while bytes run.
 */
export async function accessByShare(
  exchange: Exchange,
  caller: Caller,
  shareId: string,
  recordId: string
): Promise<Access> {
  const { database, clock } = exchange
  const { share, found } = await ownShare(database.read, caller, shareId)
  requireOpen(share, found, caller, clock())
  const shared = await findShareRecords(database.read, { shareId })
  const [record] = shared.some(row => row.recordId === recordId)
    ? await recordsById(database.read, [recordId])
    : []
  if (record === undefined) {
    throw new Refusal('record-not-found', undefined, { about: aboutShare(share, found) })
  }
  return {
    caller,
    found: { record, case: found },
    event: { ...actedBy(caller), ...aboutShare(share, found), recordId },
    stillGranted: async tx => requireOpen(await rereadHeld(tx, shareId), found, caller, clock()),
    mustEnd: async () => endingOf(await reread(database.read, shareId), caller, clock())
  }
}

/** Everything in a share that its specialist has opened, down to each file and its digest. */
export async function readManifest(
  exchange: Exchange,
  caller: Caller,
  shareId: string
): Promise<ShareManifest> {
  const { database, clock } = exchange
  const { share, found } = await ownShare(database.read, caller, shareId)
  requireOpen(share, found, caller, clock())
  const records = []
  for (const { record, key } of await sharedRecords(exchange, share, found)) {
    const objects = await findObjects(database.read, { recordId: record.id })
    records.push(viewRecord(record, objects, key))
  }
  const view = await viewOpened(exchange, share, found)
  await database.write(async tx => {
    requireOpen(await rereadHeld(tx, shareId), found, caller, clock())
    await exchange.audit.append(tx, {
      action: 'share.read',
      outcome: 'success',
      ...actedBy(caller),
      ...aboutShare(share, found)
    })
  })
  return { ...view, records }
}

/** The share, if the caller is its specialist. To everybody else it does not exist. */
async function ownShare(
  queries: Queries,
  caller: Caller,
  shareId: string
): Promise<{ share: ShareRow; found: CaseRow }> {
  const [share] = await findShare(queries, { id: shareId })
  if (share === undefined) throw new Refusal('share-not-found', 'unknown')
  const found = await knownCase(queries, share.caseId)
  if (share.specialistId !== caller.accountId) {
    throw new Refusal('share-not-found', 'of another specialist', {
      about: aboutHiddenShare(share, found, caller)
    })
  }
  return { share, found }
}

async function reread(queries: Queries, shareId: string): Promise<ShareRow> {
  const [share] = await findShare(queries, { id: shareId })
  if (share === undefined) throw new Refusal('share-not-found', 'gone')
  return share
}

/** For an act that goes on record: no withdrawal comes between the look and the commit. */
async function rereadHeld(tx: Queries, shareId: string): Promise<ShareRow> {
  const [share] = await findShareHeld(tx, { id: shareId })
  if (share === undefined) throw new Refusal('share-not-found', 'gone')
  return share
}

function requireOpen(share: ShareRow, found: CaseRow, caller: Caller, now: number): void {
  const isOpen = share.openUntil !== null && now < share.openUntil
  const holds = transferHolds(share, caller.country, now)
  if (stateOf(share, now) === 'live' && isOpen && holds) return
  throw refusalOf(share, found, caller, now, 'reading')
}

/** Why the share's own specialist may not go on. Only they are told. */
function refusalOf(
  share: ShareRow,
  found: CaseRow,
  caller: Caller,
  now: number,
  doing: 'opening' | 'reading'
): Refusal {
  const about = aboutShare(share, found)
  const state = stateOf(share, now)
  if (state !== 'live') return new Refusal(`share-${state}`, undefined, { about })
  if (!transferHolds(share, caller.country, now)) {
    return new Refusal('transfer-not-allowed', undefined, { about })
  }
  const spent = share.openingsMax !== null && share.openings >= share.openingsMax
  if (spent) return new Refusal('share-openings-spent', undefined, { about })
  if (doing === 'opening') return new Refusal('internal-error', 'opening was not counted')
  return new Refusal('share-not-opened', undefined, { about })
}

/** Why a running stream must be cut, if it must. */
function endingOf(share: ShareRow, caller: Caller, now: number): Ending | undefined {
  const state = stateOf(share, now)
  if (state === 'revoked') return 'revoked'
  if (state !== 'live' || !transferHolds(share, caller.country, now)) return 'expired'
  return undefined
}

/** The records of a share in its order, each with its key. */
async function sharedRecords(exchange: Exchange, share: ShareRow, found: CaseRow) {
  const { database, keyring } = exchange
  const named = await findShareRecords(database.read, { shareId: share.id })
  const ids = named.map(row => row.recordId)
  const rows = new Map((await recordsById(database.read, ids)).map(row => [row.id, row]))
  const records = []
  for (const id of ids) {
    const record = rows.get(id)
    if (record === undefined) throw new Error('A share names a record that is not there.')
    records.push({ record, key: await openRecordKey(keyring, { record, case: found }) })
  }
  return records
}

async function viewOpened(
  exchange: Exchange,
  share: ShareRow,
  found: CaseRow
): Promise<Omit<OpenedShare, 'records'>> {
  const { database, keyring, serviceKeys } = exchange
  const caseKey = await openCaseKey(keyring, found)
  return {
    id: share.id,
    case: share.caseId,
    ...openCaseDetails(caseKey, found),
    purpose: openTerms(caseKey, share).purpose,
    from: await describeSender(database.read, serviceKeys, share.createdBy),
    expiresAt: timestamp(share.expiresAt),
    openUntil: timestamp(share.openUntil ?? share.expiresAt),
    openings: share.openings,
    ...(share.openingsMax !== null && { openingsMax: share.openingsMax })
  }
}
