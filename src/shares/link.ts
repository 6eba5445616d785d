import { hash } from 'node:crypto'
import {
  type CryptoKey,
  createLocalJWKSet,
  errors,
  importJWK,
  type JWK,
  type JWTPayload,
  jwtVerify,
  SignJWT
} from 'jose'
import { Refusal, type RefusalCode } from '../errors.ts'

const ALGORITHM = 'EdDSA'
const CLOCK_TOLERANCE_SECONDS = 5
const TOKEN_CHARACTERS_MAX = 2048

/** Verified links kept in mind: checking a signature takes longer than all else about an opening. */
const LINKS_REMEMBERED_MAX = 10_000

/** A compact JWS (RFC 7515, section 7.1): three base64url parts. */
const COMPACT_JWS = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/

/** A kind of link. The keys are the same, but a link of one kind is none of another. */
interface LinkKind {
  /** The `typ` of its tokens (RFC 7515, section 4.1.9). */
  type: string
  /** Where it leads; with the address of the service, the `aud` of its tokens. */
  path: string
  /** What a link is told that was not signed here. */
  unknown: RefusalCode
}

const SHARE_LINK: LinkKind = {
  type: 'consilium-share+jwt',
  path: '/s',
  unknown: 'share-not-found'
}
const INVITATION_LINK: LinkKind = {
  type: 'consilium-invitation+jwt',
  path: '/i',
  unknown: 'invitation-not-found'
}

/** What a link says: what it names, and until when. It opens nothing by itself. */
export interface LinkToken {
  id: string
  /** Milliseconds since 1970, UTC. */
  issuedAt: number
  notBefore: number
  expiresAt: number
}

/** The same for a link that names a share. */
export type ShareToken = Omit<LinkToken, 'id'> & { shareId: string }

export interface SignedLinks {
  /** The link with the token in its fragment, which no server, proxy or Referer ever sees. */
  make(token: LinkToken): Promise<string>
  /**
   * The id that a link names. `link-incomplete` when it is not a whole link; the refusal of its kind
   * when it was not signed here. Whether its time is right is left to what it names, because a link
   * that is too old must tell its own specialist so, and strangers nothing.
   */
  read(linkOrToken: string): Promise<string>
  /** Public keys, so that others can check a signature. */
  jwks(): { keys: JWK[] }
}

/** Links that name shares. */
export type LinkKeys = Omit<SignedLinks, 'make'> & { make(token: ShareToken): Promise<string> }

/** `privateJwks` holds Ed25519 keys (RFC 8037); the first signs, all verify. */
export async function openLinkKeys(
  privateJwks: { keys: JWK[] },
  publicUrl: string,
  clock: () => number
): Promise<LinkKeys> {
  const links = await openLinks(privateJwks, publicUrl, clock, SHARE_LINK)
  return { ...links, make: ({ shareId, ...token }) => links.make({ id: shareId, ...token }) }
}

/** Links that name invitations to the register, signed with the same keys. */
export function openInvitationLinks(
  privateJwks: { keys: JWK[] },
  publicUrl: string,
  clock: () => number
): Promise<SignedLinks> {
  return openLinks(privateJwks, publicUrl, clock, INVITATION_LINK)
}

async function openLinks(
  privateJwks: { keys: JWK[] },
  publicUrl: string,
  clock: () => number,
  kind: LinkKind
): Promise<SignedLinks> {
  const [current] = privateJwks.keys
  if (current?.kid === undefined) throw new Error('There is no key to sign links with.')
  const signingKey = (await importJWK(current, ALGORITHM)) as CryptoKey
  const publicKeys = privateJwks.keys.map(({ d, ...key }) => key)
  const verificationKeys = createLocalJWKSet({ keys: publicKeys })
  const audience = publicUrl + kind.path

  const remembered = new Map<string, string>()

  async function verified(token: string): Promise<JWTPayload> {
    try {
      const { payload } = await jwtVerify(token, verificationKeys, {
        algorithms: [ALGORITHM],
        typ: kind.type,
        issuer: publicUrl,
        audience,
        requiredClaims: ['iss', 'aud', 'jti', 'iat', 'nbf', 'exp'],
        clockTolerance: CLOCK_TOLERANCE_SECONDS,
        currentDate: new Date(clock())
      })
      return payload
    } catch (err) {
      // Times are checked last, so here everything else about the token is right.
      if (err instanceof errors.JWTExpired) return err.payload
      if (isTooEarly(err)) return err.payload
      throw new Refusal(kind.unknown, err instanceof errors.JOSEError ? err.code : 'unreadable')
    }
  }

  return {
    async make({ id, issuedAt, notBefore, expiresAt }) {
      const token = await new SignJWT()
        .setProtectedHeader({ alg: ALGORITHM, typ: kind.type, kid: String(current.kid) })
        .setIssuer(publicUrl)
        .setAudience(audience)
        .setJti(id)
        .setIssuedAt(seconds(issuedAt))
        .setNotBefore(seconds(notBefore))
        .setExpirationTime(Math.ceil(expiresAt / 1000))
        .sign(signingKey)
      return `${audience}#${token}`
    },
    async read(linkOrToken) {
      const token = linkOrToken.trim().split('#').at(-1) ?? ''
      if (!COMPACT_JWS.test(token) || token.length > TOKEN_CHARACTERS_MAX) {
        throw new Refusal('link-incomplete')
      }
      // Only that this text was verified is remembered, never what may be done with it. Its digest
      // names it, so that no memory dump holds a link.
      const name = hash('sha256', token, 'base64url')
      const known = remembered.get(name)
      if (known !== undefined) return known
      const { jti } = await verified(token)
      // The id, never the text of the token: one token has several spellings that all verify.
      const id = String(jti)
      const [oldest] = remembered.keys()
      if (oldest !== undefined && remembered.size >= LINKS_REMEMBERED_MAX) remembered.delete(oldest)
      remembered.set(name, id)
      return id
    },
    jwks: () => ({ keys: publicKeys })
  }
}

/** A beginning yet to come. One that is missing or is no number is another failure. */
function isTooEarly(err: unknown): err is errors.JWTClaimValidationFailed {
  return (
    err instanceof errors.JWTClaimValidationFailed &&
    err.claim === 'nbf' &&
    err.reason === 'check_failed'
  )
}

const seconds = (milliseconds: number): number => Math.floor(milliseconds / 1000)
