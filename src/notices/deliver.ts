import { setTimeout as sleep } from 'node:timers/promises'
import { type Channel, channels } from '../../schemas/notice.ts'
import type { Exchange } from '../exchange.ts'
import { remindInvited } from '../register/remind.ts'
import { noticeDueOpinions } from '../shares/due.ts'
import { noticeEndingShares } from '../shares/ending.ts'
import { type Attempt, KEEP_MILLISECONDS } from './attempt.ts'
import { deliverMail } from './deliver-mail.ts'
import { type Leases, openLeases } from './leases.ts'
import type { SendMail } from './mailer.ts'
import { claimDue, isAnyDue, type NoticeRow, removeEnded } from './queries.ts'
import { recordAttempt } from './record-attempt.ts'
import { deliverWebhook } from './webhooks/deliver-webhook.ts'
import type { PostWebhook } from './webhooks/post.ts'

/** How often the outbox is looked at. What is due is on its way so soon after its commit. */
const LOOK_MILLISECONDS = 1000
/** How often shares are looked through for those that end, and old notices removed. */
const KEEP_UP_MILLISECONDS = 60_000
/** After an error of the database. */
const FAILED_MILLISECONDS = 10_000
/** After a server that took none of our mail would take no other either. */
const REST_MILLISECONDS = 5000
/** Deliveries under way at once, of each channel. */
const AT_ONCE_MAX = 4
const REMOVE_MAX = 500

export type DeliveryParts = Exchange & {
  /** Undefined where no e-mail is configured. */
  sendMail: SendMail | undefined
  postWebhook: PostWebhook
}

/** For tests, which have less patience. */
export interface Pace {
  lookMilliseconds?: number
  keepUpMilliseconds?: number
  leaseMilliseconds?: number
  restMilliseconds?: number
}

/**
 * Delivers what is in the outbox, now and every second: e-mail and webhooks each on their own, a few
 * at once, and each notice by one process alone, however many there are (`leases.ts`). And tells of
 * what ends or is due: shares, opinions, invitations. Safe to kill at any point: a notice that was not taken yet is taken up again;
 * one whose receiver had taken it in the moment before goes out a second time, under the same id.
 *
 * `stop` takes up nothing more and gives what is under way as long as a stop waits for downloads.
 */
export function deliverNotices(parts: DeliveryParts, pace: Pace = {}): { stop(): Promise<void> } {
  const stopping = new AbortController()
  const cutting = new AbortController()
  const leases = openLeases(parts, pace.leaseMilliseconds)
  const repeat = (milliseconds: number, work: () => Promise<void>) =>
    every(milliseconds, parts, stopping.signal, work)
  const signals = { stopping: stopping.signal, cutting: cutting.signal }
  const underWay = new Set<Promise<void>>()
  const loops = channels.map(channel => {
    const deliverDue = deliveries(parts, leases, channel, signals, underWay, pace)
    return repeat(pace.lookMilliseconds ?? LOOK_MILLISECONDS, deliverDue)
  })
  const keepingUp = repeat(pace.keepUpMilliseconds ?? KEEP_UP_MILLISECONDS, () =>
    keepUp(parts, () => !stopping.signal.aborted)
  )
  return {
    async stop() {
      stopping.abort()
      const timer = setTimeout(() => cutting.abort(), parts.limits.drainSecondsMax * 1000)
      await Promise.all([...loops, keepingUp])
      await Promise.all(underWay)
      clearTimeout(timer)
    }
  }
}

async function every(
  milliseconds: number,
  { log }: Pick<Exchange, 'log'>,
  signal: AbortSignal,
  work: () => Promise<void>
): Promise<void> {
  while (!signal.aborted) {
    let pause = milliseconds
    try {
      await work()
    } catch (err) {
      log.error({ err }, 'notices could not be looked after and will be again')
      pause = FAILED_MILLISECONDS
    }
    await sleep(pause, undefined, { signal, ref: false }).catch(() => {})
  }
}

/**
 * Makes what takes up all that is due on one channel, a few at a time. A delivery that takes long
 * holds up nothing but its own place.
 */
function deliveries(
  parts: DeliveryParts,
  leases: Leases,
  channel: Channel,
  signals: { stopping: AbortSignal; cutting: AbortSignal },
  underWay: Set<Promise<void>>,
  pace: Pace
): () => Promise<void> {
  const { database, clock } = parts
  const own = new Map<string, Promise<void>>()
  let restUntil = 0
  const mayGoOn = () => !signals.stopping.aborted && performance.now() >= restUntil

  function begin(row: NoticeRow): void {
    const delivery = deliverOne(parts, channel, row, signals.cutting).then(attempt => {
      own.delete(row.id)
      underWay.delete(delivery)
      if (attempt.result !== 'later' || attempt.all !== true) return
      restUntil = performance.now() + (pace.restMilliseconds ?? REST_MILLISECONDS)
    })
    own.set(row.id, delivery)
    underWay.add(delivery)
  }

  return async () => {
    await leases.takeBack(channel, new Set(own.keys()))
    while (mayGoOn()) {
      if (own.size >= AT_ONCE_MAX) await Promise.race(own.values())
      const [due] = await isAnyDue(database.read, { channel, now: clock() })
      if (due === undefined || !mayGoOn()) return
      const limit = AT_ONCE_MAX - own.size
      const claim = { channel, limit, now: clock(), run: database.run, until: leases.until() }
      const rows = await database.write(tx => claimDue(tx, claim))
      if (rows.length === 0) return
      for (const row of rows) begin(row)
    }
  }
}

/** Never throws: what goes wrong here is a reason to try again. */
async function deliverOne(
  parts: DeliveryParts,
  channel: Channel,
  row: NoticeRow,
  signal: AbortSignal
): Promise<Attempt> {
  const attempt = await attemptOf(parts, channel, row, signal)
  await recordAttempt(parts, row, attempt).catch(err => {
    // The lease ends, and then it is tried again: a second copy of what was taken, under its id.
    parts.log.error({ err, notice: row.id }, 'what came of a notice could not be stored')
  })
  return attempt
}

async function attemptOf(
  parts: DeliveryParts,
  channel: Channel,
  row: NoticeRow,
  signal: AbortSignal
): Promise<Attempt> {
  try {
    if (channel === 'mail') return await deliverMail(parts, parts.sendMail, row, signal)
    return await deliverWebhook(parts, parts.postWebhook, row, signal)
  } catch (err) {
    parts.log.error({ err, notice: row.id }, 'a notice could not be put together')
    return { result: 'later', code: 'internal-error' }
  }
}

/** Looks for what ends or is due soon, and removes notices that ended long ago. */
async function keepUp(parts: DeliveryParts, goOn: () => boolean): Promise<void> {
  await noticeEndingShares(parts, goOn)
  await noticeDueOpinions(parts, goOn)
  await remindInvited(parts, goOn)
  const before = parts.clock() - KEEP_MILLISECONDS
  while (
    goOn() &&
    (await parts.database.write(tx => removeEnded(tx, before, REMOVE_MAX))) === REMOVE_MAX
  );
}
