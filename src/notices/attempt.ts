/** What came of one attempt to deliver a notice. `code` is public and names nobody. */
export type Attempt =
  | { result: 'sent' }
  /** For good: whoever was asked will never take it. */
  | { result: 'failed'; code: string }
  /** There is nothing to tell any more, or nobody who wants to know. */
  | { result: 'dropped'; code: string }
  /** Nobody will take it any more because it comes too late. */
  | { result: 'given-up'; code: string }
  /** Not this time. `all`: the others of its kind would fare no better now. */
  | { result: 'later'; code: string; all?: true }

const MINUTE_MILLISECONDS = 60_000
const DAY_MILLISECONDS = 86_400_000

export const RETRY_FIRST_MILLISECONDS = 30_000
export const RETRY_MILLISECONDS_MAX = 120 * MINUTE_MILLISECONDS
/** A notice that nobody took for so long is given up. */
export const GIVE_UP_MILLISECONDS = 3 * DAY_MILLISECONDS
/** A notice that has ended is removed after so long. */
export const KEEP_MILLISECONDS = 90 * DAY_MILLISECONDS

/**
 * How long to wait after this many attempts: twice as long each time, up to a limit, and by chance
 * up to half of it less, so that what failed together does not come back together.
 */
export function retryDelay(attempts: number, random: () => number = Math.random): number {
  const doubled = RETRY_FIRST_MILLISECONDS * 2 ** Math.min(Math.max(attempts - 1, 0), 20)
  return Math.round(Math.min(doubled, RETRY_MILLISECONDS_MAX) * (1 - random() / 2))
}
