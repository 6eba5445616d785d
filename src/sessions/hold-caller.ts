import type { Queries } from '../database/database.ts'
import { Refusal } from '../errors.ts'
import type { Principal } from '../identity/principal.ts'
import { holdAccount } from './passkey-queries.ts'
import { sessionBegunAt } from './queries.ts'

/**
 * Holds the account of a caller, inside the transaction of what they do to ways in, and asks again whether
 * they may: whoever takes an account back from a thief ends their sessions, and what the thief had begun
 * by then must not give them another way in. Throws Refusal `account-disabled` or `session-ended`.
 */
export async function holdCaller(
  tx: Queries,
  { accountId, sessionBegunAt: createdAt }: Principal
): Promise<{ role: string }> {
  const account = await holdAccount(tx, accountId)
  if (account === undefined || account.disabledAt !== null) throw new Refusal('account-disabled')
  if (
    createdAt !== undefined &&
    (await sessionBegunAt(tx, { accountId, createdAt })).length === 0
  ) {
    throw new Refusal('session-ended', 'ended meanwhile')
  }
  return account
}
