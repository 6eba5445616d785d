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
  findCopies,
  findObjects,
  openRecordKey,
  type RecordRow,
  recordsById,
  viewRecord,
  viewSummary
} from '../records/record.ts'
import { quarantineOfRecords } from '../records/scan/quarantine.ts'
import type { Access } from '../records/serve.ts'
import { type VerificationProblem, verificationProblem } from '../register/verified.ts'
import { countOpening, findShare, findShareHeld, findShareRecords } from './queries.ts'
import {
  aboutHiddenShare,
  aboutShare,
  openTerms,
  type ShareRow,
  stateOf,
  tellPseudonyms
} from './share.ts'
import { transferHolds } from './transfer.ts'

const HOUR_MILLISECONDS = 3_600_000

/**
 * Opens a share: the link is whole and signed here, the share is live, the caller is its
 * specialist, the transfer is still lawful, they are verified, an opening is left. The opening is counted and recorded
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
    await requireVerified(tx, counted, found, now, true)
    await exchange.audit.append(tx, {
      action: 'link.open',
      outcome: 'success',
      ...actedBy(caller, { opening: counted.openings, ...toldOfCopies(counted) }),
      ...aboutShare(counted, found)
    })
    return counted
  })
  const records = await sharedRecords(exchange, opened, found)
  const ids = records.map(({ record }) => record.id)
  const states = await quarantineOfRecords(exchange.database.read, ids, exchange.scanner.policy)
  return {
    ...(await viewOpened(exchange, opened, found)),
    records: records.map(({ record, key }) => ({
      ...viewSummary(record, key, 'specialist'),
      quarantine: states.get(record.id) ?? 'waiting'
    }))
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
  await requireOpen(database.read, share, found, caller, clock(), false)
  const record = await sharedRecord(database.read, share, recordId)
  if (record === undefined) {
    throw new Refusal('record-not-found', undefined, { about: aboutShare(share, found) })
  }
  return {
    caller,
    found: { record, case: found },
    event: {
      ...actedBy(caller, record.copyOf === null ? {} : { copy: record.id }),
      ...aboutShare(share, found),
      // Of a copy the log names what it shows.
      recordId: record.copyOf ?? record.id
    },
    stillGranted: async tx =>
      requireOpen(tx, await rereadHeld(tx, shareId), found, caller, clock()),
    mustEnd: async () => {
      const problem = await verificationProblem(database.read, caller.accountId, clock())
      return endingOf(await reread(database.read, shareId), problem, caller, clock())
    }
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
  await requireOpen(database.read, share, found, caller, clock(), false)
  const shared = []
  for (const { record, key } of await sharedRecords(exchange, share, found)) {
    const objects = await findObjects(database.read, { recordId: record.id })
    shared.push({ record, key, objects })
  }
  // Of duplicates in records that were not shared nothing is told.
  const known = shared.flatMap(({ objects }) => objects)
  const records = shared.map(({ record, key, objects }) =>
    viewRecord(record, objects, key, exchange.scanner.policy, { reader: 'specialist', known })
  )
  const view = await viewOpened(exchange, share, found)
  await database.write(async tx => {
    await requireOpen(tx, await rereadHeld(tx, shareId), found, caller, clock())
    await exchange.audit.append(tx, {
      action: 'share.read',
      outcome: 'success',
      ...actedBy(caller, toldOfCopies(share)),
      ...aboutShare(share, found)
    })
  })
  return { ...view, records }
}

/** So that the patient can be told that they were not named. */
const toldOfCopies = (share: ShareRow) => (share.pseudonymised ? { pseudonymised: true } : {})

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

async function requireOpen(
  queries: Queries,
  share: ShareRow,
  found: CaseRow,
  caller: Caller,
  now: number,
  hold = true
): Promise<void> {
  const isOpen = share.openUntil !== null && now < share.openUntil
  const holds = transferHolds(share, caller.country, now)
  const mayRead = stateOf(share, now) === 'live' && isOpen && holds
  if (!mayRead) throw refusalOf(share, found, caller, now, 'reading')
  await requireVerified(queries, share, found, now, hold)
}

/** The register may have lost its trust in the specialist since the share was made. */
async function requireVerified(
  queries: Queries,
  share: ShareRow,
  found: CaseRow,
  now: number,
  hold: boolean
): Promise<void> {
  const problem = await verificationProblem(queries, share.specialistId, now, hold)
  if (problem !== undefined) {
    throw new Refusal(problem, undefined, { about: aboutShare(share, found) })
  }
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
function endingOf(
  share: ShareRow,
  problem: VerificationProblem | undefined,
  caller: Caller,
  now: number
): Ending | undefined {
  const state = stateOf(share, now)
  if (state === 'revoked' || problem === 'specialist-unverified') return 'revoked'
  if (problem !== undefined) return 'expired'
  if (state !== 'live' || !transferHolds(share, caller.country, now)) return 'expired'
  return undefined
}

/** One record that the share lets its specialist read: of a pseudonymised share only a copy. */
async function sharedRecord(
  queries: Queries,
  share: ShareRow,
  recordId: string
): Promise<RecordRow | undefined> {
  if (share.pseudonymised) {
    const copies = await findCopies(queries, { shareId: share.id })
    return copies.find(({ id }) => id === recordId)
  }
  const shared = await findShareRecords(queries, { shareId: share.id })
  if (!shared.some(row => row.recordId === recordId)) return undefined
  const [record] = await recordsById(queries, [recordId])
  return record
}

/** The records of a share in its order, or the copies of a pseudonymised one, each with its key. */
async function sharedRecords(exchange: Exchange, share: ShareRow, found: CaseRow) {
  const { database, keyring } = exchange
  const named = await findShareRecords(database.read, { shareId: share.id })
  const ids = named.map(row => row.recordId)
  const rows = share.pseudonymised
    ? new Map(
        (await findCopies(database.read, { shareId: share.id })).map(row => [row.copyOf, row])
      )
    : new Map((await recordsById(database.read, ids)).map(row => [row.id, row]))
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
  const { purpose, request, pseudonymised } = openTerms(caseKey, share)
  if (share.pseudonymised !== (pseudonymised !== undefined))
    throw new Error('A share contradicts itself.')
  return {
    id: share.id,
    case: share.caseId,
    ...(pseudonymised
      ? { question: pseudonymised.question, pseudonymised: tellPseudonyms(pseudonymised) }
      : openCaseDetails(caseKey, found)),
    ...(request && { request }),
    purpose,
    from: await describeSender(database.read, serviceKeys, share.createdBy),
    expiresAt: timestamp(share.expiresAt),
    openUntil: timestamp(share.openUntil ?? share.expiresAt),
    openings: share.openings,
    ...(share.openingsMax !== null && { openingsMax: share.openingsMax })
  }
}
