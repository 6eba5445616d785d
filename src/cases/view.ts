import type { KeyObject } from 'node:crypto'
import type { CaseSummary, CaseView } from '../../schemas/case.ts'
import { timestamp } from '../../schemas/common.ts'
import { lastEventTimes } from '../audit/last-event.ts'
import { dayIn } from '../calendar.ts'
import type { Exchange } from '../exchange.ts'
import { homeOf } from '../identity/accounts.ts'
import { type CaseRow, openCaseDetails, openCaseKey } from './case.ts'
import { viewMove } from './move.ts'
import { caseState } from './moves.ts'
import { liveShares, movesOf, type RequestRow, requestsOf } from './queries.ts'
import { openRequest } from './request.ts'
import { type Circumstances, warningsOf } from './warnings.ts'

/** What all cases of a view are looked at by: one look each, however many there are. */
interface Surroundings {
  requests: Map<string, RequestRow>
  /** Countries of the live shares of each case. */
  shared: Map<string, string[]>
  lastEvents: Map<string, number>
  today: string
  homeCountry: string
}

/** Cases of one organisation, each with where it stands and what should be seen to. */
export async function viewCases(
  exchange: Exchange,
  organisationId: string,
  rows: CaseRow[]
): Promise<CaseSummary[]> {
  const around = await surroundings(exchange, organisationId, rows)
  return Promise.all(
    rows.map(async row => summary(row, await openCaseKey(exchange.keyring, row), around))
  )
}

/** One case with every move it has made. */
export async function viewCase(exchange: Exchange, row: CaseRow): Promise<CaseView> {
  const around = await surroundings(exchange, row.organisationId, [row])
  const key = await openCaseKey(exchange.keyring, row)
  const moves = await movesOf(exchange.database.read, row.id)
  return { ...summary(row, key, around), moves: moves.map(move => viewMove(key, move)) }
}

async function surroundings(
  { database, clock }: Exchange,
  organisationId: string,
  rows: CaseRow[]
): Promise<Surroundings> {
  const { read } = database
  const now = clock()
  const ids = rows.map(row => row.id)
  const { country, timeZone } = await homeOf(read, organisationId)
  const shared = new Map<string, string[]>()
  for (const share of ids.length === 0 ? [] : await liveShares(read, ids, now)) {
    shared.set(share.caseId, [...(shared.get(share.caseId) ?? []), share.country])
  }
  const requests = ids.length === 0 ? [] : await requestsOf(read, ids)
  return {
    requests: new Map(requests.map(row => [row.caseId, row])),
    shared,
    lastEvents: await lastEventTimes(read, ids),
    today: dayIn(timeZone, now),
    homeCountry: country
  }
}

function summary(row: CaseRow, key: KeyObject, around: Surroundings): CaseSummary {
  const request = around.requests.get(row.id)
  if (request === undefined) throw new Error('A case has no row that says where it stands.')
  const details = openRequest(key, request)
  const sharedWith = around.shared.get(row.id) ?? []
  const lastEventAt = around.lastEvents.get(row.id)
  return {
    id: row.id,
    organisation: row.organisationId,
    createdBy: row.createdBy,
    createdAt: timestamp(row.createdAt),
    ...openCaseDetails(key, row),
    state: caseState(request, sharedWith.length),
    ...(request.completedAt !== null && { completeAt: timestamp(request.completedAt) }),
    ...(details?.dueDate !== undefined && { dueDate: details.dueDate }),
    ...(request.dueAt !== null && { dueAt: timestamp(request.dueAt) }),
    sharesLive: sharedWith.length,
    warnings: warningsOf(details, circumstances(request, sharedWith, around)),
    ...(lastEventAt !== undefined && { lastEventAt: timestamp(lastEventAt) })
  }
}

/** By what the warnings of one case are judged. */
export function circumstances(
  request: RequestRow,
  sharedWith: string[],
  { today, homeCountry }: Pick<Circumstances, 'today' | 'homeCountry'>
): Circumstances {
  return {
    today,
    homeCountry,
    sharedWith,
    isClosed: request.state === 'closed',
    isAnswered: request.opinionAt !== null
  }
}
