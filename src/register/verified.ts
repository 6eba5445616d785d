import type { Queries } from '../database/database.ts'
import { Refusal } from '../errors.ts'
import { stateOf } from './entry.ts'
import { findVerification, findVerificationHeld } from './queries.ts'

/** Why a specialist may receive nothing. */
export type VerificationProblem = 'specialist-unverified' | 'specialist-verification-expired'

/**
 * What stands against sharing with the specialist of this account, or undefined. It is asked when a
 * share is made and at every access to one: whoever was struck off a minute ago reads nothing more.
 * With `hold` the entry stays as it is until the transaction ends: losing the verification comes
 * before what it allows, and is seen, or after it.
 */
export async function verificationProblem(
  queries: Queries,
  specialistAccountId: string,
  now: number,
  hold = false
): Promise<VerificationProblem | undefined> {
  const find = hold ? findVerificationHeld : findVerification
  const [row] = await find(queries, { accountId: specialistAccountId })
  // An account without an entry was never looked at by anybody.
  const state = row === undefined ? 'unverified' : stateOf(row, now)
  if (state === 'verified') return undefined
  return state === 'expired' ? 'specialist-verification-expired' : 'specialist-unverified'
}

/**
 * For the transaction of an act. Throws Refusal `specialist-unverified` or
 * `specialist-verification-expired`.
 */
export async function requireVerifiedSpecialist(
  tx: Queries,
  specialistAccountId: string,
  now: number
): Promise<void> {
  const problem = await verificationProblem(tx, specialistAccountId, now, true)
  if (problem !== undefined) throw new Refusal(problem)
}

/** Until when the specialist of this account is verified, in milliseconds UTC, if they are. */
export async function verifiedUntil(
  queries: Queries,
  specialistAccountId: string
): Promise<number | undefined> {
  const [row] = await findVerification(queries, { accountId: specialistAccountId })
  return row?.verifiedUntil ?? undefined
}
