const WINDOW_MILLISECONDS = 60_000

/** Callers counted at once. Beyond it every new one shares one count. */
const KEYS_MAX = 50_000

export type Turn = 'within' | 'first-past' | 'past'

export interface RefusalCounter {
  /** Counts one refusal of `key`: within the limit, the first past it, or past it. */
  count(key: string): Promise<Turn>
}

/** Counts one more of `key` in the window of this number, with every other process, and says how many. */
export type CountTogether = (key: string, window: number) => Promise<number>

/**
 * Bounds what refused requests can make the access log grow by: each is a durable event, and a
 * stranger may send thousands a second. Only refused requests are ever counted or slowed down, so
 * nobody can lock out others who share their address. With `countTogether` the limit is one for all
 * processes; once past it nothing more is asked, and when it cannot be asked this process counts alone.
 */
export function refusalCounter(
  perMinuteMax: number,
  clock: () => number,
  countTogether?: CountTogether
): RefusalCounter {
  let window = -1
  const counts = new Map<string, number>()

  function countHere(key: string): number {
    const count = (counts.get(key) ?? 0) + 1
    counts.set(key, count)
    return count
  }

  function turnOf(count: number): Turn {
    if (count <= perMinuteMax) return 'within'
    return count === perMinuteMax + 1 ? 'first-past' : 'past'
  }

  return {
    async count(key) {
      const current = Math.floor(clock() / WINDOW_MILLISECONDS)
      if (current !== window) {
        counts.clear()
        window = current
      }
      const counted = counts.has(key) || counts.size < KEYS_MAX ? key : 'others'
      const here = countHere(counted)
      if (countTogether === undefined) return turnOf(here)
      // It was past the limit before: all have counted that.
      if (here > perMinuteMax + 1) return 'past'
      const count = await countTogether(counted, current).catch(() => here)
      // What all have counted is what this process goes on from, while the window is the same.
      if (current === window) counts.set(counted, Math.max(counts.get(counted) ?? 0, count))
      return turnOf(count)
    }
  }
}
