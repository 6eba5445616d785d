import { timestamp } from '../../schemas/common.ts'
import type { OpenedShare, ShareManifest } from '../../schemas/share.ts'
import { actedBy } from '../audit/acted-by.ts'
import { type CaseRow, openCaseDetails, openCaseKey } from '../cases/case.ts'
import { Refusal } from '../errors.ts'
import type { Exchange } from '../exchange.ts'
import { describeSender } from '../identity/accounts.ts'
import type { Caller } from '../identity/principal.ts'
import { findObjects, viewRecord, viewSummary } from '../records/record.ts'
import { quarantineOfRecords } from '../records/scan/quarantine.ts'
import type { Access } from '../records/serve.ts'
import { verificationProblem } from '../register/verified.ts'
import { flagElsewhere, toldOfPlace } from '../transfers/sightings.ts'
import { transferHolds } from '../transfers/transfer.ts'
import {
  endingOf,
  ownShare,
  refusalOf,
  requireOpen,
  requireVerified,
  reread,
  rereadHeld
} from './may-read.ts'
import { countOpening } from './queries.ts'
import { aboutShare, openTerms, type ShareRow, tellPseudonyms } from './share.ts'
import { sharedRecord, sharedRecords } from './shared-records.ts'
import { tellSender } from './tell.ts'
import { clocksOf, tellTurnaround } from './turnaround.ts'

const HOUR_MILLISECONDS = 3_600_000

/**
 * Opens a share: the link is whole and signed here, the share is live, the caller is its
 * specialist, the transfer is still lawful, they are verified, an opening is left. The opening is
 * counted and recorded in one transaction before anything is told. A link alone never spends an opening.
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
      ...actedBy(caller, {
        opening: counted.openings,
        ...toldOfCopies(counted),
        ...toldOfPlace(caller)
      }),
      ...aboutShare(counted, found)
    })
    await flagElsewhere(tx, shareId, caller, now)
    if (counted.openings === 1) await tellSender(exchange, tx, counted, 'share-opened')
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
      ...actedBy(caller, {
        ...(record.copyOf !== null && { copy: record.id }),
        ...toldOfPlace(caller)
      }),
      ...aboutShare(share, found),
      // Of a copy the log names what it shows.
      recordId: record.copyOf ?? record.id
    },
    async stillGranted(tx) {
      await requireOpen(tx, await rereadHeld(tx, shareId), found, caller, clock())
      await flagElsewhere(tx, shareId, caller, clock())
    },
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
      ...actedBy(caller, { ...toldOfCopies(share), ...toldOfPlace(caller) }),
      ...aboutShare(share, found)
    })
    await flagElsewhere(tx, shareId, caller, clock())
  })
  return { ...view, records }
}

/** So that the patient can be told that they were not named. */
const toldOfCopies = (share: ShareRow) => (share.pseudonymised ? { pseudonymised: true } : {})

async function viewOpened(
  exchange: Exchange,
  share: ShareRow,
  found: CaseRow
): Promise<Omit<OpenedShare, 'records'>> {
  const { database, keyring, serviceKeys, clock } = exchange
  const caseKey = await openCaseKey(keyring, found)
  const { purpose, request, pseudonymised } = openTerms(caseKey, share)
  if (share.pseudonymised !== (pseudonymised !== undefined))
    throw new Error('A share contradicts itself.')
  const times = (await clocksOf(database.read, [share])).get(share.id)
  if (times === undefined) throw new Error('A share has no clock.')
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
    ...(share.openingsMax !== null && { openingsMax: share.openingsMax }),
    ...tellTurnaround(times, clock())
  }
}
