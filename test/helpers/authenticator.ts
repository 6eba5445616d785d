import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto'
import { isoCBOR } from '@simplewebauthn/server/helpers'
import { bindPasskey } from '../../src/sessions/passkeys.ts'
import { PUBLIC_URL } from './data.ts'
import type { PersonName, TestExchange } from './exchange.ts'

const USER_PRESENT = 0x01
const USER_VERIFIED = 0x04
const HAS_CREDENTIAL = 0x40

const digest = (bytes: Uint8Array | string) => createHash('sha256').update(bytes).digest()
const base64url = (bytes: Uint8Array | string) => Buffer.from(bytes).toString('base64url')

/** What an answer has that is not as it should be. */
export interface Twist {
  origin?: string
  host?: string
  counter?: number
  /** Nobody unlocked it. */
  isUnverified?: boolean
  userHandle?: string
}

/** An authenticator in software, which answers whatever a test wants it to (Web Authentication, section 6). */
export class Authenticator {
  readonly id = base64url(randomBytes(32))
  counter = 0
  userHandle: string | undefined
  private readonly privateKey: KeyObject
  readonly publicKey: Uint8Array<ArrayBuffer>

  constructor() {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    this.privateKey = privateKey
    const { x = '', y = '' } = publicKey.export({ format: 'jwk' })
    const bytes = (text: string) => new Uint8Array(Buffer.from(text, 'base64url'))
    // COSE key of RFC 9053, section 7.1.1: kty EC2, alg ES256, crv P-256.
    this.publicKey = isoCBOR.encode(
      new Map<number, number | Uint8Array>([
        [1, 2],
        [3, -7],
        [-1, 1],
        [-2, bytes(x)],
        [-3, bytes(y)]
      ])
    )
  }

  private data(flags: number, twist: Twist, credential: Uint8Array = new Uint8Array()): Buffer {
    const counter = Buffer.alloc(4)
    counter.writeUInt32BE(twist.counter ?? this.counter)
    const verified = twist.isUnverified ? 0 : USER_VERIFIED
    return Buffer.concat([
      digest(twist.host ?? new URL(PUBLIC_URL).hostname),
      Uint8Array.of(flags | USER_PRESENT | verified),
      counter,
      credential
    ])
  }

  /** Answers what `registrationOptions` asked. */
  register(options: { challenge: string; user: { id: string } }, twist: Twist = {}): string {
    this.userHandle = options.user.id
    const id = Buffer.from(this.id, 'base64url')
    const credential = Buffer.concat([
      Buffer.alloc(16),
      Uint8Array.of(0, id.length),
      id,
      this.publicKey
    ])
    const attestation = isoCBOR.encode(
      new Map<string, string | Uint8Array | Map<string, string>>([
        ['fmt', 'none'],
        ['attStmt', new Map()],
        ['authData', new Uint8Array(this.data(HAS_CREDENTIAL, twist, credential))]
      ])
    )
    return this.answer({
      clientDataJSON: this.client('webauthn.create', options.challenge, twist),
      attestationObject: base64url(attestation),
      transports: ['internal']
    })
  }

  /** Answers what `authenticationOptions` asked. */
  authenticate({ challenge }: { challenge: string }, twist: Twist = {}): string {
    if (twist.counter === undefined && this.counter > 0) this.counter += 1
    const clientDataJSON = this.client('webauthn.get', challenge, twist)
    const data = this.data(0, twist)
    const signed = Buffer.concat([data, digest(Buffer.from(clientDataJSON, 'base64url'))])
    const userHandle = twist.userHandle ?? this.userHandle
    return this.answer({
      clientDataJSON,
      authenticatorData: base64url(data),
      signature: base64url(sign('sha256', signed, this.privateKey)),
      ...(userHandle !== undefined && { userHandle })
    })
  }

  private client(type: string, challenge: string, { origin = PUBLIC_URL }: Twist): string {
    return base64url(JSON.stringify({ type, challenge, origin, crossOrigin: false }))
  }

  private answer(response: object): string {
    const { id } = this
    const rest = { clientExtensionResults: {}, authenticatorAttachment: 'platform' }
    return JSON.stringify({ id, rawId: id, type: 'public-key', response, ...rest })
  }
}

const trace = { requestId: 'test', method: 'POST', route: '/enrol', address: '127.0.0.1' }

/** An authenticator with a passkey of this person. */
export async function withPasskey(
  { people, exchange }: TestExchange,
  who: PersonName
): Promise<Authenticator> {
  const { accountId: id, organisationId } = people[who]
  const authenticator = new Authenticator()
  authenticator.userHandle = base64url(id)
  const passkey = {
    id: authenticator.id,
    publicKey: Buffer.from(authenticator.publicKey),
    counter: 0,
    transports: 'internal'
  }
  await exchange.database.write(tx =>
    bindPasskey(tx, exchange, { id, organisationId }, passkey, { name: 'Test', trace })
  )
  return authenticator
}
