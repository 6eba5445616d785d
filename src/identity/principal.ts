import type { Role } from '../../schemas/account.ts'

export type { Role } from '../../schemas/account.ts'

/**
 * What `identities.issuer` holds for the embedded issuer. A constant and not its URL, so that a
 * service that moves to another address keeps every identity.
 */
export const EMBEDDED = 'embedded'

/** Who is calling, after every check that does not depend on what they ask for. */
export interface Principal {
  accountId: string
  organisationId: string
  role: Role
  /** ISO 3166-1 alpha-2, where the account's holder works. */
  country: string
  /** `EMBEDDED`, or the URL of an external issuer. With `subject` it is the identity. */
  issuer: string
  subject: string
  clientId: string
  /** Space-separated, as in the access token. */
  scope: string
  /**
   * How they proved it: `machine` is a client that signed with its own key, `passkey` a person at the
   * pages, `external` a person whom another issuer knows.
   */
  assurance: 'machine' | 'passkey' | 'external'
  /** When a person last proved it, in milliseconds UTC. A machine proves it with each token. */
  provenAt?: number
  /** When the session began with which a person came, in milliseconds UTC. */
  sessionBegunAt?: number
}

/** What the access log keeps of a request: nothing from its body, its query or its token. */
export interface Trace {
  requestId: string
  method: string
  /** The pattern of the route, not the address that was asked for. */
  route: string
  address: string
  /** ISO 3166-1 alpha-2, as a trusted proxy judges the address. */
  country?: string
  forwardedFor?: string
  userAgent?: string
}

/** A principal together with the request they make. */
export interface Caller extends Principal {
  trace: Trace
}

/** An issuer whose access tokens are believed. */
export interface TrustedIssuer {
  /** Its `iss`, compared byte for byte. */
  issuer: string
  /** What `identities.issuer` holds for it: `EMBEDDED`, or the same URL. */
  identityIssuer: string
  /** The `aud` its tokens must carry for this service. */
  audience: string
  /** Its public signing keys; only those for ES256 are used. */
  jwks: { keys: PublicJwk[] }
  /** A token issued longer ago than this is refused whatever its `exp` says. */
  tokenAgeSecondsMax: number
}

/** A public elliptic-curve key (RFC 7517 with RFC 7518, section 6.2). */
export interface PublicJwk {
  kty: string
  crv: string
  x: string
  y: string
  kid: string
  alg: string
  use: 'sig'
}
