import {
  CompactSign,
  type CryptoKey,
  compactVerify,
  createLocalJWKSet,
  importJWK,
  type JWK
} from 'jose'
import { canonicalJson } from './audit/canonical.ts'

const ALGORITHM = 'EdDSA'

/** What this service signs for others to keep. Each kind has a `typ` of its own (RFC 7515, 4.1.9). */
export type SignedKind = 'opinion' | 'opinion-addendum' | 'erasure'
const typeOf = (kind: SignedKind): string => `consilium-${kind}+jws`

export interface Signatures {
  /**
   * The canonical JSON of `content` (RFC 8785), signed: a JWS in compact form (RFC 7515, section 7.1)
   * by the key that signs links, whose public half is at /.well-known/jwks.json.
   */
  sign(kind: SignedKind, content: object): Promise<string>
  /** The id of the key that signs now. */
  readonly keyId: string
}

/** `privateJwks` holds Ed25519 keys (RFC 8037); the first signs. */
export async function openSignatures(privateJwks: { keys: JWK[] }): Promise<Signatures> {
  const [current] = privateJwks.keys
  if (current?.kid === undefined) throw new Error('There is no key to sign with.')
  const key = (await importJWK(current, ALGORITHM)) as CryptoKey
  const { kid } = current
  return {
    keyId: kid,
    sign: (kind, content) =>
      new CompactSign(Buffer.from(canonicalJson(content)))
        .setProtectedHeader({ alg: ALGORITHM, typ: typeOf(kind), cty: 'application/json', kid })
        .sign(key)
  }
}

/**
 * The content of a JWS that this service made, for what is read from its own sealed rows. The
 * signature is for others: `verifySigned` checks it.
 */
export function contentOfSigned<T>(jws: string): T {
  const [, payload = ''] = jws.split('.')
  return JSON.parse(Buffer.from(payload, 'base64url').toString())
}

/** Throws unless one of these keys signed it, as this kind and in canonical form. */
export async function verifySigned(
  jwks: { keys: JWK[] },
  kind: SignedKind,
  jws: string
): Promise<void> {
  const keys = createLocalJWKSet({ keys: jwks.keys.map(({ d, ...publicKey }) => publicKey) })
  const { payload, protectedHeader } = await compactVerify(jws, keys, { algorithms: [ALGORITHM] })
  if (protectedHeader.typ !== typeOf(kind)) throw new Error('it was signed as something else')
  const text = Buffer.from(payload).toString()
  if (canonicalJson(JSON.parse(text)) !== text) throw new Error('it is not in its canonical form')
}
