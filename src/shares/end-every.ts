import { actedBy } from '../audit/acted-by.ts'
import { plainText } from '../cases/check-request.ts'
import type { Exchange } from '../exchange.ts'
import type { Caller } from '../identity/principal.ts'
import { countEnded, countLive } from './live-queries.ts'
import { revokeLive } from './revoke-many.ts'

/** Transactions of 100 shares each that one request waits for. */
const BATCHES_AT_ONCE_MAX = 5

/** How far the end of every share has come. */
export interface Progress {
  /** Of those that were live at the moment it began: ended by the caller, and live still. */
  ended: number
  left: number
  /** Live now and made since. */
  newer: number
}

/**
 * Ends shares of the caller's organisation that were made until `since`, in bounded batches, each
 * committed by itself: asked again it goes on where it was, however it stopped. Whoever asks twice at
 * once ends each share once. What is made meanwhile stays, because nobody has looked at it.
 */
export async function endEvery(
  exchange: Exchange,
  caller: Caller,
  since: number,
  why: string | undefined
): Promise<void> {
  const reason = why === undefined ? undefined : plainText('reason', why)
  for (let batch = 0; batch < BATCHES_AT_ONCE_MAX; batch += 1) {
    const { more } = await revokeLive(exchange, caller, { madeUntil: since }, reason)
    if (!more) return
  }
}

/** Counts it by what is stored, so that it is right whoever else ends shares and whatever was pressed twice. */
export async function tellProgress(
  { database, audit, clock }: Pick<Exchange, 'database' | 'audit' | 'clock'>,
  caller: Caller,
  since: number
): Promise<Progress> {
  const { organisationId, accountId } = caller
  const now = clock()
  const live = (madeUntil?: number) =>
    countLive(database.read, { organisationId, madeUntil, now }, now).then(counts => counts.live)
  const left = await live(since)
  const all = await live()
  const ended = await countEnded(database.read, { organisationId, by: accountId, since })
  await audit.add({
    action: 'share.list',
    outcome: 'success',
    ...actedBy(caller, { state: 'live', since, counted: all })
  })
  return { ended, left, newer: all - left }
}
