import { actedBy } from '../audit/acted-by.ts'
import type { Queries } from '../database/database.ts'
import { Refusal } from '../errors.ts'
import type { Exchange } from '../exchange.ts'
import { toRole } from '../identity/accounts.ts'
import type { Role, Trace } from '../identity/principal.ts'
import type { ShownPerson } from '../identity/sign-in-issuers.ts'
import type { EndedErrand } from './errand.ts'
import { accountOfIdentity } from './identity-queries.ts'
import { holdAccount } from './passkey-queries.ts'
import { beginSession, callerOfSession, proveAgain } from './session.ts'

/**
 * Signs in whom an issuer of others has signed in, if their identity there is bound to an account here.
 * No address, name or anything else that an issuer says of them is looked at. Throws Refusal
 * `account-unknown` or `account-disabled`, or as `EndedErrand.person` does.
 */
export async function signInThrough(
  exchange: Exchange,
  trace: Trace,
  errand: EndedErrand
): Promise<{ cookie: string; role: Role }> {
  exchange.logGuard.requireLog()
  const person = await errand.person()
  return exchange.database.write(async tx => {
    const found = await accountOfIdentity(tx, person)
    const account = found === undefined ? undefined : await holdAccount(tx, found)
    // Asked again: it may have been taken from the account while that was held by somebody else.
    if (account === undefined || (await accountOfIdentity(tx, person)) !== account.id) {
      throw new Refusal('account-unknown', 'identity is not bound')
    }
    const { id: accountId, organisationId, disabledAt } = account
    if (disabledAt !== null) {
      const about = { actorId: accountId, actorOrganisationId: organisationId, organisationId }
      throw new Refusal('account-disabled', undefined, { about })
    }
    const cookie = await beginSessionThrough(tx, exchange, trace, account, person)
    return { cookie, role: toRole(account.role) }
  })
}

/**
 * Notes that the holder of a session proved again who they are, at the issuer that they were sent to, and
 * resolves to the cookie under which the session goes on.
 * Throws Refusal `ceremony-ended` when the session is not there any more or is another, and
 * `identity-other` when it was somebody else who signed in.
 */
export async function proveThrough(
  exchange: Exchange,
  trace: Trace,
  errand: EndedErrand,
  cookie: string | undefined
): Promise<{ cookie: string; role: Role }> {
  exchange.logGuard.requireLog()
  const { principal, sessionId } = await holderOf(exchange, cookie, errand)
  const { accountId, organisationId } = principal
  const person = await errand.person()
  const renewed = await exchange.database.write(async tx => {
    if ((await accountOfIdentity(tx, person)) !== accountId) {
      const about = { actorId: accountId, actorOrganisationId: organisationId, organisationId }
      throw new Refusal('identity-other', undefined, { about })
    }
    const renewed = await proveAgain(tx, exchange, { accountId, sessionId })
    await exchange.audit.append(tx, {
      action: 'session.prove',
      outcome: 'success',
      ...actedBy({ ...principal, trace })
    })
    return renewed
  })
  return { cookie: renewed, role: principal.role }
}

async function holderOf(exchange: Exchange, cookie: string | undefined, { about }: EndedErrand) {
  const signedIn = await callerOfSession(exchange, cookie ?? '').catch(err => {
    const isOver = err instanceof Refusal && err.code === 'session-ended'
    throw isOver ? new Refusal('ceremony-ended', 'session is over') : err
  })
  if (about?.['session'] === signedIn.sessionId) return signedIn
  throw new Refusal('ceremony-ended', 'begun in another session')
}

/** A session of somebody whom an issuer of others has signed in, inside the caller's transaction. */
export function beginSessionThrough(
  tx: Queries,
  exchange: Exchange,
  trace: Trace,
  { id: accountId, organisationId }: { id: string; organisationId: string },
  person: ShownPerson
): Promise<string> {
  const proven = { accountId, organisationId, ...person, assurance: 'external' } as const
  return beginSession(tx, exchange, trace, proven)
}
