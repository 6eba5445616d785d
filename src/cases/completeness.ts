import type { KeyObject } from 'node:crypto'
import type { Answer, ChecklistView } from '../../schemas/checklist.ts'
import { daysBetween } from '../calendar.ts'
import type { Queries } from '../database/database.ts'
import { recordsOfCase } from '../records/record.ts'
import { openAnswers } from './answers.ts'
import { type ChecklistItem, checklistNow, itemsOf } from './checklists.ts'
import type { RequestRow } from './queries.ts'
import { missingOfRequest, openRequest } from './request.ts'

/** Of records that are there: what was erased since shows nothing any more. */
type Kept = Pick<ReadonlySet<string>, 'has'>

/** The records of a case that an answer may stand on. */
export async function keptRecords(queries: Queries, caseId: string): Promise<Kept> {
  return new Set((await recordsOfCase(queries, caseId)).map(({ id }) => id))
}

/**
 * What a reviewer needs and a case does not have yet: required items of its list that are missing or
 * not answered, then what its request does not say. Empty means that it may be complete.
 */
export function missingOf(key: KeyObject, row: RequestRow, kept: Kept): string[] {
  const answers = answersByItem(openAnswers(key, row)?.answers)
  const items = itemsOf(checklistNow(key, row)).filter(
    ({ id, required }) => required && statusOf(answers.get(id), kept) === 'missing'
  )
  return [...items.map(item => item.id), ...missingOfRequest(openRequest(key, row))]
}

/** The same in words: what stands on the list, not what anybody wrote. */
export function inWords(key: KeyObject, row: RequestRow, missing: string[]): string[] {
  const labels = new Map(itemsOf(checklistNow(key, row)).map(({ id, label }) => [id, label]))
  return missing.map(id => {
    const label = labels.get(id)
    return label === undefined ? `missing: ${id}` : `missing: ${id} (${label})`
  })
}

export function answersByItem(answers: Answer[] | undefined): Map<string, Answer> {
  return new Map(answers?.map(answer => [answer.item, answer]))
}

/** Where an item stands: as it was answered, unless nothing is left of what showed it. */
function statusOf(answer: Answer | undefined, kept: Kept): Answer['status'] {
  if (answer === undefined) return 'missing'
  const { status, note, records = [] } = answer
  const isGone = records.length > 0 && note === undefined && !records.some(id => kept.has(id))
  return isGone ? 'missing' : status
}

/** An item of the list with what was answered, and whether a record of it is too old. */
export function viewItem(
  item: ChecklistItem,
  answer: Answer | undefined,
  dates: Map<string, string>,
  today: string
): ChecklistView['items'][number] {
  const { daysMax, byNote = false, ...rest } = item
  const records = (answer?.records ?? []).flatMap(id => {
    const date = dates.get(id)
    if (date === undefined) return []
    return [{ id, date, stale: daysMax !== undefined && daysBetween(date, today) > daysMax }]
  })
  return {
    ...rest,
    byNote,
    ...(daysMax !== undefined && { daysMax }),
    status: statusOf(answer, dates),
    records,
    ...(answer?.note !== undefined && { note: answer.note }),
    ...(answer?.reason !== undefined && { reason: answer.reason })
  }
}

/** Files that are in the case more than once, by digest. */
export function duplicatesIn(
  objects: { record: string; object: string; sha256: Buffer }[]
): ChecklistView['duplicates'] {
  const found = new Map<string, { record: string; object: string }[]>()
  for (const { record, object, sha256 } of objects) {
    const digest = sha256.toString('hex')
    const others = found.get(digest)
    if (others === undefined) found.set(digest, [{ record, object }])
    else others.push({ record, object })
  }
  return [...found]
    .filter(([, objects]) => objects.length > 1)
    .map(([sha256, objects]) => ({ sha256, objects }))
}
