import type { KeyObject } from 'node:crypto'
import { timestamp } from '../../schemas/common.ts'
import type { SharedRequest } from '../../schemas/request.ts'
import type { Override, ShareCreate, ShareView } from '../../schemas/share.ts'
import type { TransferBasis } from '../../schemas/transfer.ts'
import type { CaseRow } from '../cases/case.ts'
import type { Queries } from '../database/database.ts'
import type { Caller } from '../identity/principal.ts'
import { canonicalContext, openBox, sealBox } from '../sealing/keys.ts'
import { findShare, type ShareRow } from './queries.ts'

const DAY_MILLISECONDS = 86_400_000

export type { ShareRow } from './queries.ts'
export { endedWithCopies, findShare, findShareRecords, pageOfShares } from './queries.ts'

/** What a share keeps sealed under the key of its case. */
export interface ShareTerms {
  purpose: string
  transfer: TransferBasis
  /** What the specialist is asked, as it was then; without it the question of the case. */
  request?: SharedRequest
  /** The patient's consent to the second opinion that stood then. */
  consent?: string
  /** The case was not complete then. */
  override?: Override
  /** Of a share whose specialist reads copies. */
  pseudonymised?: PseudonymTerms
}

export interface PseudonymTerms {
  /** What stands for the patient. */
  patient: string
  /** What every pseudonym, UID and shift of dates is derived from, base64: to find back from an opinion. */
  key: string
  /** What the specialist is asked, with nobody named. */
  question: string
  /** What the originals call the patient: nobody writes it to the specialist. Not in older shares. */
  names?: string[]
  files: { pseudonymised: number; released: number; asIs: number }
  /** What somebody decided about files by hand, so that more time needs no second look. */
  decisions?: Pick<ShareCreate, 'allowAsIs' | 'allowHeld'>
}

/** What is told of it: never the key, by which all could be undone. */
export function tellPseudonyms({ patient, files }: PseudonymTerms) {
  return { patient, files }
}

const termsContext = (id: string): Buffer => canonicalContext('share-terms', id)

export function sealTerms(caseKey: KeyObject, id: string, terms: ShareTerms): Buffer {
  return sealBox(caseKey, termsContext(id), Buffer.from(JSON.stringify(terms)))
}

export function openTerms(caseKey: KeyObject, row: ShareRow): ShareTerms {
  return JSON.parse(openBox(caseKey, termsContext(row.id), row.termsSealed).toString())
}

/** What the access log says about a share. */
export function aboutShare(row: ShareRow, found: CaseRow) {
  return {
    organisationId: row.organisationId,
    caseId: row.caseId,
    patientRef: found.patientRef,
    shareId: row.id,
    recipientCountry: row.recipientCountry
  }
}

/**
 * The same when the caller was told that there is no such share. The public part of an event names a
 * share for its parties alone, its specialist and its organisation: nobody else may add to what is
 * seen, or counted, of it.
 */
export function aboutHiddenShare(row: ShareRow, found: CaseRow, caller: Caller) {
  const { shareId, ...about } = aboutShare(row, found)
  const isParty =
    row.specialistId === caller.accountId || row.organisationId === caller.organisationId
  return { ...about, ...(isParty ? { shareId } : { triedShareId: shareId }) }
}

/** Whether a share is over for good, by this moment. */
export async function hasEnded(queries: Queries, id: string, now: number): Promise<boolean> {
  const [row] = await findShare(queries, { id })
  return row === undefined || ['expired', 'revoked'].includes(stateOf(row, now))
}

/** Where a share stands. The ends are exact: it is over at `expiresAt`, to the millisecond. */
export function stateOf(row: ShareRow, now: number): ShareView['state'] {
  if (row.revokedAt !== null) return 'revoked'
  if (now >= row.expiresAt) return 'expired'
  return now < row.notBefore ? 'not-yet-valid' : 'live'
}

/** What a share ends with, when that is not its own time but the end of something it rests on. */
export function endsWith(
  { expiresAt, transferExpiresAt }: ShareRow,
  { transfer }: ShareTerms
): ShareView['endsWith'] | undefined {
  if (expiresAt !== transferExpiresAt) return undefined
  const { safeguard } = transfer
  const lastDay = safeguard && 'expires' in safeguard ? safeguard.expires : undefined
  const isSafeguard = lastDay !== undefined && dayAfter(lastDay) === expiresAt
  return isSafeguard ? 'safeguard' : 'consent'
}

/** The first moment after a day of UTC, as the end of a safeguard is judged. */
const dayAfter = (day: string): number => Date.parse(day) + DAY_MILLISECONDS

/** A share as its sender sees it; without its terms where they could not be opened. */
export function viewShare(
  row: ShareRow,
  recordIds: string[],
  terms: ShareTerms | undefined,
  now: number
): Omit<ShareView, 'dueAt' | 'turnaround' | 'moreTimeAsked' | 'country'> {
  const ending = terms && endsWith(row, terms)
  return {
    id: row.id,
    case: row.caseId,
    specialist: row.specialistId,
    records: recordIds,
    ...(terms && {
      purpose: terms.purpose,
      transfer: terms.transfer,
      consent:
        terms.consent === undefined ? { recorded: false } : { recorded: true, id: terms.consent }
    }),
    state: stateOf(row, now),
    createdBy: row.createdBy,
    createdAt: timestamp(row.createdAt),
    notBefore: timestamp(row.notBefore),
    expiresAt: timestamp(row.expiresAt),
    ...(ending && { endsWith: ending }),
    openings: row.openings,
    ...(row.openingsMax !== null && { openingsMax: row.openingsMax }),
    ...(row.revokedAt !== null && { revokedAt: timestamp(row.revokedAt) }),
    ...(terms?.pseudonymised && { pseudonymised: tellPseudonyms(terms.pseudonymised) }),
    ...(terms?.request && { requestVersion: terms.request.version }),
    ...(terms?.override && { override: terms.override }),
    ...(row.replacedBy !== null && { replacedBy: row.replacedBy })
  }
}
