import type { KeyObject } from 'node:crypto'
import type { CaseSummary, CaseView } from '../../schemas/case.ts'
import { timestamp } from '../../schemas/common.ts'
import { eventTime, lastEventTimes } from '../audit/last-event.ts'
import { dayIn } from '../calendar.ts'
import type { Exchange } from '../exchange.ts'
import { homeOf } from '../identity/accounts.ts'
import { type CaseRow, openCaseDetails, openCaseKey } from './case.ts'
import { viewMove } from './move.ts'
import { caseState } from './moves.ts'
import {
  findSurroundings,
  liveShares,
  liveSharesOf,
  movesOf,
  type RequestRow,
  requestsOf
} from './queries.ts'
import { openRequest } from './request.ts'
import { type Circumstances, warningsOf } from './warnings.ts'

/** What a case is looked at with, beside its own row. */
interface Surroundings {
  request: RequestRow | undefined
  /** Countries of its live shares. */
  sharedWith: string[]
  lastEventAt: number | undefined
  now: number
  timeZone: string
  homeCountry: string
}

/** Cases of one organisation, each with where it stands and what should be seen to. */
export async function viewCases(
  exchange: Exchange,
  organisationId: string,
  rows: CaseRow[]
): Promise<CaseSummary[]> {
  const around = await surroundingsOf(exchange, organisationId, rows)
  return Promise.all(
    rows.map(async row => summary(row, await openCaseKey(exchange.keyring, row), around(row.id)))
  )
}

/** One case with every move it has made. */
export async function viewCase(exchange: Exchange, row: CaseRow): Promise<CaseView> {
  const { read } = exchange.database
  const now = exchange.clock()
  const [key, [found], shares, moves] = await Promise.all([
    openCaseKey(exchange.keyring, row),
    findSurroundings(read, { caseId: row.id }),
    liveShares(read, { caseId: row.id, now }),
    movesOf(read, { caseId: row.id })
  ])
  if (found === undefined) throw new Error('A case has no row that says where it stands.')
  const { homeCountry, timeZone, lastEvent, ...request } = found
  const sharedWith = shares.map(({ country }) => country)
  const lastEventAt = lastEvent === null ? undefined : eventTime(lastEvent)
  const around = { request, sharedWith, lastEventAt, now, timeZone, homeCountry }
  return { ...summary(row, key, around), moves: moves.map(move => viewMove(key, move)) }
}

/** Of all cases of a list: one look each, however many there are. */
async function surroundingsOf(
  { database, clock }: Exchange,
  organisationId: string,
  rows: CaseRow[]
): Promise<(caseId: string) => Surroundings> {
  const { read } = database
  const now = clock()
  const ids = rows.map(row => row.id)
  const home = await homeOf(read, organisationId)
  const shares = Map.groupBy(await liveSharesOf(read, ids, now), ({ caseId }) => caseId)
  const requests = new Map((await requestsOf(read, ids)).map(row => [row.caseId, row]))
  const lastEvents = await lastEventTimes(read, ids)
  return id => ({
    request: requests.get(id),
    sharedWith: (shares.get(id) ?? []).map(({ country }) => country),
    lastEventAt: lastEvents.get(id),
    now,
    timeZone: home.timeZone,
    homeCountry: home.country
  })
}

function summary(row: CaseRow, key: KeyObject, around: Surroundings): CaseSummary {
  const { request, sharedWith, lastEventAt, now, timeZone, homeCountry } = around
  if (request === undefined) throw new Error('A case has no row that says where it stands.')
  const details = openRequest(key, request)
  const warnings =
    details === undefined
      ? []
      : warningsOf(
          details,
          circumstances(request, sharedWith, { today: dayIn(timeZone, now), homeCountry })
        )
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
    warnings,
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
