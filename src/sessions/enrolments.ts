import { v7 as uuidv7 } from 'uuid'
import type { Queries } from '../database/database.ts'
import { Refusal } from '../errors.ts'
import type { Exchange } from '../exchange.ts'
import {
  codeRef,
  ENROLMENT_HOURS,
  isSameCode,
  newCode,
  TRIES_MAX
} from '../register/enrolment-code.ts'
import {
  countTry,
  type EnrolmentRow,
  putEnrolment,
  spendCode,
  voidCode
} from './enrolment-queries.ts'
import { holdAccount } from './passkey-queries.ts'

type Parts = Pick<Exchange, 'database' | 'clock' | 'serviceKeys'>

const HOUR_MILLISECONDS = 3_600_000

/** A link's id and its code, which travel by different ways. */
export interface NewEnrolment {
  id: string
  /** Told this once: what is stored is a keyed hash. */
  code: string
  expiresAt: number
}

/**
 * Makes the code for somebody's first passkey, inside the caller's transaction. Whatever code they had
 * before is dead.
 */
export async function newEnrolment(
  tx: Queries,
  { clock, serviceKeys }: Omit<Parts, 'database'>,
  whose: { id?: string; accountId?: string; createdBy?: string }
): Promise<NewEnrolment> {
  const createdAt = clock()
  const { id = uuidv7({ msecs: createdAt }), accountId = null, createdBy = null } = whose
  const code = newCode()
  const expiresAt = createdAt + ENROLMENT_HOURS * HOUR_MILLISECONDS
  await putEnrolment(tx, {
    id,
    accountId,
    codeRef: codeRef(serviceKeys.lookup, id, code),
    tries: 0,
    createdBy,
    createdAt,
    expiresAt,
    usedAt: null
  })
  return { id, code, expiresAt }
}

/**
 * Tries a code. The try is counted before the code is looked at, and stays counted whether it is right
 * or wrong. Throws Refusal `enrolment-code-refused`, which does not tell whether there is such a link.
 */
export async function tryCode(exchange: Parts, id: string, code: string): Promise<EnrolmentRow> {
  const { database, clock, serviceKeys } = exchange
  const given = codeRef(serviceKeys.lookup, id, code)
  const tried = await database.write(async tx => {
    const row = await countTry(tx, { id, now: clock(), triesMax: TRIES_MAX })
    if (row === undefined || isSameCode(row.codeRef, given)) return { row }
    // Not thrown in here: the transaction would take the count back.
    if (row.tries >= TRIES_MAX) await voidCode(tx, id)
    const account = row.accountId === null ? undefined : await holdAccount(tx, row.accountId)
    return { organisationId: account?.organisationId }
  })
  if (tried.row !== undefined) return tried.row
  const { organisationId } = tried
  const about = organisationId === undefined ? {} : { organisationId }
  throw new Refusal('enrolment-code-refused', undefined, { about })
}

/**
 * Uses a code up that `tryCode` found right, inside the caller's transaction. Throws Refusal
 * `enrolment-code-refused` when another was quicker, or it ran out meanwhile.
 */
export async function useCode(
  tx: Queries,
  { clock }: Pick<Exchange, 'clock'>,
  row: Pick<EnrolmentRow, 'id' | 'createdAt'>
): Promise<void> {
  const { id, createdAt } = row
  if (!(await spendCode(tx, { id, createdAt, now: clock() }))) {
    throw new Refusal('enrolment-code-refused', 'used meanwhile')
  }
}
