import type { Clock } from '../exchange.ts'

/** Time of waiting for a sender over which it is judged. What we take ourselves does not count. */
export const PACE_WINDOW_SECONDS = 60

/** Whether whoever has the place of an upload makes use of it. */
export interface Pace {
  /** From now on the next piece is awaited. */
  wait(): void
  /** A piece has come. True when the sender has been too slow; then it is judged anew. */
  isTooSlow(pieceBytes: number): boolean
  /** The place was given back meanwhile: nobody was kept waiting. */
  startAnew(): void
}

/** Judges a sender who must bring `bytesPerSecondMin` on average. */
export function paceOf(clock: Clock, bytesPerSecondMin: number): Pace {
  let [waitedMilliseconds, bytes] = [0, 0]
  let since: number | undefined
  const startAnew = () => {
    waitedMilliseconds = bytes = 0
    since = undefined
  }
  return {
    wait() {
      since = clock()
    },
    isTooSlow(pieceBytes) {
      if (since !== undefined) waitedMilliseconds += Math.max(0, clock() - since)
      since = undefined
      bytes += pieceBytes
      const seconds = waitedMilliseconds / 1000
      if (seconds < PACE_WINDOW_SECONDS) return false
      const isSlow = bytes < seconds * bytesPerSecondMin
      startAnew()
      return isSlow
    },
    startAnew
  }
}
