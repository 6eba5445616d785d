import type { KeyObject } from 'node:crypto'
import { timestamp } from '../../schemas/common.ts'
import type { ShareCreate } from '../../schemas/share.ts'
import { idOfAttempt } from '../attempts.ts'
import { actedBy } from '../audit/acted-by.ts'
import { aboutCase, type CaseRow, caseOf, openCaseKey } from '../cases/case.ts'
import { caseShared, requireShareable, type Shareable } from '../cases/sharing.ts'
import { type Grounds, groundsOf, holdGrounds } from '../consents/grounds.ts'
import type { Queries } from '../database/database.ts'
import { Refusal } from '../errors.ts'
import type { Exchange } from '../exchange.ts'
import { findSpecialist, homeOf } from '../identity/accounts.ts'
import type { Caller } from '../identity/principal.ts'
import { requireRightPatient } from '../records/patient-confirmation.ts'
import { insertRecord, type RecordRow, requireRecordsOfCase } from '../records/record.ts'
import { requireReleased } from '../records/scan/quarantine.ts'
import { requireVerifiedSpecialist } from '../register/verified.ts'
import { requireRecentProof } from '../sessions/session.ts'
import { decisionsOf, type Pseudonymised, pseudonymise } from './pseudonymise.ts'
import { findShare, insertShare } from './queries.ts'
import {
  aboutShare,
  endsWith,
  openTerms,
  type PseudonymTerms,
  type ShareRow,
  type ShareTerms,
  sealTerms,
  tellPseudonyms
} from './share.ts'
import { tellSpecialist } from './tell.ts'

const HOUR_MILLISECONDS = 3_600_000

/** The share that a new one replaces, because more time was asked for. */
export interface Predecessor {
  share: ShareRow
  /** Whose copies go on under the same pseudonyms. */
  pseudonyms: PseudonymTerms | undefined
  /** Ends it in the transaction that stores the new one, or throws, and then neither happens. */
  end(tx: Queries, shareId: string): Promise<void>
}

/**
 * Shares named records of one case with one specialist for a limited time. The share is frozen once
 * made: another share for the same specialist stands beside it and never widens it, or takes the
 * place of the one it gives more time to. Asked again with the same attempt and the same terms it is
 * the same share, with a link to it, however many ask at once. With `seen` the request must be in that
 * version, which its maker has looked at: otherwise Refusal `version-changed`.
 */
