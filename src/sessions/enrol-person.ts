import { Refusal } from '../errors.ts'
import type { Exchange } from '../exchange.ts'
import { describeAccount } from '../identity/accounts.ts'
import type { Role, Trace } from '../identity/principal.ts'
import { type Arrived, arrive } from './arrive.ts'
import { tryCode, useCode } from './enrolments.ts'
import { deletePasskey, holdAccount, passkeysOf } from './passkey-queries.ts'
import { registrationOptions, verifyRegistration } from './passkeys.ts'
import { endSessionsOf } from './session.ts'

/**
 * Tries the code of somebody whom an administrator added, and asks for a passkey. Throws as `tryCode`
 * does, or Refusal `account-disabled`.
 */
export async function beginEnrolment(exchange: Exchange, id: string, code: string) {
  const { accountId, createdAt } = await tryCode(exchange, id, code)
  if (accountId === null) throw new Refusal('enrolment-code-refused', 'not for an account')
  const { name, role, organisation } = await describeAccount(exchange, accountId)
  const details = { enrolment: id, createdAt }
  const ceremony = { accountId, details }
  const options = await registrationOptions(exchange, 'enrol', { accountId, name }, ceremony)
  return { options, name, role, organisation: organisation.name }
}

/**
 * Gives somebody the first passkey of their account. Whoever got a new code had lost all they had: the
 * passkeys and sessions from before go. Of several with the same code one gets in.
 */
export async function finishEnrolment(
  exchange: Exchange,
  trace: Trace,
  answer: string
): Promise<Arrived & { role: Role }> {
  exchange.logGuard.requireLog()
  const { passkey, ceremony } = await verifyRegistration(exchange, 'enrol', answer)
  const { accountId = '' } = ceremony
  const { enrolment: id, createdAt } = ceremony.details as { enrolment: string; createdAt: number }
  const { role } = await describeAccount(exchange, accountId)
  const arrived = await exchange.database.write(async tx => {
    const account = await holdAccount(tx, accountId)
    if (account === undefined || account.disabledAt !== null) {
      throw new Refusal('account-disabled')
    }
    await useCode(tx, exchange, { id, createdAt })
    const { organisationId } = account
    const before = await passkeysOf(tx, accountId)
    for (const { id } of before) await deletePasskey(tx, { id, accountId })
    await endSessionsOf(tx, accountId)
    const { address, ...request } = trace
    await exchange.audit.append(tx, {
      action: 'enrolment.use',
      outcome: 'success',
      organisationId,
      actorId: accountId,
      actorOrganisationId: organisationId,
      details: { address, ...request, account: accountId, replacedPasskeys: before.length }
    })
    return arrive(tx, exchange, account, passkey, trace)
  })
  return { ...arrived, role }
}
