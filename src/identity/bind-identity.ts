import { createPublicKey } from 'node:crypto'
import { calculateJwkThumbprint } from 'jose'
import { v7 as uuidv7 } from 'uuid'
import type { Queries } from '../database/database.ts'
import { Refusal } from '../errors.ts'
import type { Exchange } from '../exchange.ts'
import { bindPasskey, type NewPasskey } from '../sessions/passkeys.ts'
import type { VerifiedToken } from './authenticate.ts'
import { EMBEDDED, type Trace } from './principal.ts'

/** What somebody shows who wants to be known again. */
export interface ShownIdentity {
  /** The public half of a P-384 key that will sign client assertions (private_key_jwt). */
  key?: { kty: 'EC'; crv: 'P-384'; x: string; y: string }
  /** An access token of an issuer that this service trusts. */
  accessToken?: string
}

interface PublicKey {
  kty: 'EC'
  crv: 'P-384'
  x: string
  y: string
  kid: string
  alg: 'ES384'
  use: 'sig'
}

/** The same once it was looked at: what `bindIdentity` can store without waiting for anything. */
export type ProvenIdentity =
  | { publicJwk: PublicKey }
  | { issuer: string; subject: string }
  /** What `verifyRegistration` of the sessions found right. */
  | { passkey: NewPasskey; name: string; trace: Trace }

/**
 * Looks at what was shown: exactly one of the two, a key that is a point of its curve, or a token that
 * verifies. Throws Refusal `identity-refused`, or as the token's verification does. A passkey is proved
 * on a page, by its own ceremony.
 */
export async function proveIdentity(
  shown: ShownIdentity,
  verifyToken: (token: string) => Promise<VerifiedToken>
): Promise<ProvenIdentity> {
  const { key, accessToken } = shown
  if ((key === undefined) === (accessToken === undefined)) throw new Refusal('identity-refused')
  if (accessToken !== undefined) {
    const { identityIssuer: issuer, subject } = await verifyToken(accessToken)
    return { issuer, subject }
  }
  if (key === undefined) throw new Refusal('identity-refused')
  const { kty, crv, x, y } = key
  const point = { kty, crv, x, y }
  try {
    createPublicKey({ key: { ...point }, format: 'jwk' })
  } catch {
    throw new Refusal('identity-refused', 'not a point of the curve')
  }
  const kid = await calculateJwkThumbprint(point)
  return { publicJwk: { ...point, kid, alg: 'ES384', use: 'sig' } }
}

/**
 * Makes a proven identity that of an account, inside the caller's transaction: the one place where an
 * account made by invitation gets its way to sign in. Resolves to the client of a key. Throws Refusal
 * `identity-taken`.
 */
export async function bindIdentity(
  tx: Queries,
  exchange: Pick<Exchange, 'audit' | 'clock' | 'serviceKeys'>,
  account: { id: string; organisationId: string },
  proven: ProvenIdentity
): Promise<{ clientId?: string }> {
  if ('passkey' in proven) {
    await bindPasskey(tx, exchange, account, proven.passkey, proven)
    return {}
  }
  const { audit, clock } = exchange
  const createdAt = clock()
  const { identities, clients } = tx.tables
  if ('issuer' in proven) {
    const bound = await tx
      .insert(identities)
      .values({ ...proven, accountId: account.id, createdAt })
      .onConflictDoNothing()
      .returning({ subject: identities.subject })
    if (bound.length === 0) throw new Refusal('identity-taken')
    return {}
  }
  const { publicJwk } = proven
  const clientId = uuidv7({ msecs: createdAt })
  await tx
    .insert(clients)
    .values({ id: clientId, jwks: JSON.stringify({ keys: [publicJwk] }), createdAt })
  await tx
    .insert(identities)
    .values({ issuer: EMBEDDED, subject: clientId, accountId: account.id, createdAt })
  await audit.append(tx, {
    action: 'client.create',
    outcome: 'success',
    organisationId: account.organisationId,
    actorId: account.id,
    actorOrganisationId: account.organisationId,
    details: { account: account.id, client: clientId, key: publicJwk.kid }
  })
  return { clientId }
}
