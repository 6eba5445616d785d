import type { Details, Leaf } from '../entry.ts'
import type { Findings } from './findings.ts'
import type { EventRow } from './queries.ts'

/** Events without details, and the erasures on the log that account for them. */
export interface Erasures {
  takeErased(row: EventRow): void
  /** Any event with its details; those of an erasure are kept. */
  takeDetails(index: number, leaf: Leaf, details: Details): void
  /** Compares the two. */
  end(): void
  count(): number
}

/**
 * Checks that what has no details was erased by order and on the record, and not by a hand in the
 * database. Memory: the events erased.
 */
export function erasureCheck(findings: Findings): Erasures {
  const erased: { index: number; id: string; caseId: string | null }[] = []
  const events = new Set<unknown>()
  /** Up to which place each case was erased. */
  const cases = new Map<string, number>()
  let onRecord = 0

  return {
    takeErased({ idx, id, caseId }) {
      erased.push({ index: idx, id, caseId })
    },
    takeDetails(index, { action }, { case: caseId, details }) {
      if (action !== 'audit.erase') return
      onRecord += Number(details.events) || 0
      if (details.event !== undefined) events.add(details.event)
      else if (caseId !== undefined) cases.set(caseId, index)
    },
    end() {
      for (const { index, id, caseId } of erased) {
        const ofCase = caseId !== null && index < (cases.get(caseId) ?? 0)
        if (ofCase || events.has(id)) continue
        findings.fault(`Event ${index}: its details are gone, and no erasure is on record for it.`)
      }
      // An erased event may have been given the case of another, or its details back: then the sum is
      // wrong.
      if (erased.length !== onRecord) {
        findings.fault(
          `${erased.length} events have no details; ${onRecord} were erased on record.`
        )
      }
    },
    count: () => erased.length
  }
}
