import type { Ending } from '../audit/disclosures.ts'
import { Refusal } from '../errors.ts'
import { createPlaces } from './places.ts'

/** Content streams under way in this process. */
export interface Streams {
  /** Takes a place for one stream; Refusal `too-many-streams` when the account has none left. */
  enter(accountId: string, cut: (ending: Ending) => void): { leave(): void }
  count(): number
  cutAll(ending: Ending): void
  /** Resolves when no stream is left, or after `milliseconds`. */
  settled(milliseconds: number): Promise<void>
}

export function createStreams(perAccountMax: number): Streams {
  const places = createPlaces(perAccountMax)
  const running = new Set<(ending: Ending) => void>()
  const waiting = new Set<() => void>()

  return {
    enter(accountId, cut) {
      const giveBack = places.take(accountId)
      if (giveBack === undefined) throw new Refusal('too-many-streams')
      // A function of its own for each stream, even if two were to share theirs.
      const stream = (ending: Ending) => cut(ending)
      running.add(stream)
      return {
        leave() {
          giveBack()
          running.delete(stream)
          if (running.size === 0) for (const done of waiting) done()
        }
      }
    },
    count: () => running.size,
    cutAll(ending) {
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