export async function createShare(
  exchange: Exchange,
  caller: Caller,
  caseId: string,
  wanted: ShareCreate,
  predecessor?: Predecessor,
  seen?: number
) {
  const now = exchange.clock()
  const { database, keyring } = exchange
  const found = await caseOf(database.read, caller, caseId)
  const specialist = await findSpecialist(database.read, wanted.specialist)
  if (specialist === undefined) throw new Refusal('specialist-not-found')
  await requireProofAbroad(exchange, caller, found, specialist)
  const caseKey = await openCaseKey(keyring, found)
  const { attempt, ...asked } = wanted
  const id = idOfAttempt(caller, attempt, { share: asked, caseId }, now)
  const again = () => tellAgain(exchange, caller, found, { id, caseKey })
  const before = attempt === undefined ? undefined : await again()
  if (before !== undefined) return before
  const records = await requireFitRecords(exchange, found, wanted.records)
  requireFittingOptions(wanted)

  const sought = { specialist, records, safeguard: wanted.safeguard }
  const grounds = await groundsOf(exchange, found, caseKey, sought, now)
  const { notBefore, expiresAt } = lifeOf(exchange, wanted, now, grounds, predecessor)
  const shareable = await requireShareable(exchange, found, caseKey, asked.overrideReason, seen)

  const made = wanted.pseudonymise
    ? await pseudonymise(exchange, caller, found, {
        share: wanted,
        shareId: id,
        records,
        request: shareable.terms.request,
        before: predecessor?.pseudonyms
      })
    : undefined
  const terms: ShareTerms = {
    purpose: wanted.purpose,
    transfer: grounds.transfer,
    ...(grounds.consentId !== undefined && { consent: grounds.consentId }),
    ...shareable.terms,
    ...(made && { pseudonymised: made.terms })
  }
  const row: ShareRow = {
    id,
    caseId,
    organisationId: found.organisationId,
    createdBy: caller.accountId,
    specialistId: specialist.id,
    recipientCountry: specialist.country,
    transferBasis: grounds.transfer.basis,
    transferExpiresAt: grounds.end?.at ?? null,
    termsSealed: sealTerms(caseKey, id, terms),
    notBefore,
    expiresAt,
    openingsMax: wanted.openingsMax ?? null,
    openings: 0,
    openUntil: null,
    revokedAt: null,
    revokedBy: null,
    createdAt: now,
    pseudonymised: made !== undefined,
    replacedBy: null,
    begunAt: predecessor ? (predecessor.share.begunAt ?? predecessor.share.createdAt) : null
  }
  const decided = { row, wanted, shareable, grounds, made, predecessor }
  const stored = store(exchange, caller, found, decided)
  const isNew = await stored.catch(async err => {
    // A commit that the disk failed may be stored all the same, and then its rows need these blobs.
    const mayBeStored = err instanceof Refusal && err.code === 'storage-unavailable'
    if (!mayBeStored) await made?.copies.discard()
    throw err
  })
  if (isNew) return { isNew, view: await tellMade(exchange, row, terms) }
  await made?.copies.discard()
  const other = await again()
  if (other === undefined) throw new Error('A share was made by nobody.')
  return other
}

/**
 * What an earlier call with the same attempt made, if there was one. That it is told again is on the
 * access log first, as a look at it is.
 */
async function tellAgain(
  exchange: Exchange,
  caller: Caller,
  found: CaseRow,
  { id, caseKey }: { id: string; caseKey: KeyObject }
) {
  const { database, audit } = exchange
  const [row] = await findShare(database.read, { id })
  if (row === undefined) return undefined
  await audit.add({
    action: 'share.list',
    outcome: 'success',
    ...actedBy(caller, { shown: [id] }),
    ...aboutShare(row, found)
  })
  return { isNew: false, view: await tellMade(exchange, row, openTerms(caseKey, row)) }
}

/** A share as whoever made it is told, with its link. */
async function tellMade({ links }: Exchange, row: ShareRow, terms: ShareTerms) {
  const { id, createdAt, notBefore, expiresAt } = row
  const ending = endsWith(row, terms)
  return {
    id,
    link: await links.make({ shareId: id, issuedAt: createdAt, notBefore, expiresAt }),
    notBefore: timestamp(notBefore),
    expiresAt: timestamp(expiresAt),
    ...(ending && { endsWith: ending }),
    transfer: terms.transfer,
    ...(terms.pseudonymised && { pseudonymised: tellPseudonyms(terms.pseudonymised) })
  }
}

/** Nothing leaves the country from a screen that somebody left open. */
async function requireProofAbroad(
  exchange: Exchange,
  caller: Caller,
  { organisationId }: CaseRow,
  { country }: { country: string }
): Promise<void> {
  const home = await homeOf(exchange.database.read, organisationId)
  if (country !== home.country) requireRecentProof(exchange, caller)
}

/** What is decided of a share before it is stored. */
interface Decided {
  row: ShareRow
  wanted: ShareCreate
  shareable: Shareable
  grounds: Grounds
  made: Pseudonymised | undefined
  predecessor: Predecessor | undefined
}

/**
 * The share with its event, its copies and its notice: all of it, or nothing. False, and nothing is done,
 * when it was made before.
 */
