const WINDOW_MILLISECONDS = 60_000

/** Callers counted at once. Beyond it every new one shares one count. */
const KEYS_MAX = 50_000

export interface RefusalCounter {
  /** Counts one refusal of `key`: within the limit, the first past it, or past it. */
  count(key: string): 'within' | 'first-past' | 'past'
}

/**
 * Bounds what refused requests can make the access log grow by: each is a durable event, and a
 * stranger may send thousands a second. Only refused requests are ever counted or slowed down, so
 * nobody can lock out others who share their address.
 */
export function refusalCounter(perMinuteMax: number, clock: () => number): RefusalCounter {
  let windowEnds = 0
  const counts = new Map<string, number>()
  return {
    count(key) {
      const now = clock()
      if (now >= windowEnds) {
        counts.clear()
        windowEnds = now + WINDOW_MILLISECONDS
      }
      const counted = counts.has(key) || counts.size < KEYS_MAX ? key : 'others'
      const count = (counts.get(counted) ?? 0) + 1
      counts.set(counted, count)
      if (count <= perMinuteMax) return 'within'
      return count === perMinuteMax + 1 ? 'first-past' : 'past'
    }
  }
}
