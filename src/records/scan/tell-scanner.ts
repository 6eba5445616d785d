import type { FastifyBaseLogger } from 'fastify'
import type { Scanner } from './scanner.ts'

/**
 * Tells the operator at the start who looks for malware, if anybody does. A scanner that is down
 * keeps nobody from starting: what is uploaded waits for it.
 */
export async function tellScanner(
  scanner: Pick<Scanner, 'policy' | 'health' | 'version'>,
  log: Pick<FastifyBaseLogger, 'info' | 'warn'>
): Promise<void> {
  const { isOn, unscanned } = scanner.policy
  if (!isOn) {
    log.warn('no malware scanner: files are stored and shared unscanned (see CONSILIUM_CLAMD)')
    return
  }
  const health = await scanner.health()
  if (health === 'failing') {
    log.warn('the malware scanner does not answer: what is uploaded waits for it')
    return
  }
  const version = await scanner.version().catch(() => 'unknown')
  log.info({ version: version.slice(0, 200), unscanned }, 'malware scanner')
  if (health !== 'ok') log.warn(`the malware scanner's ${health}: see to freshclam`)
}
