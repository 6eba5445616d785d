import { createHash } from 'node:crypto'
import { FILES_LISTED_MAX, type ReviewedRecord } from '../../schemas/opinion.ts'
import { placeAllPending } from '../audit/tree/pending.ts'
import type { CaseRow } from '../cases/case.ts'
import type { Queries } from '../database/database.ts'
import type { Exchange } from '../exchange.ts'
import { viewSummary } from '../records/record.ts'
import { pageOfShares, type ShareRow } from '../shares/share.ts'
import { sharedRecords } from '../shares/shared-records.ts'
import { type EndedRead, endedReads, filesOf } from './queries.ts'

/** Events looked at in one query. */
const EVENTS_PER_QUERY = 1000
/** Reads looked at for one opinion. What was read after so many is not told of. */
const EVENTS_MAX = 200_000
/** Shares of one case with one specialist that are looked at: the newest. */
const SHARES_MAX = 200

type Span = [start: number, end: number]
type HandedOver = 'whole' | 'part' | 'none'

/** What the log says was handed over: spans of bytes by file, and records sent as archives. */
export interface HandedOut {
  spans: Map<string, Span[]>
  archives: Map<string, HandedOver>
}

/**
 * The manifest of what was reviewed: every record that the share lets its specialist read (of a
 * pseudonymised share the copies), its digests, and how much of it the log says was handed to them
 * before now. Whether they looked at it no log can say.
 */
export async function manifestOf(
  exchange: Exchange,
  share: ShareRow,
  found: CaseRow
): Promise<ReviewedRecord[]> {
  const handed = await handedOut(exchange, share)
  const records = []
  let count = 0
  for (const { record, key } of await sharedRecords(exchange, share, found)) {
    const files = await filesOf(exchange.database.read, { recordId: record.id })
    count += files.length
    const { kind, title, date } = viewSummary(record, key, 'specialist')
    const all = createHash('sha256')
    const handedOver = { whole: 0, part: 0, none: 0 }
    const objects = files.map(({ id, bytes, sha256 }) => {
      const digest = sha256.toString('hex')
      all.update(`${digest}\n`)
      const how = howMuch(handed, record.id, { id, bytes })
      handedOver[how] += 1
      return { object: id, bytes, sha256: digest, handedOver: how }
    })
    const { id, bytes } = record
    const sha256 = all.digest('hex')
    const told = { record: id, kind, title, date, files: files.length, bytes, sha256, handedOver }
    records.push({ told, objects: count > FILES_LISTED_MAX ? [] : objects })
  }
  if (count > FILES_LISTED_MAX) return records.map(({ told }) => told)
  return records.map(({ told, objects }) => ({ ...told, objects }))
}

/** Everything that ended reads of this share's specialist tell, of the newest share first. */
async function handedOut(
  { database, audit }: Pick<Exchange, 'database' | 'audit'>,
  share: ShareRow
): Promise<HandedOut> {
  await placeAllPending(database)
  const handed: HandedOut = { spans: new Map(), archives: new Map() }
  let left = EVENTS_MAX
  for (const shareId of await sharesOfTheSame(database.read, share)) {
    const asked = { shareId, actorId: share.specialistId }
    let after = ''
    while (left > 0) {
      const rows = await endedReads(database.read, { ...asked, after }, EVENTS_PER_QUERY)
      for (const row of rows) {
        const { details, damaged } = audit.readDetails(row.id, row.detailsSealed)
        noteRead(handed, row, details, damaged)
      }
      left -= rows.length
      if (rows.length < EVENTS_PER_QUERY) break
      after = rows.at(-1)?.id ?? after
    }
  }
  return handed
}

/**
 * The shares by which these records may have been handed to the same specialist: who was given more
 * time has a new share, and had read by the old one. The copies of a pseudonymised share are its own.
 */
async function sharesOfTheSame(queries: Queries, share: ShareRow): Promise<string[]> {
  if (share.pseudonymised) return [share.id]
  const { organisationId, caseId, specialistId } = share
  const asked = { organisationId, caseId, specialistId, limit: SHARES_MAX }
  const rows = await pageOfShares(queries, asked)
  return rows.filter(({ pseudonymised }) => !pseudonymised).map(({ id }) => id)
}

/**
 * Adds one ended read, with the details of its event, which may have been erased. Of one whose details
 * somebody has changed it is known that something of its file went, and not which part.
 */
export function noteRead(
  { spans, archives }: HandedOut,
  { recordId, objectId, outcome, bytes }: Omit<EndedRead, 'id' | 'detailsSealed'>,
  { range, copy }: { range?: unknown; copy?: unknown },
  damaged = false
): void {
  // Of a copy the log names the record that it shows; which copy it is, is in the details.
  const record = typeof copy === 'string' ? copy : recordId
  if (bytes === null || bytes === 0) return
  if (objectId === null) {
    if (record === null) return
    const how = outcome === 'complete' ? 'whole' : 'part'
    if (archives.get(record) !== 'whole') archives.set(record, how)
    return
  }
  const start = Array.isArray(range) ? Number(range[0]) : 0
  const own = spans.get(objectId) ?? []
  // Added to what is there: a slide is read in tens of thousands of pieces.
  own.push(damaged ? [0, 0] : [start, start + bytes])
  spans.set(objectId, own)
}

/** How much of a file was handed over: alone, in parts, or with all of its record. */
export function howMuch(
  { spans, archives }: HandedOut,
  recordId: string,
  { id, bytes }: { id: string; bytes: number }
): HandedOver {
  if (archives.get(recordId) === 'whole') return 'whole'
  const own = [...(spans.get(id) ?? [])].sort(([a], [b]) => a - b)
  let reached = 0
  for (const [start, end] of own) if (start <= reached) reached = Math.max(reached, end)
  if (own.length > 0 && reached >= bytes) return 'whole'
  return own.length > 0 || archives.has(recordId) ? 'part' : 'none'
}
