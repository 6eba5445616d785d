import type { KeyObject } from 'node:crypto'
import type { ShareView } from '../../schemas/share.ts'
import { type CaseRow, caseOf, isErased } from '../cases/case.ts'
import type { Queries } from '../database/database.ts'
import { Refusal } from '../errors.ts'
import type { Exchange } from '../exchange.ts'
import { namesOf } from '../identity/people.ts'
import type { Caller } from '../identity/principal.ts'
import { seenElsewhere } from '../transfers/sightings.ts'
import { findShare, findShareRecords, waitingForTime } from './queries.ts'
import { openTerms, type ShareRow, viewShare } from './share.ts'
import { clocksOf, isRunning, tellTurnaround } from './turnaround.ts'

/** Opens the key of a case, or leaves out what only a key would show. */
export type KeyOf = (found: CaseRow) => Promise<KeyObject | undefined>

/** Shares as the people of their organisation see them, in their order. */
export async function viewSent(
  { database, clock, serviceKeys }: Pick<Exchange, 'database' | 'clock' | 'serviceKeys'>,
  caller: Caller,
  rows: ShareRow[],
  keyOf: KeyOf
): Promise<ShareView[]> {
  const { read } = database
  const clocks = await clocksOf(read, rows)
  const ids = rows.map(row => row.id)
  const waiting = new Set((await waitingForTime(read, ids)).map(({ shareId }) => shareId))
  const specialists = [...new Set(rows.map(row => row.specialistId))]
  const names = await namesOf(read, serviceKeys, specialists)
  const views = []
  for (const row of rows) {
    const found = await caseOf(read, caller, row.caseId)
    const records = await findShareRecords(read, { shareId: row.id })
    const key = isErased(found) ? undefined : await keyOf(found)
    const elsewhere = await seenElsewhere(read, row.id)
    const now = clock()
    const name = names.get(row.specialistId)
    const times = clocks.get(row.id)
    if (times === undefined) throw new Error('A share has no clock.')
    views.push({
      ...viewShare(
        row,
        records.map(({ recordId }) => recordId),
        key && openTerms(key, row),
        now
      ),
      ...(name !== undefined && { specialistName: name }),
      country: row.recipientCountry,
      ...tellTurnaround(times, now),
      ...(elsewhere.length > 0 && { accessesElsewhere: elsewhere }),
      ...(waiting.has(row.id) && isRunning(times) && { moreTimeAsked: true })
    })
  }
  return views
}

/** A share that the caller's organisation sent. */
export async function sentShare(
  queries: Queries,
  caller: Caller,
  shareId: string
): Promise<{ row: ShareRow; found: CaseRow }> {
  const [row] = await findShare(queries, { id: shareId })
  if (row === undefined) throw new Refusal('share-not-found', 'unknown')
  try {
    return { row, found: await caseOf(queries, caller, row.caseId) }
  } catch (err) {
    if (!(err instanceof Refusal)) throw err
    const { recipientCountry } = row
    const about = { ...err.extra.about, triedShareId: shareId, recipientCountry }
    throw new Refusal('share-not-found', err.message, { about })
  }
}
