import type { Leaf } from '../entry.ts'
import type { Findings } from './findings.ts'

// What leaves tell together: the numbers of each share follow one another, and a disclosure is
// granted once and completed once.

/** Numbers of the events of each share, in the order of the log. */
export interface ShareNumbers {
  take(index: number, leaf: Leaf): void
  /** The last number of each share. */
  last: ReadonlyMap<string, number>
}

/**
 * Checks that each share counts its events 1, 2, 3 … without leaving out or repeating a number.
 * Memory: one number for each share.
 */
export function shareNumbers(findings: Findings): ShareNumbers {
  const last = new Map<string, number>()
  return {
    last,
    take(index, { share, n }) {
      if (share === undefined || n === undefined) return
      const before = last.get(share) ?? 0
      if (n <= before) {
        findings.fault(`Event ${index}: number ${n} of share ${share} comes again after ${before}.`)
        return
      }
      if (n > before + 1) {
        const missing = rangeOf(before + 1, n - 1)
        findings.fault(`Event ${index}: before it, number ${missing} of share ${share} is missing.`)
      }
      last.set(share, n)
    }
  }
}

const rangeOf = (first: number, last: number): string =>
  first === last ? `${first}` : `${first} to ${last}`

/**
 * The same for an export, newest first, where what was not asked for is left out: that is a notice.
 * Numbers that do not rise with the indexes are a fault. Memory: two numbers for each share.
 */
export function shownNumbers(findings: Findings) {
  const last = new Map<string, { index: number; n: number }>()
  const notShown = (first: number, to: number, share: string) =>
    findings.notice(`Number ${rangeOf(first, to)} of share ${share} is not in the file.`)
  return {
    take(place: string, index: number, { share, n }: Leaf) {
      if (share === undefined || n === undefined) return
      const after = last.get(share)
      last.set(share, { index, n })
      if (after === undefined) return
      const rises = Math.sign(index - after.index) === Math.sign(n - after.n)
      if (!rises) findings.fault(`${place}: number ${n} of share ${share} comes again.`)
      else if (n < after.n - 1) notShown(n + 1, after.n - 1, share)
    },
    end() {
      for (const [share, { n }] of last) if (n > 1) notShown(1, n - 1, share)
    }
  }
}

/** Disclosures that are granted and not yet completed. */
export interface OpenGrants {
  take(index: number, leaf: Leaf): void
  /** The index of each grant that is still open, by its id. */
  open: ReadonlyMap<string, { index: number; share: string | undefined }>
}

/**
 * Checks that what is completed was granted before, to the same share, and is completed once.
 * Memory: the grants that are open, however long the log.
 */
export function openGrants(findings: Findings): OpenGrants {
  const open = new Map<string, { index: number; share: string | undefined }>()
  return {
    open,
    take(index, { id, grant, outcome, share }) {
      if (outcome === 'granted') open.set(id, { index, share })
      if (grant === undefined) return
      const granted = open.get(grant)
      if (granted === undefined) {
        findings.fault(
          `Event ${index}: it completes ${grant}, which was not granted before it or is complete already.`
        )
      } else if (granted.share !== share) {
        findings.fault(`Event ${index}: it completes event ${granted.index} of another share.`)
      }
      open.delete(grant)
    }
  }
}
