import type { ShareCreate } from '../../schemas/share.ts'
import { type CaseRow, caseOf, openCaseKey } from '../cases/case.ts'
import { requireShareable, type Shareable } from '../cases/sharing.ts'
import { type Grounds, groundsOf } from '../consents/grounds.ts'
import { Refusal } from '../errors.ts'
import type { Exchange } from '../exchange.ts'
import { findSpecialist } from '../identity/accounts.ts'
import type { Caller } from '../identity/principal.ts'
import { verificationProblem } from '../register/verified.ts'
import { lifeOf, requireFitRecords } from './create.ts'

/** A share that could be made at this moment, and what it would rest on. */
export interface Considered {
  found: CaseRow
  grounds: Grounds
  shareable: Shareable
  /** When it would begin and end, in milliseconds UTC, and what would end it before its own time. */
  life: ReturnType<typeof lifeOf>
}

/**
 * Asks everything that `createShare` asks before it copies or stores anything, so that somebody can
 * look at a share before they make it. It promises nothing: all of it is asked again when it is made.
 * Throws the Refusals of `createShare`.
 */
export async function considerShare(
  exchange: Exchange,
  caller: Caller,
  caseId: string,
  wanted: ShareCreate
): Promise<Considered> {
  const { database, keyring, clock } = exchange
  const { read } = database
  const now = clock()
  const found = await caseOf(read, caller, caseId)
  const specialist = await findSpecialist(read, wanted.specialist)
  if (specialist === undefined) throw new Refusal('specialist-not-found')
  const problem = await verificationProblem(read, specialist.id, now)
  if (problem !== undefined) throw new Refusal(problem)
  const records = await requireFitRecords(exchange, found, wanted.records)
  const key = await openCaseKey(keyring, found)
  const sought = { specialist, records, safeguard: wanted.safeguard }
  const grounds = await groundsOf(exchange, found, key, sought, now)
  const shareable = await requireShareable(exchange, found, key, wanted.overrideReason)
  return { found, grounds, shareable, life: lifeOf(exchange, wanted, now, grounds) }
}
