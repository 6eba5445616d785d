import { type CryptoKey, importJWK, type JWK, SignJWT } from 'jose'
import type { ErasureView, Manifest } from '../../schemas/retention.ts'

const ALGORITHM = 'EdDSA'
const TYPE = 'consilium-erasure+jwt'

/** What a receipt of an erasure says beside who signed it and when. */
export type ErasureClaims = Omit<ErasureView, 'id' | 'records' | 'objects'> & {
  records: Manifest
  /** The name of the log that has the event. */
  log: string
}

export interface ReceiptSigner {
  /** A compact JWS (RFC 7515) about the erasure `id`. `at` is milliseconds UTC. */
  sign(id: string, claims: ErasureClaims, at: number): Promise<string>
}

/** Receipts are signed with the first of the keys that sign links: /.well-known/jwks.json has them all. */
export async function openReceiptSigner(
  privateJwks: { keys: JWK[] },
  publicUrl: string
): Promise<ReceiptSigner> {
  const [current] = privateJwks.keys
  if (current?.kid === undefined) throw new Error('There is no key to sign receipts with.')
  const key = (await importJWK(current, ALGORITHM)) as CryptoKey
  const header = { alg: ALGORITHM, typ: TYPE, kid: current.kid }
  return {
    sign: (id, claims, at) =>
      new SignJWT({ ...claims })
        .setProtectedHeader(header)
        .setIssuer(publicUrl)
        .setJti(id)
        .setIssuedAt(Math.floor(at / 1000))
        .sign(key)
  }
}
