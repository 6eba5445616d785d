import { setTimeout as sleep } from 'node:timers/promises'
import { Ending } from './ending.ts'
import { isPassing, LineBroken, Refused } from './problem.ts'

const FIRST_MILLISECONDS = 500
const WAIT_MILLISECONDS_MAX = 30_000

export interface Patience {
  /** How long to go on trying while nothing gets through. */
  patienceMilliseconds: number
  /** Ends the run from outside. */
  signal: AbortSignal
  /** Told before each wait. */
  onWait(milliseconds: number, why: string): void
}

/**
 * Does `work` until it succeeds or fails for good. Trouble that passes is waited out: longer each
 * time, as long as the service asks for (Retry-After), and not beyond the patience, which begins
 * with the first failure, and anew whenever `work` says that it got on. Throws Ending `stopped` when
 * that is used up.
 */
export async function patiently<T>(
  { patienceMilliseconds, signal, onWait }: Patience,
  work: (gotOn: () => void) => Promise<T>
): Promise<T> {
  // Not from the beginning of the work: a file may be an hour on its way before its line first breaks.
  let since: number | undefined
  let failures = 0
  for (;;) {
    requireGoing(signal)
    try {
      return await work(() => {
        since = undefined
        failures = 0
      })
    } catch (err) {
      requireGoing(signal)
      if (!isPassing(err)) throw err
      since ??= performance.now()
      const backOff = Math.min(FIRST_MILLISECONDS * 2 ** failures, WAIT_MILLISECONDS_MAX)
      failures += 1
      const asked = err instanceof Refused ? err.retryMilliseconds : undefined
      // Many senders that lost one service must not all come back at once.
      // No time at all, or one that has passed by our clock, is no time to wait: we would ask without end.
      const wait = asked || backOff * (0.5 + Math.random() / 2)
      if (performance.now() - since + wait > patienceMilliseconds) throw givingUp(err, asked)
      onWait(wait, tell(err))
      await sleep(wait, undefined, { signal }).catch(() => {})
    }
  }
}

export function requireGoing(signal: AbortSignal): void {
  if (!signal.aborted) return
  if (signal.reason instanceof Ending) throw signal.reason
  throw new Ending('stopped', 'Interrupted. The same command goes on where it stopped.')
}

function givingUp(err: unknown, asked: number | undefined): Ending {
  const wait = asked === undefined ? '' : ` It asks to wait for ${Math.ceil(asked / 1000)} seconds.`
  return new Ending(
    'stopped',
    `${tell(err)}${wait} The same command goes on where it stopped; --patience says how long to try.`
  )
}

function tell(err: unknown): string {
  if (err instanceof Refused) return `${err.title} (${err.status} ${err.code}).`
  return err instanceof LineBroken ? err.message : 'The line broke.'
}
