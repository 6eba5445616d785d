import type { Queries } from '../database/database.ts'
import { Refusal } from '../errors.ts'
import type { Exchange } from '../exchange.ts'
import { describeAccount } from '../identity/accounts.ts'
import { bindIdentity } from '../identity/bind-identity.ts'
import type { Role, Trace } from '../identity/principal.ts'
import { type Arrived, arrive } from './arrive.ts'
import { tryCode, useCode } from './enrolments.ts'
import type { EndedErrand, Errand } from './errand.ts'
import { deleteOtherIdentities } from './identity-queries.ts'
import { deletePasskey, deleteRecoveryCodes, holdAccount, passkeysOf } from './passkey-queries.ts'
import { registrationOptions, verifyRegistration } from './passkeys.ts'
import { endSessionsOf } from './session.ts'
import { beginSessionThrough } from './through-issuer.ts'

/** A code that was right, of an account that is there. */
interface RightCode {
  accountId: string
  enrolment: string
  createdAt: number
}

/**
 * Tries the code of somebody whom an administrator added, and asks for a passkey, or sends them to an
 * issuer of others with `errand`. Throws as `tryCode` does, or Refusal `account-disabled`.
 */
export async function beginEnrolment(exchange: Exchange, id: string, code: string) {
  const { accountId, createdAt } = await tryCode(exchange, id, code)
  if (accountId === null) throw new Refusal('enrolment-code-refused', 'not for an account')
  const { name, role, organisation } = await describeAccount(exchange, accountId)
  const details = { enrolment: id, createdAt }
  const ceremony = { accountId, details }
  const options = await registrationOptions(exchange, 'enrol', { accountId, name }, ceremony)
  const errand: Errand = { kind: 'enrol', accountId, about: details }
  return { options, name, role, organisation: organisation.name, errand }
}

/** Gives somebody the first passkey of their account, with recovery codes. Throws as `enrol` does. */
export async function finishEnrolment(
  exchange: Exchange,
  trace: Trace,
  answer: string
): Promise<Arrived & { role: Role }> {
  exchange.logGuard.requireLog()
  const { passkey, ceremony } = await verifyRegistration(exchange, 'enrol', answer)
  const { accountId = '', details } = ceremony
  return enrol(exchange, trace, rightCode(accountId, details), (tx, account) =>
    arrive(tx, exchange, account, passkey, trace)
  )
}

/**
 * Binds the identity that somebody has at an issuer of others to their account. They get no recovery
 * codes: who has lost their way in there gets it back there. Throws as `enrol` does, or Refusal
 * `identity-taken`, and then the code is still good.
 */
export async function finishEnrolmentThrough(
  exchange: Exchange,
  trace: Trace,
  errand: EndedErrand
): Promise<{ cookie: string; role: Role }> {
  exchange.logGuard.requireLog()
  const { accountId = '', about } = errand
  const person = await errand.person()
  return enrol(exchange, trace, rightCode(accountId, about), async (tx, account) => {
    await bindIdentity(tx, exchange, account, person)
    return { cookie: await beginSessionThrough(tx, exchange, trace, account, person) }
  })
}

/**
 * Uses a code up, and `bind` makes the way in. Whoever got a new code had lost all they had: passkeys,
 * recovery codes, identities elsewhere and sessions from before go. Of several with the same code one gets in. Throws
 * Refusal `account-disabled`, or as `useCode` does.
 */
async function enrol<T extends object>(
  exchange: Exchange,
  trace: Trace,
  { accountId, enrolment: id, createdAt }: RightCode,
  bind: (tx: Queries, account: { id: string; organisationId: string }) => Promise<T>
): Promise<T & { role: Role }> {
  const { role } = await describeAccount(exchange, accountId)
  const bound = await exchange.database.write(async tx => {
    const account = await holdAccount(tx, accountId)
    if (account === undefined || account.disabledAt !== null) {
      throw new Refusal('account-disabled')
    }
    await useCode(tx, exchange, { id, createdAt })
    const { organisationId } = account
    const before = await passkeysOf(tx, accountId)
    for (const { id } of before) await deletePasskey(tx, { id, accountId })
    // Kept beside the device, they are lost with it; and an issuer of others brings no new ones.
    await deleteRecoveryCodes(tx, accountId)
    const replacedIdentities = await deleteOtherIdentities(tx, accountId)
    await endSessionsOf(tx, accountId)
    const { address, ...request } = trace
    const replaced = { replacedPasskeys: before.length, replacedIdentities }
    await exchange.audit.append(tx, {
      action: 'enrolment.use',
      outcome: 'success',
      organisationId,
      actorId: accountId,
      actorOrganisationId: organisationId,
      details: { address, ...request, account: accountId, ...replaced }
    })
    return bind(tx, account)
  })
  return { ...bound, role }
}

function rightCode(accountId: string, details: Record<string, unknown> | undefined): RightCode {
  const { enrolment, createdAt } = details as { enrolment: string; createdAt: number }
  return { accountId, enrolment, createdAt }
}
