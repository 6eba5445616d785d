import type { KeyObject } from 'node:crypto'
import type { CaseMove } from '../../schemas/case.ts'
import { timestamp } from '../../schemas/common.ts'
import type { Queries } from '../database/database.ts'
import { Refusal } from '../errors.ts'
import { canonicalContext, openBox, sealBox } from '../sealing/keys.ts'
import {
  caseState,
  destinationOf,
  isPossible,
  type Move,
  possibleMoves,
  ruleOfMove,
  standingOf
} from './moves.ts'
import {
  changeState,
  findRequestHeld,
  insertMove,
  liveShares,
  type MoveRow,
  nextPosition,
  type RequestRow
} from './queries.ts'

/** One step of a case: who makes it, and when (milliseconds UTC). */
export interface Step {
  caseId: string
  by: string
  at: number
  shareId?: string
  /** Sealed under the key of the case, which is asked for before the transaction begins. */
  reason?: { key: KeyObject; text: string }
  /** What changes in the row with the state. */
  change?: Partial<RequestRow>
}

/** What a move has done to the shares before it is written down. */
const sharesAdded: Partial<Record<Move, number>> = { share: 1, withdraw: -1 }

/**
 * Keeps everybody else from moving or sharing this case until the transaction ends. Whoever will also
 * hold a share of it takes the case first: two that take them the other way round wait for each other.
 */
export async function holdCase(tx: Queries, caseId: string): Promise<RequestRow> {
  const [row] = await findRequestHeld(tx, { caseId })
  if (row === undefined) throw new Error('A case has no row that says where it stands.')
  return row
}

/**
 * Makes a move of `moves.ts` inside the caller's transaction and writes down who made it and when.
 * Call it for `share` after the share is there, and for `withdraw` after it has ended. Throws Refusal
 * `case-state-refused`, with what is possible instead; then nothing may stay of the transaction.
 */
export async function moveCase(tx: Queries, move: Move, step: Step): Promise<RequestRow> {
  const before = await holdCase(tx, step.caseId)
  const shares = await liveShares(tx, { caseId: step.caseId, now: step.at })
  const live = shares.length
  const liveBefore = live - (sharesAdded[move] ?? 0)
  // An opinion comes back through one share, and it is that one which must be live.
  const counted = move === 'opinion' ? shares.filter(({ id }) => id === step.shareId).length : live
  if (!isPossible(move, standingOf(before), counted)) throw refusedMove(before, liveBefore)
  const [after] = await changeState(tx, step.caseId, ruleOfMove(move).from, {
    ...step.change,
    ...timesOf(move, before, step),
    state: destinationOf(move, before)
  })
  if (after === undefined) throw refusedMove(before, liveBefore)
  const position = await nextPosition(tx, step.caseId)
  await insertMove(tx, {
    caseId: step.caseId,
    position,
    move,
    fromState: caseState(before, liveBefore),
    toState: caseState(after, live),
    at: step.at,
    movedBy: step.by,
    shareId: step.shareId ?? null,
    reasonSealed: step.reason ? sealReason(step.caseId, position, step.reason) : null
  })
  return after
}

/**
 * An opinion on this case has come back through `shareId`. For the flow that stores the opinion,
 * inside its transaction and after `holdCase`: throws Refusal `case-state-refused` when the case was
 * closed meanwhile, or no share of it is live. A further opinion leaves the state as it is, and both
 * are among the moves. The event on the access log is the caller's.
 */
export async function opinionReceived(
  tx: Queries,
  received: { caseId: string; shareId: string; by: string; at: number }
): Promise<void> {
  await moveCase(tx, 'opinion', received)
}

/** Says where the case stands and what can be done from there. */
export function refusedMove(row: RequestRow, sharesLive: number): Refusal {
  const state = caseState(row, sharesLive)
  const possible = possibleMoves(standingOf(row), sharesLive).join(', ')
  return new Refusal('case-state-refused', undefined, {
    problems: [`the case is ${state}`, `possible now: ${possible}`]
  })
}

function timesOf(move: Move, before: RequestRow, { at, by }: Step): Partial<RequestRow> {
  if (move === 'complete') return { completedAt: at, completedBy: by }
  if (move === 'opinion') return before.opinionAt === null ? { opinionAt: at } : {}
  if (move === 'close') return { closedAt: at }
  return move === 'reopen' ? { closedAt: null } : {}
}

const reasonContext = (caseId: string, position: number): Buffer =>
  canonicalContext('case-move', caseId, String(position))

function sealReason(caseId: string, position: number, reason: { key: KeyObject; text: string }) {
  return sealBox(reason.key, reasonContext(caseId, position), Buffer.from(reason.text))
}

/** One step as the organisation of the case reads it. */
export function viewMove(key: KeyObject, row: MoveRow): CaseMove {
  const { caseId, position, reasonSealed } = row
  return {
    move: row.move,
    from: row.fromState as CaseMove['from'],
    to: row.toState as CaseMove['to'],
    at: timestamp(row.at),
    by: row.movedBy,
    ...(row.shareId !== null && { share: row.shareId }),
    ...(reasonSealed !== null && {
      reason: openBox(key, reasonContext(caseId, position), reasonSealed).toString()
    })
  }
}
