import { timingSafeEqual } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { canonicalContext, newKey, unwrapKey, wrapKey } from '../keys.ts'
import { SealError } from '../seal-error.ts'
import type { Keyring } from './keyring.ts'

/** How long an answer about the key ring is repeated before it is asked again. */
export const KEYRING_HEALTH_MILLISECONDS = 30_000

/** How long one who asks waits for a key ring that does not answer. */
const ANSWER_MILLISECONDS_MAX = 2000

const context = canonicalContext('keyring-probe')

/** Wraps and unwraps a key that nobody uses. Throws SealError as the key ring does. */
export async function probeKeyring(keyring: Keyring): Promise<void> {
  const key = newKey()
  const found = (await unwrapKey(keyring, context, await wrapKey(keyring, context, key))).export()
  if (!timingSafeEqual(found, key)) {
    throw new SealError('key-damaged', 'The key ring does not unwrap what it wraps.')
  }
}

/**
 * Tells whether the key ring works, by a probe that all who ask within half a minute share: a key
 * service counts, and charges for, every question. `clock` gives milliseconds and never goes back.
 */
export function keyringHealth(
  keyring: Keyring,
  clock: () => number = () => performance.now()
): () => Promise<'ok' | 'failing'> {
  let askedAt = Number.NEGATIVE_INFINITY
  let answer: Promise<'ok' | 'failing'> = Promise.resolve('failing')
  return () => {
    const now = clock()
    if (now - askedAt >= KEYRING_HEALTH_MILLISECONDS) {
      askedAt = now
      answer = probeKeyring(keyring).then(
        () => 'ok',
        () => 'failing'
      )
    }
    const late = sleep(ANSWER_MILLISECONDS_MAX, 'failing' as const, { ref: false })
    return Promise.race([answer, late])
  }
}
