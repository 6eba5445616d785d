import { setTimeout as sleep } from 'node:timers/promises'
import type { Exchange } from '../exchange.ts'
import { type Attempt, GIVE_UP_MILLISECONDS, retryDelay } from './attempt.ts'
import { type Ending, endAttempt, type NoticeRow } from './queries.ts'
import { afterDelivery } from './webhooks/health.ts'

/** How often, and how far apart, it is tried to store what came of an attempt. */
const STORE_TRIES = 10
const STORE_AGAIN_MILLISECONDS = 1000

type Parts = Pick<Exchange, 'database' | 'audit' | 'clock' | 'log' | 'notices'>

/**
 * Stores what came of an attempt, with its event when it was the last. A receiver that has taken a
 * notice is asked again if this is not stored, so it is tried for a while before that is let happen.
 */
export async function recordAttempt(parts: Parts, row: NoticeRow, attempt: Attempt): Promise<void> {
  const now = parts.clock()
  const ending = endingOf(row, attempt, now)
  const { id, channel, kind, attempts } = row
  const told = { notice: id, channel, kind, attempts, code: ending.code }
  if (ending.code === null) parts.log.info(told, 'notice delivered')
  else if (ending.endedAt !== null) parts.log.warn(told, 'notice not delivered')
  else if (ending.code !== 'not-configured') parts.log.info(told, 'notice put off')
  for (let turn = 1; ; turn += 1) {
    try {
      await store(parts, row, attempt, ending, now)
      return
    } catch (err) {
      if (turn === STORE_TRIES) throw err
    }
    await sleep(STORE_AGAIN_MILLISECONDS)
  }
}

async function store(
  { database, audit, notices }: Parts,
  row: NoticeRow,
  attempt: Attempt,
  ending: Ending,
  now: number
): Promise<void> {
  await database.write(async tx => {
    if (!(await endAttempt(tx, row, ending))) return
    await afterDelivery({ audit, notices }, tx, row, attempt, now)
    if (ending.endedAt === null || ending.state === 'dropped') return
    const { channel, kind, accountId, webhookId, attempts } = row
    await audit.append(tx, {
      action: 'notice.send',
      outcome: ending.state === 'sent' ? 'success' : 'failed',
      organisationId: row.organisationId,
      caseId: row.caseId ?? undefined,
      shareId: row.shareId ?? undefined,
      details: {
        attempts,
        channel,
        ...(ending.code !== null && { problem: ending.code }),
        kind,
        notice: row.id,
        ...(accountId !== null && { to: accountId }),
        ...(webhookId !== null && { webhook: webhookId })
      }
    })
  })
}

function endingOf(row: NoticeRow, attempt: Attempt, now: number): Ending {
  if (attempt.result === 'sent') {
    return { state: 'sent', code: null, nextAt: now, endedAt: now }
  }
  const { result, code } = attempt
  if (result !== 'later') return { state: result, code, nextAt: now, endedAt: now }
  if (now - row.createdAt >= GIVE_UP_MILLISECONDS) {
    return { state: 'given-up', code, nextAt: now, endedAt: now }
  }
  // What a stop cut off was nobody's failure.
  const delay = code === 'stopped' ? 0 : retryDelay(row.attempts)
  return { state: 'waiting', code, nextAt: now + delay, endedAt: null }
}
