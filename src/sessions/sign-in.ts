import { actedBy } from '../audit/acted-by.ts'
import type { Queries } from '../database/database.ts'
import { Refusal } from '../errors.ts'
import type { Exchange } from '../exchange.ts'
import { toRole } from '../identity/accounts.ts'
import { type Caller, EMBEDDED, type Role, type Trace } from '../identity/principal.ts'
import { countSignature, holdAccount, type PasskeyRow, passkeysOf } from './passkey-queries.ts'
import { authenticationOptions, verifyAuthentication } from './passkeys.ts'
import { beginSession, proveAgain, type SignedIn } from './session.ts'

/** What a browser asks its authenticators for, when somebody wants to sign in. */
export function signInOptions(exchange: Exchange) {
  return authenticationOptions(exchange, 'sign-in')
}

/**
 * Signs in whoever holds a passkey, and resolves to the cookie of their session. Throws Refusal as
 * `verifyAuthentication` does, or `passkey-copied`, or `account-disabled`.
 */
export async function signIn(
  exchange: Exchange,
  trace: Trace,
  answer: string
): Promise<{ cookie: string; role: Role }> {
  exchange.logGuard.requireLog()
  const { passkey, counter } = await verifyAuthentication(exchange, 'sign-in', answer)
  return exchange.database.write(async tx => {
    const account = await accountThatSigned(tx, exchange, passkey, counter)
    const cookie = await beginSession(tx, exchange, trace, {
      accountId: account.id,
      organisationId: account.organisationId,
      issuer: EMBEDDED,
      subject: account.id,
      assurance: 'passkey',
      passkeyId: passkey.id
    })
    return { cookie, role: toRole(account.role) }
  })
}

/** The same for somebody who is signed in: one of their own passkeys is asked for. */
export async function proofOptions(exchange: Exchange, { accountId }: Caller) {
  const known = await passkeysOf(exchange.database.read, accountId)
  return authenticationOptions(exchange, 'prove', { accountId, known })
}

/** Whether the caller has a passkey to be asked for. */
export async function hasPasskeys(exchange: Exchange, { accountId }: Caller): Promise<boolean> {
  return (await passkeysOf(exchange.database.read, accountId)).length > 0
}

/**
 * Notes that the holder of a session proved again who they are, with a passkey of their own, and resolves
 * to the cookie under which the session goes on.
 */
export async function proveHolder(
  exchange: Exchange,
  caller: Caller,
  { sessionId }: SignedIn,
  answer: string
): Promise<string> {
  const { accountId } = caller
  const { passkey, counter } = await verifyAuthentication(exchange, 'prove', answer, accountId)
  return exchange.database.write(async tx => {
    await accountThatSigned(tx, exchange, passkey, counter)
    const cookie = await proveAgain(tx, exchange, { accountId, sessionId })
    await exchange.audit.append(tx, {
      action: 'session.prove',
      outcome: 'success',
      ...actedBy(caller)
    })
    return cookie
  })
}

/** Judges the count of signatures and the account together with what the signature is for. */
async function accountThatSigned(
  tx: Queries,
  { clock }: Pick<Exchange, 'clock'>,
  { id, accountId }: PasskeyRow,
  counter: number
) {
  const account = await holdAccount(tx, accountId)
  if (account === undefined) throw new Error('A passkey names an account that is not there.')
  const { organisationId } = account
  const about = { actorId: accountId, actorOrganisationId: organisationId, organisationId }
  if (account.disabledAt !== null) throw new Refusal('account-disabled', undefined, { about })
  if (!(await countSignature(tx, { id, accountId, counter, now: clock() }))) {
    throw new Refusal('passkey-copied', undefined, { about })
  }
  return account
}
