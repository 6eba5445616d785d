import { actedBy } from '../audit/acted-by.ts'
import type { Queries } from '../database/database.ts'
import { Refusal } from '../errors.ts'
import type { Exchange } from '../exchange.ts'
import { describeAccount } from '../identity/accounts.ts'
import type { Caller } from '../identity/principal.ts'
import { holdCaller } from './hold-caller.ts'
import { issuersOf } from './identity-queries.ts'
import { openPasskeyName, readPasskeyName, sealPasskeyName } from './passkey-names.ts'
import { countRecoveryCodes, deletePasskey, passkeysOf, setPasskeyName } from './passkey-queries.ts'
import { bindPasskey, registrationOptions, verifyRegistration } from './passkeys.ts'
import { makeRecoveryCodes } from './recovery-codes.ts'
import { endSessionsOf, listSessions, type SessionView, type SignedIn } from './session.ts'

/** More than anybody has devices. */
const PASSKEYS_MAX = 20

/** A passkey as its owner sees it. */
export interface PasskeyView {
  id: string
  name: string
  createdAt: number
  usedAt: number | null
}

/** How somebody gets in here. */
export interface WaysIn {
  passkeys: PasskeyView[]
  recoveryCodesLeft: number
  sessions: SessionView[]
  /** On the buttons of the issuers at which they have an identity. */
  issuers: string[]
}

/** The caller's own passkeys, recovery codes left, and sessions. */
export async function describeWaysIn(exchange: Exchange, caller: Caller): Promise<WaysIn> {
  const { database, serviceKeys, audit, signInIssuers } = exchange
  const { accountId } = caller
  const elsewhere = await issuersOf(database.read, accountId)
  const rows = await passkeysOf(database.read, accountId)
  const ways = {
    passkeys: rows.map(row => ({
      id: row.id,
      name: openPasskeyName(serviceKeys, row),
      createdAt: row.createdAt,
      usedAt: row.usedAt
    })),
    recoveryCodesLeft: await countRecoveryCodes(database.read, accountId),
    sessions: await listSessions(exchange, accountId),
    issuers: elsewhere.flatMap(issuer => signInIssuers.of(issuer)?.label ?? [])
  }
  await audit.add({ action: 'passkey.list', outcome: 'success', ...actedBy(caller) })
  return ways
}

/** Asks for one more passkey, on a device that has none of the caller's yet. */
export async function addOptions(exchange: Exchange, { accountId }: Caller) {
  const known = await passkeysOf(exchange.database.read, accountId)
  if (known.length >= PASSKEYS_MAX) throw new Refusal('too-many-passkeys')
  const { name } = await describeAccount(exchange, accountId)
  return registrationOptions(exchange, 'add', { accountId, name }, { accountId, known })
}

/** Adds one more passkey to the caller's account. */
export async function addPasskey(
  exchange: Exchange,
  caller: Caller,
  answer: string,
  typed: string
): Promise<void> {
  const { accountId, organisationId, trace } = caller
  const name = requireName(typed)
  const { passkey } = await verifyRegistration(exchange, 'add', answer, accountId)
  await exchange.database.write(async tx => {
    await holdCaller(tx, caller)
    const known = await passkeysOf(tx, accountId)
    if (known.length >= PASSKEYS_MAX) throw new Refusal('too-many-passkeys')
    await bindPasskey(tx, exchange, { id: accountId, organisationId }, passkey, { name, trace })
  })
}

export async function renamePasskey(
  exchange: Exchange,
  caller: Caller,
  id: string,
  typed: string
): Promise<void> {
  const { accountId } = caller
  const nameSealed = sealPasskeyName(exchange.serviceKeys, id, requireName(typed))
  await exchange.database.write(async tx => {
    const renamed = await setPasskeyName(tx, { id, accountId, nameSealed })
    if (!renamed) throw new Refusal('passkey-not-found')
    await exchange.audit.append(tx, {
      action: 'passkey.rename',
      outcome: 'success',
      ...actedBy(caller)
    })
  })
}

/**
 * Removes a passkey of the caller with the sessions it began, but never the last way in: of two removed
 * at once the second is judged after the first. Throws Refusal `passkey-not-found` or `passkey-last`.
 */
export async function removePasskey(
  exchange: Exchange,
  caller: Caller,
  id: string
): Promise<{ sessionsEnded: number }> {
  const { accountId } = caller
  return exchange.database.write(async tx => {
    await holdCaller(tx, caller)
    await requireOtherWayIn(tx, accountId, id)
    if (!(await deletePasskey(tx, { id, accountId }))) throw new Refusal('passkey-not-found')
    const sessionsEnded = await endSessionsOf(tx, accountId, { passkeyId: id })
    await exchange.audit.append(tx, {
      action: 'passkey.remove',
      outcome: 'success',
      ...actedBy(caller, { sessionsEnded })
    })
    return { sessionsEnded }
  })
}

/** Makes new recovery codes for the caller; those from before are dead. Told this once. */
export async function renewRecoveryCodes(exchange: Exchange, caller: Caller): Promise<string[]> {
  return exchange.database.write(async tx => {
    await holdCaller(tx, caller)
    const codes = await makeRecoveryCodes(tx, exchange, caller.accountId)
    await exchange.audit.append(tx, {
      action: 'recovery.make',
      outcome: 'success',
      ...actedBy(caller, { codes: codes.length })
    })
    return codes
  })
}

/** Whether a session is the one the caller is looking from. */
export const isOwn = ({ sessionId }: SignedIn, { id }: SessionView): boolean => sessionId === id

async function requireOtherWayIn(tx: Queries, accountId: string, id: string): Promise<void> {
  const known = await passkeysOf(tx, accountId)
  if (known.some(row => row.id !== id)) return
  if ((await countRecoveryCodes(tx, accountId)) > 0) return
  if ((await issuersOf(tx, accountId)).length === 0) throw new Refusal('passkey-last')
}

function requireName(typed: string): string {
  const name = readPasskeyName(typed)
  if (name !== undefined) return name
  const problems = ['Give the passkey a name of 1 to 60 characters, such as Work laptop.']
  throw new Refusal('request-invalid', undefined, { problems })
}
