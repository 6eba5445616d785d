import { hash } from 'node:crypto'
import { createLocalJWKSet, decodeJwt, errors, type JWTPayload, jwtVerify } from 'jose'
import { and, eq, sql } from '../../schemas/drizzle.ts'
import { prepared, type Queries } from '../database/database.ts'
import { Refusal } from '../errors.ts'
import type { Exchange } from '../exchange.ts'
import { toRole } from './accounts.ts'
import { EMBEDDED, type Principal, type TrustedIssuer } from './principal.ts'

export const TOKEN_BYTES_MAX = 4096
/** Verified tokens kept in memory; each takes about 500 bytes and lives 5 minutes. */
export const REMEMBERED_TOKENS_MAX = 10_000
/** Accounts kept in memory between changes of the directory; each takes about 300 bytes. */
export const REMEMBERED_ACCOUNTS_MAX = 10_000
/** How far the clocks of issuer and service may differ. */
export const CLOCK_SKEW_SECONDS = 5
/** The one scope this service knows: the whole of it, as far as the role allows. */
export const EXCHANGE_SCOPE = 'system/exchange'

export type Authenticate = (headers: { authorization?: string | undefined }) => Promise<Principal>

/** What a verified token says. Nothing about the account: that is read on every request. */
export interface VerifiedToken {
  identityIssuer: string
  subject: string
  clientId: string
  scope: string
  /** Seconds since 1970 UTC. */
  expiresAt: number
}

const p = sql.placeholder

const findAccount = prepared((q: Queries) => {
  const { identities, accounts, clients } = q.tables
  return q
    .select({
      id: accounts.id,
      organisationId: accounts.organisationId,
      role: accounts.role,
      country: accounts.country,
      disabledAt: accounts.disabledAt,
      clientId: clients.id,
      clientDisabledAt: clients.disabledAt
    })
    .from(identities)
    .innerJoin(accounts, eq(accounts.id, identities.accountId))
    .leftJoin(clients, and(eq(identities.issuer, EMBEDDED), eq(clients.id, identities.subject)))
    .where(and(eq(identities.issuer, p('issuer')), eq(identities.subject, p('subject'))))
    .prepare('find_account_of_identity')
})

const countChanges = prepared((q: Queries) => {
  const { directoryChanges } = q.tables
  return q.select({ changes: directoryChanges.changes }).from(directoryChanges).prepare('changes')
})

/**
 * The one way to know who calls: a Bearer access token (RFC 6750, RFC 9068) from an issuer of the
 * list. A token verified once is remembered until it expires, so a busy caller costs no signature
 * check; whether the account has changed is looked up each time, so disabling it, or its client,
 * applies at once.
 *
 * The function returned throws Refusal `token-missing`, `token-invalid`, `token-expired`,
 * `account-unknown` or `account-disabled`.
 */
export function createAuthenticator(
  exchange: Pick<Exchange, 'database' | 'clock'>,
  issuers: TrustedIssuer[],
  rememberedMax = REMEMBERED_TOKENS_MAX
): Authenticate {
  const verify = tokenVerifier(issuers, exchange.clock)
  const remembered = new Map<string, VerifiedToken>()
  const accountOf = accountReader(exchange)

  async function rememberedOrVerified(token: string): Promise<VerifiedToken> {
    // Keyed by digest, so that no memory dump holds a token that could be used.
    const key = hash('sha256', token, 'base64url')
    const known = remembered.get(key)
    if (known !== undefined) return known
    const verified = await verify(token)
    // All tokens live equally short, so the oldest one here is about the first to expire.
    const [oldest] = remembered.keys()
    if (oldest !== undefined && remembered.size >= rememberedMax) remembered.delete(oldest)
    remembered.set(key, verified)
    return verified
  }

  return async function authenticate(headers) {
    const token = await rememberedOrVerified(bearerToken(headers.authorization))
    if (Math.floor(exchange.clock() / 1000) >= token.expiresAt + CLOCK_SKEW_SECONDS) {
      throw tokenRefusal('token-expired', 'remembered')
    }
    const account = await accountOf(token)
    return {
      ...account,
      issuer: token.identityIssuer,
      subject: token.subject,
      clientId: token.clientId,
      scope: token.scope,
      assurance: 'machine'
    }
  }
}

/** RFC 6750, section 2.1. Proof-of-possession tokens (`DPoP`, RFC 9449) are not accepted yet. */
function bearerToken(authorization: string | undefined): string {
  if (authorization === undefined || authorization === '') throw tokenRefusal('token-missing')
  const [, token] = /^Bearer +([A-Za-z0-9_.-]+)$/i.exec(authorization) ?? []
  if (token === undefined) throw tokenRefusal('token-invalid', 'not a bearer token')
  if (token.length > TOKEN_BYTES_MAX) throw tokenRefusal('token-invalid', 'too long')
  return token
}

