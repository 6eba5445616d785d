import type { Ending } from '../audit/disclosures.ts'
import { Refusal } from '../errors.ts'

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
  const running = new Set<{ accountId: string; cut: (ending: Ending) => void }>()
  const perAccount = new Map<string, number>()
  const waiting = new Set<() => void>()

  return {
    enter(accountId, cut) {
      const count = perAccount.get(accountId) ?? 0
      if (count >= perAccountMax) throw new Refusal('too-many-streams')
      perAccount.set(accountId, count + 1)
      const stream = { accountId, cut }
      running.add(stream)
      return {
        leave() {
          if (!running.delete(stream)) return
          const left = (perAccount.get(accountId) ?? 1) - 1
          if (left > 0) perAccount.set(accountId, left)
          else perAccount.delete(accountId)
          if (running.size === 0) for (const done of waiting) done()
        }
      }
    },
    count: () => running.size,
    cutAll(ending) {
      for (const stream of running) stream.cut(ending)
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
