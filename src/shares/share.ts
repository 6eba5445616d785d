import type { KeyObject } from 'node:crypto'
import { timestamp } from '../../schemas/common.ts'
import type { ShareView, TransferBasis } from '../../schemas/share.ts'
import type { CaseRow } from '../cases/case.ts'
import type { Caller } from '../identity/principal.ts'
import { canonicalContext, openBox, sealBox } from '../sealing/keys.ts'
import type { ShareRow } from './queries.ts'

export type { ShareRow } from './queries.ts'
export { findShare, findShareRecords, pageOfShares } from './queries.ts'

/** What a share keeps sealed under the key of its case. */
export interface ShareTerms {
  purpose: string
  transfer: TransferBasis
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

/** Where a share stands. The ends are exact: it is over at `expiresAt`, to the millisecond. */
export function stateOf(row: ShareRow, now: number): ShareView['state'] {
  if (row.revokedAt !== null) return 'revoked'
  if (now >= row.expiresAt) return 'expired'
  return now < row.notBefore ? 'not-yet-valid' : 'live'
}

/** A share as its sender sees it. */
export function viewShare(
  row: ShareRow,
  recordIds: string[],
  terms: ShareTerms,
  now: number
): ShareView {
  return {
    id: row.id,
    case: row.caseId,
    specialist: row.specialistId,
    records: recordIds,
    purpose: terms.purpose,
    state: stateOf(row, now),
    createdBy: row.createdBy,
    createdAt: timestamp(row.createdAt),
    notBefore: timestamp(row.notBefore),
    expiresAt: timestamp(row.expiresAt),
    openings: row.openings,
    ...(row.openingsMax !== null && { openingsMax: row.openingsMax }),
    ...(row.revokedAt !== null && { revokedAt: timestamp(row.revokedAt) }),
    transfer: terms.transfer
  }
}
