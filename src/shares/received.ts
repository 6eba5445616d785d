import { timestamp } from '../../schemas/common.ts'
import type { ReceivedList, ReceivedShare, ReceivedState } from '../../schemas/review.ts'
import { actedBy } from '../audit/acted-by.ts'
import { type CaseRow, knownCase, openCaseDetails, openCaseKey } from '../cases/case.ts'
import type { Exchange } from '../exchange.ts'
import { type Page, pageOf } from '../http/page.ts'
import { describeSender } from '../identity/accounts.ts'
import type { Caller } from '../identity/principal.ts'
import { opinionStates } from '../opinions/opinion.ts'
import { type VerificationProblem, verificationProblem } from '../register/verified.ts'
import { transferHolds } from '../transfers/transfer.ts'
import { ownShare } from './may-read.ts'
import { findShareRecords, receivedShares, waitingForTime } from './queries.ts'
import { aboutShare, openTerms, type ShareRow, stateOf } from './share.ts'
import { clocksOf, isRunning, tellTurnaround } from './turnaround.ts'

/**
 * What was sent to a specialist, newest first. What is asked is told of those alone that they may read
 * at this moment. One event for each organisation whose shares are shown, so that each finds it.
 */
export async function listReceived(
  exchange: Exchange,
  caller: Caller,
  page: Page
): Promise<ReceivedList> {
  const { database, audit, limits } = exchange
  const { rows, next } = await pageOf(page, limits, (before, limit) =>
    receivedShares(database.read, { specialistId: caller.accountId, before, limit })
  )
  const reviews = await viewReceived(exchange, caller, rows)
  const senders = new Set(rows.map(({ organisationId }) => organisationId))
  await database.write(async tx => {
    for (const organisationId of senders.size > 0 ? senders : [caller.organisationId]) {
      const shown = rows.filter(row => row.organisationId === organisationId).map(({ id }) => id)
      await audit.append(tx, {
        action: 'share.list',
        outcome: 'success',
        ...actedBy(caller, { shown }),
        organisationId
      })
    }
  })
  return { reviews, ...(next !== undefined && { next }) }
}

/**
 * What a link names, for the specialist it was made for: who sent it, how much and until when, in every
 * state of the share. It spends no opening. Refusals: `link-incomplete`, and to everybody else
 * `share-not-found`.
 */
export async function lookAtLink(
  exchange: Exchange,
  caller: Caller,
  link: string
): Promise<ReceivedShare> {
  return lookAtReceived(exchange, caller, await exchange.links.read(link))
}

/** The same by the id of the share. */
export async function lookAtReceived(
  exchange: Exchange,
  caller: Caller,
  shareId: string
): Promise<ReceivedShare> {
  const { database, audit } = exchange
  const { share, found } = await ownShare(database.read, caller, shareId)
  const [view] = await viewReceived(exchange, caller, [share])
  if (view === undefined) throw new Error('A share has no view.')
  await audit.add({
    action: 'share.list',
    outcome: 'success',
    ...actedBy(caller, { shown: [shareId] }),
    ...aboutShare(share, found)
  })
  return view
}

async function viewReceived(
  exchange: Exchange,
  caller: Caller,
  rows: ShareRow[]
): Promise<ReceivedShare[]> {
  const { database, serviceKeys, clock } = exchange
  const { read } = database
  const ids = rows.map(({ id }) => id)
  const clocks = await clocksOf(read, rows)
  const waiting = new Set((await waitingForTime(read, ids)).map(({ shareId }) => shareId))
  const opinions = new Map((await opinionStates(read, ids)).map(row => [row.shareId, row]))
  const problem = await verificationProblem(read, caller.accountId, clock())
  const views: ReceivedShare[] = []
  for (const row of rows) {
    const now = clock()
    const state = receivedState(row, caller, now, problem)
    const times = clocks.get(row.id)
    if (times === undefined) throw new Error('A share has no clock.')
    const opinion = opinions.get(row.id)
    const found = await knownCase(read, row.caseId)
    views.push({
      id: row.id,
      from: await describeSender(read, serviceKeys, row.createdBy),
      records: (await findShareRecords(read, { shareId: row.id })).length,
      state,
      ...(state === 'open' && (await tellQuestion(exchange, row, found))),
      ...timesOf(row),
      opinion: stateOfOpinion(opinion),
      ...(opinion?.submittedAt != null && { submittedAt: timestamp(opinion.submittedAt) }),
      ...(waiting.has(row.id) && isRunning(times) && { moreTimeAsked: true }),
      ...(row.replacedBy !== null && { replacedBy: row.replacedBy }),
      ...tellTurnaround(times, now)
    })
  }
  return views
}

/** Where a share stands for its specialist. */
function receivedState(
  row: ShareRow,
  caller: Caller,
  now: number,
  problem: VerificationProblem | undefined
): ReceivedState {
  if (row.replacedBy !== null) return 'replaced'
  const state = stateOf(row, now)
  if (state === 'revoked') return row.revokedBy === row.specialistId ? 'declined' : 'revoked'
  if (state !== 'live') return state
  if (!transferHolds(row, caller.country, now)) return 'transfer-not-allowed'
  if (problem !== undefined) return 'unverified'
  if (row.openUntil !== null && now < row.openUntil) return 'open'
  if (row.openingsMax !== null && row.openings >= row.openingsMax) return 'openings-spent'
  return row.openings === 0 ? 'new' : 'closed'
}

async function tellQuestion({ keyring }: Exchange, row: ShareRow, found: CaseRow) {
  const key = await openCaseKey(keyring, found)
  const { request, pseudonymised } = openTerms(key, row)
  const asked = request?.questions.map(({ text }) => text) ?? []
  const all =
    asked.length > 0 ? asked : [pseudonymised?.question ?? openCaseDetails(key, found).question]
  return { question: String(all[0]), questions: all.length }
}

function timesOf(row: ShareRow) {
  return {
    notBefore: timestamp(row.notBefore),
    expiresAt: timestamp(row.expiresAt),
    ...(row.openUntil !== null && { openUntil: timestamp(row.openUntil) }),
    openings: row.openings,
    ...(row.openingsMax !== null && { openingsMax: row.openingsMax })
  }
}

const stateOfOpinion = (
  opinion: { submittedAt: number | null } | undefined
): ReceivedShare['opinion'] => {
  if (opinion === undefined) return 'none'
  return opinion.submittedAt === null ? 'draft' : 'submitted'
}
