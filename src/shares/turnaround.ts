import { timestamp } from '../../schemas/common.ts'
import type { Turnaround } from '../../schemas/share.ts'
import type { Queries } from '../database/database.ts'
import { clockTimes, firstOpinions } from './queries.ts'
import type { ShareRow } from './share.ts'

const SECOND_MILLISECONDS = 1000

/** The moments, milliseconds UTC, that a turnaround is told by. */
export interface Clock {
  /** When the case was complete; of a case that is not, when it was first shared with them. */
  startedAt: number
  /** The end of the day on which the answer is due, as the request says now. */
  dueAt: number | undefined
  answeredAt: number | undefined
  /** When it ended without an answer: the share was withdrawn. By time alone it does not end. */
  stoppedAt: number | undefined
}

/**
 * The clocks of these shares, in two looks however many there are. The first opinion that came back
 * through a share ends its clock: it is among the moves of the case, `opinionReceived` in
 * `cases/move.ts`, and nobody else has to tell.
 */
export async function clocksOf(queries: Queries, rows: ShareRow[]): Promise<Map<string, Clock>> {
  if (rows.length === 0) return new Map()
  const cases = new Map(
    (await clockTimes(queries, [...new Set(rows.map(row => row.caseId))])).map(row => [
      row.caseId,
      row
    ])
  )
  const ids = rows.map(row => row.id)
  const answers = new Map(
    (await firstOpinions(queries, ids)).map(({ shareId, at }) => [shareId, Number(at)])
  )
  return new Map(
    rows.map(row => {
      const { completedAt, dueAt } = cases.get(row.caseId) ?? {}
      const answeredAt = answers.get(row.id)
      return [
        row.id,
        {
          startedAt: completedAt ?? row.begunAt ?? row.createdAt,
          dueAt: dueAt ?? undefined,
          answeredAt,
          stoppedAt: answeredAt === undefined ? (row.revokedAt ?? undefined) : undefined
        }
      ]
    })
  )
}

/** Whether somebody still waits for an opinion through the share, and may be asked for more time. */
export const isRunning = ({ answeredAt, stoppedAt }: Clock): boolean =>
  answeredAt === undefined && stoppedAt === undefined

/** Whether an opinion came back through this share. */
export async function isAnswered(queries: Queries, shareId: string): Promise<boolean> {
  return (await firstOpinions(queries, [shareId])).length > 0
}

/**
 * How long it has taken so far, or took, and how long is left. Overdue is what was not answered when
 * its day was over, to the millisecond, however late the answer came.
 */
export function tellTurnaround(
  clock: Clock,
  now: number
): { dueAt?: string; turnaround: Turnaround } {
  const { startedAt, dueAt, answeredAt, stoppedAt } = clock
  const until = answeredAt ?? stoppedAt ?? now
  const turnaround: Turnaround = {
    startedAt: timestamp(startedAt),
    // A case may be complete after it was answered: then it took no time.
    elapsedSeconds: seconds(Math.max(until - startedAt, 0)),
    ...(dueAt !== undefined &&
      isRunning(clock) && { leftSeconds: seconds(Math.max(dueAt - until, 0)) }),
    overdue: dueAt !== undefined && until >= dueAt,
    ...(answeredAt !== undefined && { answeredAt: timestamp(answeredAt) })
  }
  return { ...(dueAt !== undefined && { dueAt: timestamp(dueAt) }), turnaround }
}

const seconds = (milliseconds: number): number => Math.floor(milliseconds / SECOND_MILLISECONDS)