function store(exchange: Exchange, caller: Caller, found: CaseRow, decided: Decided) {
  const { row, wanted, shareable, grounds, made, predecessor } = decided
  const { override } = shareable.terms
  const told = made && tellPseudonyms(made.terms)
  return exchange.database.write(async tx => {
    await requireReleased(tx, wanted.records, exchange.scanner.policy, aboutCase(found))
    await requireVerifiedSpecialist(tx, row.specialistId, row.createdAt)
    if (!(await insertShare(tx, row, wanted.records))) return false
    await holdGrounds(tx, exchange, found, row, grounds)
    for (const copy of made?.copies.rows ?? []) await insertRecord(tx, copy.record, copy.objects)
    await caseShared(tx, shareable, { shareId: row.id, by: caller.accountId, at: row.createdAt })
    // An erasure holds the case as well: it came before this, and is seen, or finds the share.
    await requireRecordsOfCase(tx, row.caseId, wanted.records)
    await exchange.audit.append(tx, {
      action: 'share.create',
      outcome: 'success',
      ...actedBy(caller, {
        purpose: wanted.purpose,
        transfer: grounds.transfer,
        ...(grounds.consentId !== undefined && { consent: grounds.consentId }),
        ...(override && { override }),
        ...(predecessor && { replaces: predecessor.share.id }),
        specialist: row.specialistId,
        records: wanted.records,
        ...(told && { pseudonymised: { ...told, ...decisionsOf(wanted) } })
      }),
      ...aboutShare(row, found)
    })
    await predecessor?.end(tx, row.id)
    const kind = predecessor ? 'more-time-given' : 'share-created'
    await tellSpecialist(exchange, tx, row, kind, row.expiresAt)
    return true
  })
}

/** Decisions about a copy, where none is asked for, would be a misunderstanding that costs a name. */
function requireFittingOptions(wanted: ShareCreate): void {
  if (wanted.pseudonymise) return
  const { question, allowAsIs, allowHeld } = wanted
  if (question === undefined && allowAsIs === undefined && allowHeld === undefined) return
  const problems = ['question, allowAsIs and allowHeld belong to pseudonymise: true']
  throw new Refusal('request-invalid', 'options of a copy', { problems })
}

/**
 * Those records, of the right patient and out of quarantine: before any of them is read or copied. A
 * verdict of the scanner may still come between, so quarantine is asked for again at the end.
 */
export async function requireFitRecords(
  { database, scanner }: Exchange,
  found: CaseRow,
  ids: string[]
): Promise<RecordRow[]> {
  const records = await requireRecordsOfCase(database.read, found.id, ids)
  for (const record of records) requireRightPatient(record, found)
  await requireReleased(database.read, ids, scanner.policy, aboutCase(found))
  return records
}

/**
 * When the share begins and ends. Its life counts from its beginning, and no share promises a time that
 * its consents and its safeguard do not cover: then it ends with the first of them.
 */
export function lifeOf(
  { limits }: Exchange,
  wanted: ShareCreate,
  now: number,
  { end }: Pick<Grounds, 'end'>,
  predecessor?: Predecessor
) {
  const hours = wanted.lifeHours ?? limits.shareHoursDefault
  const begins = wanted.notBefore === undefined ? now : Date.parse(wanted.notBefore)
  const lifeMax = limits.shareHoursMax * HOUR_MILLISECONDS
  if (hours > limits.shareHoursMax || begins > now + lifeMax) {
    throw new Refusal('share-life-invalid')
  }
  const notBefore = Math.max(begins, now)
  const wished = notBefore + hours * HOUR_MILLISECONDS
  const isCut = end !== undefined && end.at < wished
  const problems = isCut ? [`its ${end.what} ends at ${timestamp(end.at)}`] : []
  const expiresAt = isCut ? end.at : wished
  if (expiresAt <= notBefore) throw new Refusal('share-begins-too-late', undefined, { problems })
  if (predecessor && expiresAt <= predecessor.share.expiresAt) {
    throw new Refusal('more-time-shorter', undefined, { problems })
  }
  return { notBefore, expiresAt, ...(isCut && { endsWith: end.what }) }
}
