import { createHash } from 'node:crypto'
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { AuditExportSearch } from '../../../schemas/audit-query.ts'
import type { Exchange } from '../../exchange.ts'
import { SealError } from '../../sealing/seal-error.ts'
import { openDetails, SALT_BYTES } from '../entry.ts'
import { readThroughTiles, type Tile, tilePath } from '../tlog/tiles.ts'
import { proveInclusion, type ReadHashes } from '../tlog/tree.ts'
import { readTile } from '../tree/grow-tree.ts'
import { type EventFilter, type EventRow, pageOfEvents, wasHidden } from './queries.ts'

// An export that anyone with the verifier key can check offline, line by line: docs/audit-log.md,
// "Exports with proofs".

export const EXPORT_FORMAT = 'consilium-audit-export'
export const EXPORT_VERSION = 1

/** Events read from the database at a time. */
const PAGE_EVENTS = 500
const TILES_KEPT_MAX = 64
const NODES_KEPT_MAX = 16_384

/** The first line. */
export interface ExportHead {
  format: typeof EXPORT_FORMAT
  version: typeof EXPORT_VERSION
  /** The signed note that every proof leads to. */
  checkpoint: string
  /** Verifier keys of the log. */
  keys: string[]
  /** What was asked for. A patient is not named. */
  filter: Record<string, string>
}

/** A line for each event, newest first as in every export. */
export interface ExportEvent {
  index: number
  leaf: string
  /** Base64. With `details`, unless these are not told. */
  salt?: string
  /** The canonical text that salt and leaf commit to. */
  details?: string
  /** Nobody has the details any more. */
  erased?: true
  /** The details are another organisation's. */
  withheld?: true
  /** The details were changed where they are kept. */
  damaged?: true
  /** Base64, from the leaf's sibling upwards. */
  proof: string[]
}

/** The last line: a file without it was cut off. */
export interface ExportEnd {
  end: true
  events: number
  /** Of all lines before, with their newlines, in hex. */
  sha256: string
}

/**
 * Everything on the log now that matches, newest first. Rejects before the first line when the log
 * cannot be signed; memory stays the same however long the export is.
 */
export async function exportProofs(
  exchange: Exchange,
  filter: EventFilter,
  question: Omit<AuditExportSearch, 'format'>
): Promise<AsyncGenerator<string>> {
  const { tree } = exchange
  const { note, size } = await tree.settle()
  const keys = tree.keys.keys.map(({ vkey }) => vkey)
  const asked = { ...question, ...(question.patient && { patient: 'one, not named here' }) }
  const head: ExportHead = {
    format: EXPORT_FORMAT,
    version: EXPORT_VERSION,
    checkpoint: note,
    keys,
    filter: { organisation: filter.organisationId, ...(asked as Record<string, string>) }
  }

  const read = rememberedHashes(size, tile =>
    readTile(exchange.database.read, tile.level, tile.index, tile.width)
  )

  async function* lines(): AsyncGenerator<string> {
    const digest = createHash('sha256')
    const first = lineOf(head)
    digest.update(first)
    yield first
    let events = 0
    for await (const rows of matchingRows(exchange, filter, size)) {
      const page: string[] = []
      for (const row of rows) {
        const proof = await proveInclusion(row.idx, size, read)
        page.push(lineOf(provenEvent(exchange, filter.organisationId, row, proof)))
      }
      const text = page.join('')
      digest.update(text)
      events += rows.length
      yield text
    }
    yield lineOf({ end: true, events, sha256: digest.digest('hex') })
  }
  return lines()
}

const lineOf = (line: ExportHead | ExportEvent | ExportEnd): string => `${JSON.stringify(line)}\n`

/** Every matching event of the first `size`, some at a time. */
async function* matchingRows(
  { database }: Exchange,
  filter: EventFilter,
  size: number
): AsyncGenerator<EventRow[]> {
  for (let before: string | undefined; ; ) {
    const { rows, next } = await pageOfEvents(database, filter, before, PAGE_EVENTS)
    // What was written since has no proof yet.
    yield rows.filter(row => row.idx < size)
    if (next === undefined) return
    before = next
    // Where little matches nothing is sent, and other requests still get their turn.
    await nextTurn()
  }
}

function provenEvent(
  { serviceKeys }: Exchange,
  organisationId: string,
  row: EventRow,
  proof: Buffer[]
): ExportEvent {
  const { idx, id, leaf, detailsSealed } = row
  const head = { index: idx, leaf: leaf.toString() }
  const tail = { proof: proof.map(hash => hash.toString('base64')) }
  if (detailsSealed === null) return { ...head, erased: true, ...tail }
  if (isWithheld(row, organisationId)) return { ...head, withheld: true, ...tail }
  try {
    const salted = openDetails(serviceKeys.audit, id, detailsSealed)
    const salt = salted.toString('base64', 0, SALT_BYTES)
    return { ...head, salt, details: salted.toString('utf8', SALT_BYTES), ...tail }
  } catch (err) {
    if (!(err instanceof SealError)) throw err
    return { ...head, damaged: true, ...tail }
  }
}

/**
 * A commitment opens whole or not at all. What an organisation must not learn of another's data
 * stays closed: what its people were told does not exist, and the reference of a patient, by which
 * it could tell that they are a patient of its own.
 */
function isWithheld(row: EventRow, organisationId: string): boolean {
  if (row.organisationId === organisationId) return false
  return row.patientRef !== null || wasHidden(row, organisationId)
}

/** Reads tiles for proofs of events near one another: each tile, and each node, about once. */
export function rememberedHashes(
  size: number,
  readTile: (tile: Tile) => Promise<Buffer>
): ReadHashes {
  const tiles = new Map<string, Promise<Buffer>>()
  const nodes = new Map<string, Buffer>()

  const read = readThroughTiles(size, tile => {
    const path = tilePath(tile)
    const known = tiles.get(path) ?? readTile(tile)
    // The one asked for last goes last, so that tiles near the root stay.
    tiles.delete(path)
    tiles.set(path, known)
    const [oldest] = tiles.keys()
    if (tiles.size > TILES_KEPT_MAX && oldest !== undefined) tiles.delete(oldest)
    return known
  })

  return async subtrees => {
    const names = subtrees.map(({ level, index }) => `${level}/${index}`)
    const isNew = (_: unknown, n: number) => !nodes.has(names[n] ?? '')
    const missing = subtrees.filter(isNew)
    const hashes = missing.length === 0 ? [] : await read(missing)
    for (const [n, name] of names.filter(isNew).entries()) nodes.set(name, hashes[n] as Buffer)
    const found = names.map(name => nodes.get(name) as Buffer)
    if (nodes.size > NODES_KEPT_MAX) nodes.clear()
    return found
  }
}
