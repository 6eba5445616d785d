import { calculateJwkThumbprint, exportJWK, generateKeyPair } from 'jose'
import { v7 as uuidv7 } from 'uuid'
import { and, eq, isNotNull, isNull } from '../../schemas/drizzle.ts'
import { actedBy } from '../audit/acted-by.ts'
import type { Queries } from '../database/database.ts'
import { Refusal } from '../errors.ts'
import type { Exchange } from '../exchange.ts'
import { withdrawCode } from '../sessions/enrolment-queries.ts'
import { endSessionsOf } from '../sessions/session.ts'
import {
  type AccountInput,
  checkAccount,
  checkOrganisation,
  type OrganisationInput
} from './enrolment-rules.ts'
import {
  type AddedBy,
  findOrganisation,
  insertAccount,
  insertOrganisation,
  invalid,
  valueOrRefusal
} from './insert-account.ts'
import { requireOperator } from './operator.ts'
import { type Caller, EMBEDDED } from './principal.ts'

type Parts = Pick<Exchange, 'database' | 'audit' | 'clock' | 'serviceKeys'>

/** Enrolment is done at the machine itself, by whoever may run scripts on it. */
const OPERATOR = { by: 'operator console' }

/** Throws, in the transaction of an act, unless whoever acts may. At the machine itself everybody may. */
type Allowed = (tx: Queries) => Promise<unknown>
const anybody: Allowed = async () => {}

/** The private key of a machine client, as a JWK (RFC 7517) that also names the client. */
export interface ClientKey {
  kty: 'EC'
  crv: 'P-384'
  x: string
  y: string
  d: string
  kid: string
  alg: 'ES384'
  use: 'sig'
  client_id: string
}

/**
 * Adds an organisation and resolves to its id; `by` says who does, if not whoever runs scripts at the
 * machine itself. Throws Refusal `operator-only`, or `request-invalid` with every problem.
 */
export async function addOrganisation(
  exchange: Parts,
  input: OrganisationInput,
  by?: Caller
): Promise<string> {
  const checked = valueOrRefusal(checkOrganisation(input))
  return exchange.database.write(async tx => {
    if (by === undefined) return insertOrganisation(tx, exchange, checked, { details: OPERATOR })
    await requireOperator(tx, by)
    return insertOrganisation(tx, exchange, checked, doneBy(by))
  })
}

/** An event of an organisation that need not be the caller's, told of who did it. */
export function doneBy(caller: Caller): AddedBy {
  const { actorId, actorOrganisationId, details } = actedBy(caller)
  return { actorId, actorOrganisationId, details: details ?? {} }
}

/**
 * Adds an account to the organisation with this id or ODS code and resolves to the account's id.
 * Throws Refusal `request-invalid` with every problem.
 */
export async function addAccount(
  exchange: Parts,
  input: AccountInput & { organisation: string }
): Promise<string> {
  const id = uuidv7({ msecs: exchange.clock() })
  await exchange.database.write(async tx => {
    const organisation = await findOrganisation(tx, input.organisation.trim())
    const checked = checkAccount(input, organisation?.country)
    if (organisation === undefined) {
      const others = 'problems' in checked ? checked.problems : []
      throw invalid(['The organisation is not enrolled: give its id or its ODS code.', ...others])
    }
    const account = { id, organisation, ...valueOrRefusal(checked) }
    await insertAccount(tx, exchange, account, { details: OPERATOR })
  })
  return id
}

/**
 * Makes a key pair for a machine that acts as `accountId`, stores the public half, and resolves to
 * the private half, which nobody can get a second time. Throws Refusal `account-not-found` or
 * `account-disabled`. If the process stops after the commit, the client exists and its key is lost:
 * run it again.
 */
export async function addClient(exchange: Parts, input: { accountId: string }): Promise<ClientKey> {
  const clientId = uuidv7({ msecs: exchange.clock() })
  const { accountId } = input
  const { privateKey, publicJwk } = await makeKey(clientId)
  await exchange.database.write(async tx => {
    const [account] = await tx
      .select()
      .from(tx.tables.accounts)
      .where(eq(tx.tables.accounts.id, accountId))
    if (account === undefined) throw new Refusal('account-not-found')
    if (account.disabledAt !== null) throw new Refusal('account-disabled')
    const createdAt = exchange.clock()
    await tx
      .insert(tx.tables.clients)
      .values({ id: clientId, jwks: JSON.stringify({ keys: [publicJwk] }), createdAt })
    await tx
      .insert(tx.tables.identities)
      .values({ issuer: EMBEDDED, subject: clientId, accountId, createdAt })
    await exchange.audit.append(tx, {
      action: 'client.create',
      outcome: 'success',
      organisationId: account.organisationId,
      details: { ...OPERATOR, account: accountId, client: clientId, key: publicJwk.kid }
    })
  })
  return privateKey
}

/**
 * Disables an account: from the next request on, none of its tokens is accepted and none is issued, and
 * its sessions and its code to enrol with are over. Resolves to false when it was disabled already. Throws Refusal
 * `account-not-found`.
 */
export async function disableAccount(
  exchange: Parts,
  input: { accountId: string },
  { details, ...actor }: AddedBy = { details: OPERATOR },
  allowed: Allowed = anybody
): Promise<boolean> {
  const { accountId } = input
  return exchange.database.write(async tx => {
    await allowed(tx)
    const { accounts } = tx.tables
    const [disabled] = await tx
      .update(accounts)
      .set({ disabledAt: exchange.clock() })
      .where(and(eq(accounts.id, accountId), isNull(accounts.disabledAt)))
      .returning()
    if (disabled === undefined) {
      const [account] = await tx.select().from(accounts).where(eq(accounts.id, accountId))
      if (account === undefined) throw new Refusal('account-not-found')
      return false
    }
    await endSessionsOf(tx, accountId)
    await withdrawCode(tx, { accountId, now: exchange.clock() })
    await exchange.audit.append(tx, {
      action: 'account.disable',
      outcome: 'success',
      organisationId: disabled.organisationId,
      ...actor,
      details: { ...details, account: accountId }
    })
    return true
  })
}

/**
 * Takes that back: passkeys, clients and identities are good again. Resolves to false when it was not
 * disabled.
 */
export async function enableAccount(
  exchange: Parts,
  { accountId }: { accountId: string },
  { details, ...actor }: AddedBy,
  allowed: Allowed = anybody
): Promise<boolean> {
  return exchange.database.write(async tx => {
    await allowed(tx)
    const { accounts } = tx.tables
    const [enabled] = await tx
      .update(accounts)
      .set({ disabledAt: null })
      .where(and(eq(accounts.id, accountId), isNotNull(accounts.disabledAt)))
      .returning()
    if (enabled === undefined) return false
    await exchange.audit.append(tx, {
      action: 'account.enable',
      outcome: 'success',
      organisationId: enabled.organisationId,
      ...actor,
      details: { ...details, account: accountId }
    })
    return true
  })
}

/** ES384, as SMART asks of servers and clients. The key id is its thumbprint (RFC 7638). */
async function makeKey(clientId: string) {
  const pair = await generateKeyPair('ES384', { extractable: true })
  const { x, y, d } = await exportJWK(pair.privateKey)
  if (x === undefined || y === undefined || d === undefined) throw new Error('Key has no parts.')
  const point = { kty: 'EC', crv: 'P-384', x, y } as const
  const kid = await calculateJwkThumbprint(point)
  const publicJwk = { ...point, kid, alg: 'ES384', use: 'sig' } as const
  const privateKey: ClientKey = { ...publicJwk, d, client_id: clientId }
  return { publicJwk, privateKey }
}
