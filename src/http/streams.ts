import type { Ending } from '../audit/disclosures.ts'
import type { TakePlace } from '../database/places.ts'
import { Refusal } from '../errors.ts'
import type { Principal } from '../identity/principal.ts'

/** Uploads or downloads under way in this process. */
export interface Streams {
  /**
   * Takes a place for one stream. Refusal `too-many-…` when the account has none left in any process,
   * and `service-stopping` once all were cut. It is cut, as `revoked`, when its caller would no longer
   * be known. `leave` when nothing of the stream is left to be done.
   */
  enter(caller: Principal, cut: (ending: Ending) => void): Promise<{ leave(): void }>
  count(): number
  /** Cuts all, and lets no more begin. */
  cutAll(ending: Ending): void
  /** Resolves when no stream is left, or after `milliseconds`. */
  settled(milliseconds: number): Promise<void>
}

/** What a sender is told whose upload was cut. */
export const refusalOf = (ending: Ending): Refusal =>
  new Refusal(ending === 'stopped' ? 'service-stopping' : 'session-ended')

/** How whoever stands behind a stream is looked after while it runs. */
export interface Watch {
  takePlace: TakePlace
  isStillKnown(caller: Principal): Promise<boolean>
  /** How often that is asked. */
  everyMilliseconds: number
}

export function createStreams(
  perAccountMax: number,
  tooMany: 'too-many-streams' | 'too-many-uploads',
  { takePlace, isStillKnown, everyMilliseconds }: Watch
): Streams {
  const running = new Set<(ending: Ending) => void>()
  const waiting = new Set<() => void>()
  let stopped = false

  return {
    async enter(caller, cut) {
      if (stopped) throw new Refusal('service-stopping')
      const giveBack = await takePlace(`${tooMany} ${caller.accountId}`, perAccountMax)
      if (giveBack === undefined) throw new Refusal(tooMany)
      if (stopped) {
        giveBack()
        throw new Refusal('service-stopping')
      }
      // A function of its own for each stream, even if two were to share theirs.
      const stream = (ending: Ending) => cut(ending)
      running.add(stream)
      let asking = false
      const watch = setInterval(async () => {
        if (asking) return
        asking = true
        // When the answer cannot be had, content ends by its own watch, and nothing can be stored.
        const isKnown = await isStillKnown(caller).catch(() => true)
        asking = false
        if (!isKnown) stream('revoked')
      }, everyMilliseconds)
      return {
        leave() {
          clearInterval(watch)
          giveBack()
          running.delete(stream)
          if (running.size === 0) for (const done of waiting) done()
        }
      }
    },
    count: () => running.size,
    cutAll(ending) {
      stopped = true
      for (const cut of running) cut(ending)
    },
    settled(milliseconds) {
      if (running.size === 0) return Promise.resolve()
      return new Promise(resolve => {
        const done = () => {
          clearTimeout(timer)
          waiting.delete(done)
          resolve()
        }
        const timer = setTimeout(done, milliseconds)
        waiting.add(done)
      })
    }
  }
}
