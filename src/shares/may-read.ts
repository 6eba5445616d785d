import type { Ending } from '../audit/disclosures.ts'
import { type CaseRow, isErased, knownCase } from '../cases/case.ts'
import type { Queries } from '../database/database.ts'
import { Refusal } from '../errors.ts'
import type { Caller } from '../identity/principal.ts'
import { type VerificationProblem, verificationProblem } from '../register/verified.ts'
import { transferHolds } from '../transfers/transfer.ts'
import { findShare, findShareHeld } from './queries.ts'
import { aboutHiddenShare, aboutShare, type ShareRow, stateOf } from './share.ts'

/**
 * The share, if the caller is its specialist. To everybody else it does not exist. Refusal
 * `share-case-gone` once its case was erased: why, when and by whom is for its organisation to say.
 */
export async function ownShare(
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
  if (isErased(found)) {
    throw new Refusal('share-case-gone', undefined, { about: aboutShare(share, found) })
  }
  return { share, found }
}

/** The share as it is now. */
export async function reread(queries: Queries, shareId: string): Promise<ShareRow> {
  const [share] = await findShare(queries, { id: shareId })
  if (share === undefined) throw new Refusal('share-not-found', 'gone')
  return share
}

/** For an act that goes on record: no withdrawal comes between the look and the commit. */
export async function rereadHeld(tx: Queries, shareId: string): Promise<ShareRow> {
  const [share] = await findShareHeld(tx, { id: shareId })
  if (share === undefined) throw new Refusal('share-not-found', 'gone')
  return share
}

/**
 * Whether the share's specialist may read now: it is live, was opened, its transfer is lawful and they
 * are verified. With `hold` none of it changes before the transaction ends. Throws the Refusal that
 * says why not.
 */
export async function requireOpen(
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
export async function requireVerified(
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
export function refusalOf(
  share: ShareRow,
  found: CaseRow,
  caller: Caller,
  now: number,
  doing: 'opening' | 'reading'
): Refusal {
  const about = aboutShare(share, found)
  const state = stateOf(share, now)
  if (share.replacedBy !== null) return new Refusal('share-replaced', undefined, { about })
  const isDeclined = state === 'revoked' && share.revokedBy === share.specialistId
  if (isDeclined) return new Refusal('share-declined', undefined, { about })
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
export function endingOf(
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
