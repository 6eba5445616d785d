import type { Details, Leaf } from '../entry.ts'
import { ERASED_DAMAGED, ERASED_NAMED_MAX, type ErasedEvent, keptDigest } from '../erased.ts'
import type { Findings } from './findings.ts'
import { indexSet } from './index-set.ts'
import { readLeaf } from './leaf.ts'
import type { EventRow } from './queries.ts'

/** Events without details, and the erasures on the log that account for them. */
export interface Erasures {
  takeErased(row: EventRow): void
  /** Any event with its details, which are those its leaf commits to; an erasure is kept. */
  takeDetails(index: number, leaf: Leaf, details: Details): void
  /** Compares the two. */
  end(read: ErasureReader): Promise<void>
  count(): number
}

/** Looks again at what was read before. */
export interface ErasureReader {
  row(index: number): Promise<EventRow | undefined>
  /** The details of an event that were good when they were taken. */
  details(index: number): Promise<Details>
}

/**
 * Checks that just those events have no details that erasures on the log name, and that these kept
 * the columns they had then. Memory: two bits for each event erased, and one number for each hundred.
 */
export function erasureCheck(findings: Findings): Erasures {
  const erased = indexSet()
  const named = indexSet()
  const erasures: number[] = []

  async function compare(erasure: number, read: ErasureReader): Promise<void> {
    const { details } = await read.details(erasure)
    for (const [index, kept] of namedIn(details, erasure) ?? []) {
      const row = await read.row(index)
      // One that is missing has been told of.
      if (row === undefined) continue
      const wrong = wrongWith(row, kept)
      if (wrong !== undefined) findings.fault(`Event ${index}: ${wrong} (event ${erasure}).`)
    }
  }

  return {
    takeErased: ({ idx }) => void erased.add(idx),
    takeDetails(index, { action }, { details }) {
      if (action !== 'audit.erase') return
      const events = namedIn(details, index)
      if (events === undefined) {
        findings.fault(`Event ${index}: it does not name the events that it erased.`)
        return
      }
      erasures.push(index)
      for (const [event] of events) {
        if (named.add(event)) continue
        findings.fault(`Event ${index}: it erased event ${event}, as another did before it.`)
      }
    },
    async end(read) {
      for (const erasure of erasures) await compare(erasure, read)
      for (const index of erased.values()) {
        if (named.has(index)) continue
        findings.fault(`Event ${index}: its details are gone, and no erasure is on record for it.`)
      }
    },
    count: erased.size
  }
}

function wrongWith(row: EventRow, kept: string): string | undefined {
  if (row.detailsSealed !== null) return 'it has details, which were erased on record'
  if (kept === ERASED_DAMAGED) return 'its details were damaged before they were erased'
  if (kept === keptDigest(keptIn(row))) return undefined
  return 'a column is not what it was when its details were erased'
}

/** The events an erasure names: each earlier than itself, in order. Undefined when it does not. */
function namedIn(details: Details['details'], erasure: number): ErasedEvent[] | undefined {
  const { erased } = details
  if (!Array.isArray(erased) || erased.length > ERASED_NAMED_MAX) return undefined
  let last = -1
  for (const event of erased) {
    if (!Array.isArray(event) || event.length !== 2) return undefined
    const [index, kept] = event
    const isNext = Number.isSafeInteger(index) && index > last && index < erasure
    if (!isNext || typeof kept !== 'string') return undefined
    last = index
  }
  return erased
}

const keptIn = (row: EventRow) => ({
  actor: row.actorId ?? undefined,
  actorOrganisation: row.actorOrganisationId ?? undefined,
  case: row.caseId ?? undefined,
  code: row.code ?? undefined,
  country: row.recipientCountry ?? undefined,
  object: row.objectId ?? undefined,
  organisation: row.organisationId ?? undefined,
  record: row.recordId ?? undefined,
  share: isShareInLeaf(row) ? undefined : (row.shareId ?? undefined)
})

function isShareInLeaf(row: EventRow): boolean {
  const leaf = readLeaf(row.leaf)
  // What is no leaf has been told of.
  return typeof leaf === 'string' || leaf.share !== undefined
}
