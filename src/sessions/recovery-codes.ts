import type { KeyObject } from 'node:crypto'
import type { Queries } from '../database/database.ts'
import type { Exchange } from '../exchange.ts'
import { codeRef, newCode } from '../register/enrolment-code.ts'
import { deleteRecoveryCodes, insertRecoveryCodes } from './passkey-queries.ts'

/** Made at once, each good once. */
export const RECOVERY_CODES = 10

/**
 * Makes fresh recovery codes, inside the caller's transaction; those from before are dead. They are told
 * this once. Each has 100 bits: nobody is named with it, so tries cannot be counted against anybody.
 */
export async function makeRecoveryCodes(
  tx: Queries,
  { clock, serviceKeys }: Pick<Exchange, 'clock' | 'serviceKeys'>,
  accountId: string
): Promise<string[]> {
  const codes = Array.from({ length: RECOVERY_CODES }, () => `${newCode()}-${newCode()}`)
  const createdAt = clock()
  await deleteRecoveryCodes(tx, accountId)
  await insertRecoveryCodes(
    tx,
    codes.map(code => ({ codeRef: recoveryRef(serviceKeys.lookup, code), accountId, createdAt }))
  )
  return codes
}

export const recoveryRef = (lookup: KeyObject, code: string): Buffer =>
  codeRef(lookup, 'recovery', code)
