import { calculateJwkThumbprint, exportJWK, generateKeyPair } from 'jose'
import { v7 as uuidv7 } from 'uuid'
import { and, eq, isNull } from '../../schemas/drizzle.ts'
import { actedBy } from '../audit/acted-by.ts'
import type { Queries } from '../database/database.ts'
import { Refusal } from '../errors.ts'
import type { Exchange } from '../exchange.ts'
import { insertEnrolled, verifiedUntil } from '../register/enrolled-entry.ts'
import {
  type AccountInput,
  checkAccount,
  checkOrganisation,
  type OrganisationInput
} from './enrolment-rules.ts'
import { type Caller, EMBEDDED } from './principal.ts'
import { sealProfile } from './profile.ts'

type Parts = Pick<Exchange, 'database' | 'audit' | 'clock' | 'serviceKeys'>

/** Enrolment is done at the machine itself, by whoever may run scripts on it. */
const OPERATOR = { by: 'operator console' }

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
 * Adds an organisation and resolves to its id; `by` says who does, if not the operator. Throws Refusal
 * `request-invalid` with every problem.
 */
export async function addOrganisation(
  exchange: Parts,
  input: OrganisationInput,
  by?: Caller
): Promise<string> {
  const { name, odsCode, country, timeZone, publicAuthority } = valueOrRefusal(
    checkOrganisation(input)
  )
  const id = uuidv7({ msecs: exchange.clock() })
  await exchange.database.write(async tx => {
    const added = await tx
      .insert(tx.tables.organisations)
      .values({
        id,
        name,
        odsCode,
        country,
        timeZone,
        publicAuthority,
        createdAt: exchange.clock()
      })
      .onConflictDoNothing()
      .returning({ id: tx.tables.organisations.id })
    if (added.length === 0)
      throw invalid(['The ODS code belongs to an organisation that is enrolled already.'])
    await exchange.audit.append(tx, {
      action: 'organisation.create',
      outcome: 'success',
      ...(by === undefined ? { details: OPERATOR } : actedBy(by, { added: id })),
      organisationId: id
    })
  })
  return id
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
    const { role, country, profile } = valueOrRefusal(checked)
    await tx.insert(tx.tables.accounts).values({
      id,
      organisationId: organisation.id,
      role,
      country,
      profileSealed: sealProfile(exchange.serviceKeys, id, profile),
      createdAt: exchange.clock(),
      disabledAt: null
    })
    await exchange.audit.append(tx, {
      action: 'account.create',
      outcome: 'success',
      organisationId: organisation.id,
      details: { ...OPERATOR, account: id, role, country }
    })
    if (role !== 'specialist') return
    const now = exchange.clock()
    await insertEnrolled(
      tx,
      exchange,
      {
        accountId: id,
        country,
        organisation: organisation.name,
        organisationId: organisation.id,
        profile,
        verifiedAt: now,
        verifiedUntil: verifiedUntil(now)
      },
      now
    )
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
 * Disables an account: from the next request on, none of its tokens is accepted and none is issued.
 * Resolves to false when it was disabled already. Throws Refusal `account-not-found`.
 */
export async function disableAccount(
  exchange: Parts,
  input: { accountId: string }
): Promise<boolean> {
  const { accountId } = input
  return exchange.database.write(async tx => {
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
    await exchange.audit.append(tx, {
      action: 'account.disable',
      outcome: 'success',
      organisationId: disabled.organisationId,
      details: { ...OPERATOR, account: accountId }
    })
    return true
  })
}

async function findOrganisation(tx: Queries, idOrOdsCode: string) {
  const { organisations } = tx.tables
  const [byId] = await tx
    .select()
    .from(organisations)
    .where(eq(organisations.id, idOrOdsCode.toLowerCase()))
  if (byId !== undefined) return byId
  const [byCode] = await tx
    .select()
    .from(organisations)
    .where(eq(organisations.odsCode, idOrOdsCode.toUpperCase()))
  return byCode
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

function valueOrRefusal<T>(checked: { value: T } | { problems: string[] }): T {
  if ('problems' in checked) throw invalid(checked.problems)
  return checked.value
}

function invalid(problems: string[]): Refusal {
  return new Refusal('request-invalid', undefined, { problems })
}
