import type { Answer, ChecklistView, ChecklistWrite } from '../../schemas/checklist.ts'
import { actedBy } from '../audit/acted-by.ts'
import { dayIn } from '../calendar.ts'
import type { Queries } from '../database/database.ts'
import { Refusal } from '../errors.ts'
import type { Exchange } from '../exchange.ts'
import { requireMatch } from '../http/if-match.ts'
import { homeOf } from '../identity/accounts.ts'
import type { Caller } from '../identity/principal.ts'
import {
  openRecordKey,
  recordsOfCase,
  requireRecordsOfCase,
  viewSummary
} from '../records/record.ts'
import { openAnswers, sealAnswers } from './answers.ts'
import { aboutCase, type CaseRow, caseOf, openCaseKey } from './case.ts'
import { plainText } from './check-request.ts'
import { type ChecklistItem, checklistNow, itemsOf } from './checklists.ts'
import { answersByItem, duplicatesIn, missingOf, viewItem } from './completeness.ts'
import { refusedMove } from './move.ts'
import { changeRequest, digestsOfCase, type RequestRow } from './queries.ts'
import { requestRow } from './request.ts'
import { whyNot } from './write-request.ts'

/** What a reviewer needs for this case, what is there, and what is missing, too old or there twice. */
export async function readChecklist(
  exchange: Exchange,
  caller: Caller,
  caseId: string
): Promise<ChecklistView> {
  const found = await caseOf(exchange.database.read, caller, caseId)
  const row = await requestRow(exchange.database.read, caseId)
  const view = await describe(exchange, found, row)
  await exchange.audit.add({
    action: 'checklist.read',
    outcome: 'success',
    ...actedBy(caller, { version: row.answersVersion }),
    ...aboutCase(found)
  })
  return view
}

/**
 * Writes all answers to the checklist of a case over the version that `ifMatch` names. Refusals:
 * `version-changed`, `case-state-refused` for a closed case, and `checklist-…` for an answer that is
 * none. What becomes missing does not undo that the case was complete; it counts at the next share.
 */
export async function answerChecklist(
  exchange: Exchange,
  caller: Caller,
  asked: { caseId: string; ifMatch: string | undefined },
  wanted: ChecklistWrite
): Promise<ChecklistView> {
  const { database, keyring } = exchange
  const { caseId } = asked
  const found = await caseOf(database.read, caller, caseId)
  const before = await requestRow(database.read, caseId)
  requireMatch(asked.ifMatch, before.answersVersion, aboutCase(found))
  if (before.state === 'closed') throw refusedMove(before, 0)

  const key = await openCaseKey(keyring, found)
  const checklist = checklistNow(key, before)
  const answers = checkAnswers(itemsOf(checklist), wanted.answers)
  await requireFit(database.read, caseId, itemsOf(checklist), answers)

  const answersVersion = before.answersVersion + 1
  const answersSealed = sealAnswers(key, caseId, answersVersion, { checklist, answers })
  const { version } = before
  const after = await database.write(async tx => {
    const seen = { version, answersVersion: before.answersVersion }
    const [changed] = await changeRequest(tx, caseId, seen, { answersVersion, answersSealed })
    if (changed === undefined) throw await whyNot(tx, found)
    await exchange.audit.append(tx, {
      action: 'checklist.write',
      outcome: 'success',
      ...actedBy(caller, { version: answersVersion }),
      ...aboutCase(found)
    })
    return changed
  })
  return describe(exchange, found, after)
}

/** Each answer in its one spelling, or the Refusal of the first that is none. */
function checkAnswers(items: ChecklistItem[], answers: Answer[]): Answer[] {
  const byId = new Map(items.map(item => [item.id, item]))
  const seen = new Set<string>()
  return answers.map((answer, place) => {
    const problems = [`answers[${place}]`]
    const item = byId.get(answer.item)
    if (item === undefined) throw new Refusal('checklist-item-unknown', undefined, { problems })
    if (seen.has(item.id)) throw new Refusal('checklist-item-twice', undefined, { problems })
    seen.add(item.id)
    return checkAnswer(item, answer, problems)
  })
}

function checkAnswer(item: ChecklistItem, answer: Answer, problems: string[]): Answer {
  const { status, records, note, reason } = answer
  const isPresent = status === 'present'
  const refuse = (code: Refusal['code']) => new Refusal(code, undefined, { problems })
  if (!isPresent && (records !== undefined || note !== undefined)) {
    throw refuse('checklist-answer-mixed')
  }
  if (status !== 'not-applicable' && reason !== undefined) throw refuse('checklist-answer-mixed')
  if (status === 'not-applicable' && reason === undefined) throw refuse('checklist-reason-missing')
  const isShown = records !== undefined || (item.byNote === true && note !== undefined)
  if (isPresent && !isShown) throw refuse('checklist-records-missing')
  return {
    item: item.id,
    status,
    ...(records && { records }),
    ...(note !== undefined && { note: plainText(`${problems[0]}.note`, note) }),
    ...(reason !== undefined && { reason: plainText(`${problems[0]}.reason`, reason) })
  }
}

/** Every record that is named is of this case, and of a kind that can be the item. */
async function requireFit(
  queries: Queries,
  caseId: string,
  items: ChecklistItem[],
  answers: Answer[]
): Promise<void> {
  const named = [...new Set(answers.flatMap(({ records }) => records ?? []))]
  const rows = await requireRecordsOfCase(queries, caseId, named)
  const kinds = new Map(rows.map(({ id, kind }) => [id, kind]))
  const allowed = new Map(items.map(item => [item.id, item.kinds as string[]]))
  for (const [place, { item, records = [] }] of answers.entries()) {
    const fits = records.every(id => allowed.get(item)?.includes(kinds.get(id) ?? ''))
    if (fits) continue
    const problems = [`answers[${place}]`, `kinds: ${allowed.get(item)?.join(', ')}`]
    throw new Refusal('checklist-record-unfit', undefined, { problems })
  }
}

async function describe(
  { database, keyring, clock }: Exchange,
  found: CaseRow,
  row: RequestRow
): Promise<ChecklistView> {
  const key = await openCaseKey(keyring, found)
  const { timeZone } = await homeOf(database.read, found.organisationId)
  const today = dayIn(timeZone, clock())
  const answers = answersByItem(openAnswers(key, row)?.answers)
  const dates = new Map<string, string>()
  for (const record of await recordsOfCase(database.read, found.id)) {
    const recordKey = await openRecordKey(keyring, { record, case: found })
    dates.set(record.id, viewSummary(record, recordKey).date)
  }
  const checklist = checklistNow(key, row)
  const items = itemsOf(checklist).map(item => viewItem(item, answers.get(item.id), dates, today))
  return {
    case: found.id,
    version: row.answersVersion,
    conditionGroup: checklist.group,
    checklistVersion: checklist.version,
    enforced: row.version > 0,
    items,
    missing: missingOf(key, row, dates),
    stale: items.filter(item => item.records.some(({ stale }) => stale)).map(item => item.id),
    duplicates: duplicatesIn(await digestsOfCase(database.read, found.id))
  }
}
