import type { KeyObject } from 'node:crypto'
import type { Leaf } from '../entry.ts'
import { columnsUnlikeDetails, columnsUnlikeLeaf, unsealDetails } from './details.ts'
import { erasureCheck } from './erasures.ts'
import type { Findings } from './findings.ts'
import { readLeaf } from './leaf.ts'
import type { EventRow } from './queries.ts'
import { openGrants, shareNumbers } from './story.ts'
import type { FoundEntry } from './walk.ts'

/** An event as the database has it. */
export interface StoredEntry extends FoundEntry {
  row: EventRow
}

/**
 * Looks at each stored event by itself, and keeps what the events tell together. Without the key of
 * the details, these and what only they tell stay unchecked.
 */
export function storedEventCheck(auditKey: KeyObject | undefined, findings: Findings) {
  const numbers = shareNumbers(findings)
  const grants = openGrants(findings)
  const erasures = erasureCheck(findings)
  let events = 0
  let opened = 0

  function checkDetails({ index, row }: StoredEntry, leaf: Leaf): void {
    if (row.detailsSealed === null) {
      erasures.takeErased(row)
      if (row.patientRef !== null) findings.fault(`Event ${index}: it is erased only in part.`)
      return
    }
    if (auditKey === undefined) return
    opened += 1
    const details = unsealDetails(auditKey, leaf, row.detailsSealed)
    if (typeof details === 'string') {
      findings.fault(`Event ${index} (${leaf.id}): its details ${details}.`)
      return
    }
    for (const column of columnsUnlikeDetails(row, details)) {
      findings.fault(`Event ${index}: its column ${column} is not what its details say.`)
    }
    erasures.takeDetails(index, leaf, details)
  }

  return {
    numbers,
    grants,
    visit(entry: StoredEntry): void {
      events += 1
      const { index, row } = entry
      const leaf = readLeaf(entry.leaf)
      if (typeof leaf === 'string') {
        findings.fault(`Event ${index}: its leaf ${leaf}.`)
        return
      }
      for (const column of columnsUnlikeLeaf(row, leaf)) {
        findings.fault(`Event ${index}: its column ${column} is not what its leaf says.`)
      }
      numbers.take(index, leaf)
      grants.take(index, leaf)
      checkDetails(entry, leaf)
    },
    end(): { events: number; details: number; erased: number } {
      if (auditKey !== undefined) erasures.end()
      return { events, details: opened, erased: erasures.count() }
    }
  }
}