/** Who a token speaks for, by an issuer of the list. Throws as `createAuthenticator` says. */
export function tokenVerifier(
  issuers: TrustedIssuer[],
  clock: Exchange['clock']
): (token: string) => Promise<VerifiedToken> {
  const trusted = new Map(
    issuers.map(issuer => [issuer.issuer, { ...issuer, keys: createLocalJWKSet(issuer.jwks) }])
  )
  return async token => {
    const issuer = trusted.get(unverifiedIssuer(token))
    if (issuer === undefined) throw tokenRefusal('token-invalid', 'issuer not trusted')
    try {
      const { payload } = await jwtVerify(token, issuer.keys, {
        algorithms: ['ES256'],
        typ: 'at+jwt',
        issuer: issuer.issuer,
        audience: issuer.audience,
        requiredClaims: ['exp', 'iat', 'sub', 'jti', 'client_id'],
        clockTolerance: CLOCK_SKEW_SECONDS,
        maxTokenAge: issuer.tokenAgeSecondsMax,
        currentDate: new Date(clock())
      })
      return readClaims(payload, issuer.identityIssuer)
    } catch (err) {
      if (err instanceof errors.JWTExpired) throw tokenRefusal('token-expired', err.code)
      if (err instanceof errors.JOSEError) throw tokenRefusal('token-invalid', err.code)
      throw err
    }
  }
}

/** Only chooses the keys to verify with: until then nothing in a token is believed. */
function unverifiedIssuer(token: string): string {
  const signature = token.slice(token.lastIndexOf('.') + 1)
  // The last character has bits that decoders ignore. One token has one spelling here.
  if (Buffer.from(signature, 'base64url').toString('base64url') !== signature) {
    throw tokenRefusal('token-invalid', 'signature spelled otherwise')
  }
  try {
    return decodeJwt(token).iss ?? ''
  } catch {
    throw tokenRefusal('token-invalid', 'not a JWT')
  }
}

function readClaims(claims: JWTPayload, identityIssuer: string): VerifiedToken {
  const { sub, exp, client_id: clientId, scope, cnf } = claims
  if (typeof sub !== 'string' || typeof exp !== 'number' || typeof clientId !== 'string') {
    throw tokenRefusal('token-invalid', 'claims of the wrong kind')
  }
  // A token bound to a key must be presented with proof of that key (RFC 9449, section 7.1): taken
  // as a plain bearer token it would be as good to a thief. DPoP joins here, beside `Bearer`.
  if (cnf !== undefined) throw tokenRefusal('token-invalid', 'bound to a key')
  // Only machine clients so far, and a client speaks for itself. People will have sub ≠ client_id.
  if (identityIssuer === EMBEDDED && sub !== clientId) {
    throw tokenRefusal('token-invalid', 'subject is not its client')
  }
  if (typeof scope !== 'string' || !scope.split(' ').includes(EXCHANGE_SCOPE)) {
    throw tokenRefusal('token-invalid', 'scope')
  }
  return { identityIssuer, subject: sub, clientId, scope, expiresAt: exp }
}

type AccountPart = Pick<Principal, 'accountId' | 'organisationId' | 'role' | 'country'>

/**
 * Reads the account of an identity, again only when anything about accounts, identities or clients
 * has changed: triggers count those changes, and the count is read once for each snapshot. An
 * account read just after a change may be kept under the count before it; the next snapshot has the
 * new count, and all are read anew.
 */
function accountReader(
  exchange: Pick<Exchange, 'database'>
): (token: VerifiedToken) => Promise<AccountPart> {
  const { database } = exchange
  const known = new Map<string, AccountPart>()
  let changes: number | undefined
  let snapshot: object | undefined
  let upToDate = Promise.resolve()

  async function forgetIfChanged(): Promise<void> {
    const [directory] = await countChanges(database.read, {})
    if (directory?.changes === changes && known.size < REMEMBERED_ACCOUNTS_MAX) return
    known.clear()
    changes = directory?.changes
  }

  return async token => {
    if (snapshot !== database.snapshot) {
      snapshot = database.snapshot
      upToDate = forgetIfChanged()
    }
    await upToDate
    const identity = `${token.identityIssuer} ${token.subject}`
    const remembered = known.get(identity)
    if (remembered !== undefined) return remembered
    const readUnder = changes
    const account = await readAccount(exchange, token)
    // A change that was counted while this was read may not be in it.
    if (changes === readUnder) known.set(identity, account)
    return account
  }
}

async function readAccount(
  exchange: Pick<Exchange, 'database'>,
  token: VerifiedToken
): Promise<AccountPart> {
  const [account] = await findAccount(exchange.database.read, {
    issuer: token.identityIssuer,
    subject: token.subject
  })
  if (account === undefined) throw new Refusal('account-unknown')
  const clientGone = token.identityIssuer === EMBEDDED && account.clientId === null
  if (clientGone) throw new Refusal('account-unknown', 'client is gone')
  if (account.disabledAt !== null || account.clientDisabledAt !== null) {
    const { id: actorId, organisationId } = account
    const about = { actorId, actorOrganisationId: organisationId, organisationId }
    throw new Refusal('account-disabled', undefined, { about })
  }
  return {
    accountId: account.id,
    organisationId: account.organisationId,
    role: toRole(account.role),
    country: account.country
  }
}

/** A refusal with the challenge RFC 6750, section 3 asks for. */
function tokenRefusal(
  code: 'token-missing' | 'token-invalid' | 'token-expired',
  privateDetail?: string
): Refusal {
  const challenge = code === 'token-missing' ? 'Bearer' : 'Bearer error="invalid_token"'
  return new Refusal(code, privateDetail, { headers: { 'www-authenticate': challenge } })
}
