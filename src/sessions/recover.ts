import { Refusal } from '../errors.ts'
import type { Exchange } from '../exchange.ts'
import { describeAccount } from '../identity/accounts.ts'
import { EMBEDDED, type Role, type Trace } from '../identity/principal.ts'
import { browserName } from './passkey-names.ts'
import { holdAccount, recoveryCodeOwner, spendRecoveryCode } from './passkey-queries.ts'
import { bindPasskey, registrationOptions, verifyRegistration } from './passkeys.ts'
import { recoveryRef } from './recovery-codes.ts'
import { beginSession, endSessionsOf } from './session.ts'

/**
 * Asks somebody for a new passkey who has lost the others and kept a recovery code. The code is used up
 * with the passkey and not before. Throws Refusal `recovery-code-refused` or `account-disabled`.
 */
export async function beginRecovery(exchange: Exchange, code: string) {
  const ref = recoveryRef(exchange.serviceKeys.lookup, code)
  const accountId = await recoveryCodeOwner(exchange.database.read, ref)
  if (accountId === undefined) throw new Refusal('recovery-code-refused')
  const { name } = await describeAccount(exchange, accountId)
  const details = { ref: ref.toString('base64url') }
  const ceremony = { accountId, details }
  const options = await registrationOptions(exchange, 'recover', { accountId, name }, ceremony)
  return { options, name }
}

/**
 * Uses a recovery code up and lets its owner in with their new passkey. Every session of theirs ends:
 * whoever found their device may have been signed in on it. Of several with one code one gets in.
 */
export async function finishRecovery(
  exchange: Exchange,
  trace: Trace,
  answer: string
): Promise<{ cookie: string; role: Role }> {
  exchange.logGuard.requireLog()
  const { passkey, ceremony } = await verifyRegistration(exchange, 'recover', answer)
  const { accountId = '' } = ceremony
  const { ref } = ceremony.details as { ref: string }
  const { role } = await describeAccount(exchange, accountId)
  const cookie = await exchange.database.write(async tx => {
    const account = await holdAccount(tx, accountId)
    if (account === undefined || account.disabledAt !== null) throw new Refusal('account-disabled')
    const codeRef = Buffer.from(ref, 'base64url')
    if (!(await spendRecoveryCode(tx, { codeRef, accountId, now: exchange.clock() }))) {
      throw new Refusal('recovery-code-refused', 'used meanwhile')
    }
    const sessionsEnded = await endSessionsOf(tx, accountId)
    const { organisationId } = account
    const { address, ...request } = trace
    await exchange.audit.append(tx, {
      action: 'recovery.use',
      outcome: 'success',
      organisationId,
      actorId: accountId,
      actorOrganisationId: organisationId,
      details: { address, ...request, sessionsEnded }
    })
    const name = browserName(trace.userAgent)
    await bindPasskey(tx, exchange, account, passkey, { name, trace })
    return beginSession(tx, exchange, trace, {
      accountId,
      organisationId,
      issuer: EMBEDDED,
      subject: accountId,
      assurance: 'passkey',
      passkeyId: passkey.id
    })
  })
  return { cookie, role }
}
