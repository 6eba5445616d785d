import { v7 as uuidv7 } from 'uuid'
import type { Queries } from '../database/database.ts'
import { Refusal } from '../errors.ts'
import type { Exchange } from '../exchange.ts'
import {
  codeRef,
  ENROLMENT_HOURS,
  isSameCode,
  newCode,
  newLongCode,
  TRIES_MAX
} from '../register/enrolment-code.ts'
import {
  countTry,
  type EnrolmentRow,
  openCode,
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
  { accountId, createdBy }: { accountId: string; createdBy: string }
): Promise<NewEnrolment> {
  const id = uuidv7({ msecs: clock() })
  return putCode(tx, { clock, serviceKeys }, { id, accountId, createdBy, code: newCode() })
}

/** The one row of its kind: a code of a later start takes the place of the one before. */
const FIRST = 'first'

/** The same for the first administrator, who has no account yet. */
export function newFirstEnrolment(
  tx: Queries,
  parts: Omit<Parts, 'database'>
): Promise<NewEnrolment> {
  const nobody = { accountId: null, createdBy: null }
  return putCode(tx, parts, { id: FIRST, ...nobody, code: newLongCode() })
}

async function putCode(
  tx: Queries,
  { clock, serviceKeys }: Omit<Parts, 'database'>,
  whose: { id: string; accountId: string | null; createdBy: string | null; code: string }
): Promise<NewEnrolment> {
  const { id, code, ...rest } = whose
  const createdAt = clock()
  const expiresAt = createdAt + ENROLMENT_HOURS * HOUR_MILLISECONDS
  await putEnrolment(tx, {
    id,
    ...rest,
    codeRef: codeRef(serviceKeys.lookup, id, code),
    tries: 0,
    createdAt,
    expiresAt,
    usedAt: null,
    withdrawnAt: null
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
 * Tries the code of the first administrator. Nothing is counted against it: it is too long to be guessed,
 * and strangers who could use tries up would lock the operator out. Throws as `tryCode` does.
 */
export async function tryFirstCode(exchange: Parts, code: string): Promise<EnrolmentRow> {
  const { database, clock, serviceKeys } = exchange
  const row = await openCode(database.read, { id: FIRST, now: clock() })
  const given = codeRef(serviceKeys.lookup, FIRST, code)
  if (row === undefined || !isSameCode(row.codeRef, given)) {
    throw new Refusal('enrolment-code-refused')
  }
  return row
}

/** Uses the code of the first administrator up, as `useCode` does. */
export const useFirstCode = (
  tx: Queries,
  parts: Pick<Exchange, 'clock'>,
  { createdAt }: Pick<EnrolmentRow, 'createdAt'>
): Promise<void> => useCode(tx, parts, { id: FIRST, createdAt })

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
