import { setTimeout as sleep } from 'node:timers/promises'
import type { Exchange } from '../exchange.ts'
import { keyringHealth } from '../sealing/keyrings/health.ts'

/** Whoever asks has little patience, and what answers later than this is not ready. */
const READY_MILLISECONDS_MAX = 2000

/**
 * Asks each part by itself and all at once whether it works, so that an operator sees which of them is
 * down. The answer of the key ring is shared by all who ask within half a minute.
 */
export function readinessOf(
  exchange: Exchange,
  state: { leaving: boolean }
): () => Promise<Record<string, string>> {
  const keyring = keyringHealth(exchange.keyring)
  const { database, blobs, limits, logGuard, tree, scanner } = exchange
  return async () => {
    const [databaseIs, keyringIs, storeIs, scannerIs, roomIs] = await Promise.all([
      tell(database.check()),
      tell(keyring()),
      tell(blobs.check()),
      tell(scanner.health()),
      tell(blobs.freeBytes().then(bytes => (bytes >= limits.freeBytesMin ? 'ok' : 'low on space')))
    ])
    return {
      service: state.leaving ? 'stopping' : 'ok',
      database: databaseIs,
      keyring: keyringIs,
      log: logGuard.trouble() ?? 'ok',
      checkpoint: tree.isUnpublished() ? 'cannot be written' : 'ok',
      storage: storeIs === 'ok' ? roomIs : storeIs,
      scanner: scannerIs
    }
  }
}

/** `ok`, or what the check resolves to, in time. */
async function tell(check: Promise<unknown>): Promise<string> {
  const late = sleep(READY_MILLISECONDS_MAX, 'failing', { ref: false })
  const answer = check.then(
    answered => (typeof answered === 'string' ? answered : 'ok'),
    () => 'failing'
  )
  return await Promise.race([answer, late])
}
