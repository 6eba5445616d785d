import { createHmac, randomBytes } from 'node:crypto'

// Standard Webhooks 1.0.0 (github.com/standard-webhooks/standard-webhooks, spec).

const SECRET_BYTES = 32
const PREFIX = 'whsec_'

/** A fresh secret in the form in which it is shown: its prefix says what it is to who finds it. */
export function newSecret(): string {
  return PREFIX + randomBytes(SECRET_BYTES).toString('base64')
}

/** One message as it is signed. */
export interface SignedPart {
  /** The same for each attempt, so that a receiver can tell a second copy. */
  id: string
  /** Seconds UTC of this attempt, so that a receiver can refuse an old one. */
  timestamp: number
  /** As it is sent, byte for byte. */
  body: string
}

/**
 * The value of `webhook-signature`: for each secret `v1,` and the base64 of the HMAC-SHA-256 of id,
 * timestamp and body, joined by full stops; with blanks between them, the current secret first.
 */
export function signWebhook({ id, timestamp, body }: SignedPart, secrets: string[]): string {
  return secrets
    .map(secret => {
      const key = Buffer.from(secret.slice(PREFIX.length), 'base64')
      const mac = createHmac('sha256', key).update(`${id}.${timestamp}.${body}`)
      return `v1,${mac.digest('base64')}`
    })
    .join(' ')
}
