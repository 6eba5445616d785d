import type { KeyObject } from 'node:crypto'
import type { Details, Leaf } from '../entry.ts'
import { columnsUnlikeDetails, columnsUnlikeLeaf, unsealDetails } from './details.ts'
import { type ErasureReader, erasureCheck } from './erasures.ts'
import type { Findings } from './findings.ts'
import { readLeaf } from './leaf.ts'
import type { EventRow } from './queries.ts'
import { openGrants, shareNumbers } from './story.ts'
import type { FoundEntry } from './walk.ts'

/** An event as the database has it. */
export interface StoredEntry extends FoundEntry {
  row: EventRow
}

interface Looked {
  events: number
  details: number
  erased: number
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
    for (const column of columnsUnlikeDetails(row, leaf, details)) {
      findings.fault(`Event ${index}: its column ${column} is not what its details say.`)
    }
    erasures.takeDetails(index, leaf, details)
  }

  function detailsAgain(row: EventRow | undefined): Details {
    const leaf = row && readLeaf(row.leaf)
    if (!auditKey || !row?.detailsSealed || typeof leaf !== 'object') throw changedMeanwhile()
    const details = unsealDetails(auditKey, leaf, row.detailsSealed)
    if (typeof details === 'string') throw changedMeanwhile()
    return details
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
    /** `rowAt` reads an event again, as it was read before. */
    async end(rowAt: ErasureReader['row']): Promise<Looked> {
      if (auditKey !== undefined) {
        await erasures.end({ row: rowAt, details: async index => detailsAgain(await rowAt(index)) })
      }
      return { events, details: opened, erased: erasures.count() }
    }
  }
}

/** It cannot: everything is read from one snapshot. */
const changedMeanwhile = () => new Error('An event changed while it was verified.')
