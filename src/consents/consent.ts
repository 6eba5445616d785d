import type { KeyObject } from 'node:crypto'
import { timestamp } from '../../schemas/common.ts'
import {
  type ConsentKind,
  type ConsentRecord,
  type ConsentState,
  type ConsentView,
  consentKinds
} from '../../schemas/consent.ts'
import { canonicalContext, openBox, sealBox } from '../sealing/keys.ts'
import type { ConsentRow } from './queries.ts'

export type { ConsentRow } from './queries.ts'
export { consentsOf, findConsent, pageOfConsents } from './queries.ts'

/** What is sealed of a consent: everything that somebody said or was told. */
export type ConsentDetails = Omit<ConsentRecord, 'kind' | 'text'>

const detailsContext = (caseId: string, id: string) => canonicalContext('consent', caseId, id)
const reasonContext = (caseId: string, id: string) => canonicalContext('consent-end', caseId, id)

type Place = Pick<ConsentRow, 'caseId' | 'id'>

export function sealConsent(key: KeyObject, { caseId, id }: Place, details: ConsentDetails) {
  return sealBox(key, detailsContext(caseId, id), Buffer.from(JSON.stringify(details)))
}

export function openConsent(key: KeyObject, row: ConsentRow): ConsentDetails {
  return JSON.parse(openBox(key, detailsContext(row.caseId, row.id), row.detailsSealed).toString())
}

export function sealReason(key: KeyObject, { caseId, id }: Place, reason: string): Buffer {
  return sealBox(key, reasonContext(caseId, id), Buffer.from(reason))
}

/** Where a consent stands. It holds to the end of its last day, to the millisecond. */
export function stateOf(
  row: Pick<ConsentRow, 'withdrawnAt' | 'expiresAt'>,
  now: number
): ConsentState {
  if (row.withdrawnAt !== null) return 'withdrawn'
  return row.expiresAt !== null && now >= row.expiresAt ? 'expired' : 'given'
}

/**
 * Whether the patient has agreed to the second opinion: by a consent that holds, else as the last one
 * ended. `rows` are those of one case, newest first.
 */
export function agreement(
  rows: ConsentRow[],
  now: number
): { state: ConsentState | 'none'; row?: ConsentRow } {
  const own = rows.filter(({ kind }) => kind === 'second-opinion')
  const row = own.find(row => stateOf(row, now) === 'given') ?? own[0]
  return row === undefined ? { state: 'none' } : { state: stateOf(row, now), row }
}

/** Throws for a kind that a newer release has stored. */
function kindOf({ kind }: ConsentRow): ConsentKind {
  const known = consentKinds.find(name => name === kind)
  if (known === undefined) throw new Error('The database holds a consent this release lacks.')
  return known
}

/** A consent as the organisation of its case reads it. */
export function viewConsent(key: KeyObject, row: ConsentRow, now: number): ConsentView {
  const { withdrawnAt, withdrawnBy, reasonSealed } = row
  return {
    id: row.id,
    case: row.caseId,
    kind: kindOf(row),
    ...openConsent(key, row),
    text: { version: row.textVersion, sha256: row.textSha256.toString('hex') },
    state: stateOf(row, now),
    ...(row.expiresAt !== null && { expiresAt: timestamp(row.expiresAt) }),
    recordedBy: row.recordedBy,
    recordedAt: timestamp(row.recordedAt),
    ...(withdrawnAt !== null &&
      withdrawnBy !== null &&
      reasonSealed !== null && {
        withdrawn: {
          at: timestamp(withdrawnAt),
          by: withdrawnBy,
          reason: openBox(key, reasonContext(row.caseId, row.id), reasonSealed).toString()
        }
      })
  }
}
