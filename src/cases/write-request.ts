import type { RequestView, RequestWrite } from '../../schemas/request.ts'
import { actedBy } from '../audit/acted-by.ts'
import { dayEnds, dayIn } from '../calendar.ts'
import type { Queries } from '../database/database.ts'
import { Refusal } from '../errors.ts'
import type { Exchange } from '../exchange.ts'
import { requireMatch } from '../http/if-match.ts'
import { homeOf } from '../identity/accounts.ts'
import type { Caller } from '../identity/principal.ts'
import { requireRecordsOfCase } from '../records/record.ts'
import { aboutCase, type CaseRow, caseOf, openCaseDetails, openCaseKey } from './case.ts'
import { checkRequest } from './check-request.ts'
import { checklistNow, newestChecklist } from './checklists.ts'
import { refusedMove } from './move.ts'
import { changeRequest, liveShares, type RequestRow } from './queries.ts'
import {
  openRequest,
  type RequestDetails,
  requestRow,
  sealRequest,
  viewRequest
} from './request.ts'
import { circumstances } from './view.ts'
import { warningsOf } from './warnings.ts'

/** The request of a case of the caller's organisation, with what should be seen to. */
export async function readRequest(
  exchange: Exchange,
  caller: Caller,
  caseId: string
): Promise<RequestView> {
  const found = await caseOf(exchange.database.read, caller, caseId)
  const row = await requestRow(exchange.database.read, caseId)
  const view = await describe(exchange, found, row)
  await exchange.audit.add({
    action: 'request.read',
    outcome: 'success',
    ...actedBy(caller, { version: row.version }),
    ...aboutCase(found)
  })
  return view
}

/**
 * Writes the request of a case, whole, over the version that `ifMatch` names. Of two who change the
 * same version one is refused (`version-changed`) and nothing of theirs is kept. Other refusals:
 * `case-state-refused` for a closed case, and one of its own for each field that is wrong.
 */
export async function writeRequest(
  exchange: Exchange,
  caller: Caller,
  asked: { caseId: string; ifMatch: string | undefined },
  wanted: RequestWrite
): Promise<RequestView> {
  const { database, clock } = exchange
  const { caseId } = asked
  const found = await caseOf(database.read, caller, caseId)
  const about = aboutCase(found)
  const before = await requestRow(database.read, caseId)
  requireMatch(asked.ifMatch, before.version, about)
  if (before.state === 'closed') throw refusedMove(before, 0)

  const key = await openCaseKey(exchange.keyring, found)
  const { timeZone } = await homeOf(database.read, found.organisationId)
  const details = withChecklist(
    checkRequest(
      wanted,
      { details: openRequest(key, before), questionsShared: before.questionsShared },
      dayIn(timeZone, clock())
    ),
    checklistNow(key, before)
  )
  await requireLetter(database.read, found, details.referralLetter)

  const version = before.version + 1
  const requestSealed = sealRequest(key, caseId, version, details)
  const { dueDate } = details
  const dueAt = dueDate === undefined ? null : dayEnds(timeZone, dueDate)
  const after = await database.write(async tx => {
    const { questionsShared } = before
    const seen = { version: before.version, questionsShared }
    const [changed] = await changeRequest(tx, caseId, seen, {
      version,
      requestSealed,
      dueAt,
      changedAt: clock(),
      changedBy: caller.accountId
    })
    if (changed === undefined) throw await whyNot(tx, found)
    await exchange.audit.append(tx, {
      action: 'request.write',
      outcome: 'success',
      ...actedBy(caller, { version }),
      ...about
    })
    return changed
  })
  return describe(exchange, found, after)
}

/** The list that a case began with stays with it, whatever lists come after, in the same group. */
function withChecklist(
  details: Omit<RequestDetails, 'checklist'>,
  kept: RequestDetails['checklist']
): RequestDetails {
  const { conditionGroup } = details
  const checklist = kept.group === conditionGroup ? kept : newestChecklist(conditionGroup)
  return { ...details, checklist }
}

/** Why a guarded change changed nothing. */
export async function whyNot(tx: Queries, found: CaseRow): Promise<Refusal> {
  const row = await requestRow(tx, found.id)
  if (row.state === 'closed') return refusedMove(row, 0)
  return new Refusal('version-changed', 'meanwhile', { about: aboutCase(found) })
}

/** The referral letter is a record of this case, and of a kind that can be one. */
async function requireLetter(queries: Queries, found: CaseRow, id: string | undefined) {
  if (id === undefined) return
  const [record] = await requireRecordsOfCase(queries, found.id, [id])
  if (record?.kind === 'referral' || record?.kind === 'letter') return
  throw new Refusal('referral-record-unfit', record?.kind, { about: aboutCase(found) })
}

async function describe(
  { database, keyring, clock }: Exchange,
  found: CaseRow,
  row: RequestRow
): Promise<RequestView> {
  const now = clock()
  const key = await openCaseKey(keyring, found)
  const details = openRequest(key, row)
  const { country: homeCountry, timeZone } = await homeOf(database.read, found.organisationId)
  const shares = await liveShares(database.read, { caseId: found.id, now })
  const sharedWith = shares.map(share => share.country)
  const today = dayIn(timeZone, now)
  const warnings = warningsOf(details, circumstances(row, sharedWith, { today, homeCountry }))
  const { question } = openCaseDetails(key, found)
  return viewRequest(row, details, { question, checklist: checklistNow(key, row) }, warnings)
}
