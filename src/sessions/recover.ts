import type { Queries } from '../database/database.ts'
import { Refusal } from '../errors.ts'
import type { Exchange } from '../exchange.ts'
import { describeAccount } from '../identity/accounts.ts'
import { EMBEDDED, type Role, type Trace } from '../identity/principal.ts'
import { browserName, openPasskeyName } from './passkey-names.ts'
import {
  administratorsOf,
  deletePasskey,
  holdAccount,
  passkeysOf,
  recoveryCodeOwner,
  spendRecoveryCode
} from './passkey-queries.ts'
import { bindPasskey, registrationOptions, verifyRegistration } from './passkeys.ts'
import { recoveryRef } from './recovery-codes.ts'
import { beginSession, endSessionsOf } from './session.ts'

/** Administrators who are told that somebody used a recovery code: enough for one to be there. */
const TOLD_MAX = 50

/**
 * Asks somebody for a new passkey who has lost the others and kept a recovery code, and resolves to the
 * passkeys they may keep beside it too. The code is used up with the passkey and not before. Throws
 * Refusal `recovery-code-refused` or `account-disabled`.
 */
export async function beginRecovery(exchange: Exchange, code: string) {
  const ref = recoveryRef(exchange.serviceKeys.lookup, code)
  const accountId = await recoveryCodeOwner(exchange.database.read, ref)
  if (accountId === undefined) throw new Refusal('recovery-code-refused')
  const { name } = await describeAccount(exchange, accountId)
  const details = { ref: ref.toString('base64url') }
  const ceremony = { accountId, details }
  const options = await registrationOptions(exchange, 'recover', { accountId, name }, ceremony)
  const known = await passkeysOf(exchange.database.read, accountId)
  const passkeys = known.map(row => ({
    id: row.id,
    name: openPasskeyName(exchange.serviceKeys, row),
    usedAt: row.usedAt ?? row.createdAt
  }))
  return { options, name, passkeys }
}

/**
 * Uses a recovery code up and lets its owner in with their new passkey. Whoever found or took their device
 * may be signed in on it, or unlock it: every session ends, and every other passkey goes but those that
 * are named in `keep`. The owner is told, and the administrators of their organisation. Of several with
 * one code one gets in.
 */
export async function finishRecovery(
  exchange: Exchange,
  trace: Trace,
  answer: string,
  keep: string[] = []
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
    const others = await passkeysOf(tx, accountId)
    const lost = others.filter(({ id }) => !keep.includes(id))
    for (const { id } of lost) await deletePasskey(tx, { id, accountId })
    const { organisationId } = account
    const { address, ...request } = trace
    await exchange.audit.append(tx, {
      action: 'recovery.use',
      outcome: 'success',
      organisationId,
      actorId: accountId,
      actorOrganisationId: organisationId,
      details: {
        address,
        ...request,
        sessionsEnded,
        passkeysRemoved: lost.length,
        passkeysKept: others.length - lost.length
      }
    })
    await tellOfRecovery(tx, exchange, account)
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

/** In the caller's transaction, and by mail: a thief of the device cannot keep it from being sent. */
async function tellOfRecovery(
  tx: Queries,
  { notices, clock }: Pick<Exchange, 'notices' | 'clock'>,
  { id: accountId, organisationId }: { id: string; organisationId: string }
): Promise<void> {
  const about = { organisationId }
  const event = `${accountId}:${clock()}`
  const once = `account-recovered:${event}`
  await notices.enqueue(tx, { kind: 'account-recovered', to: { accountId }, about, once })
  for (const id of await administratorsOf(tx, organisationId, TOLD_MAX)) {
    if (id === accountId) continue
    await notices.enqueue(tx, {
      kind: 'colleague-recovered',
      to: { accountId: id },
      about,
      once: `colleague-recovered:${event}`
    })
  }
}
