import type { Exchange } from '../exchange.ts'
import { removeExpired } from '../identity/oidc-adapter.ts'
import { namedBlobs } from '../records/record.ts'
import { recheckRegister, removeOldRows } from '../register/recheck.ts'
import { endCases } from '../retention/end-cases.ts'
import { removeDueFiles } from '../retention/remove-files.ts'
import { removeEnded } from '../sessions/session.ts'
import { sweepUploads } from '../uploads/sweep.ts'
import { removeCopies } from './remove-copies.ts'

const INTERVAL_MILLISECONDS = 10 * 60 * 1000
const HOUR_MILLISECONDS = 3_600_000

/** Rows and blobs looked at in one go, so that no request waits long for housekeeping. */
const BATCH = 500

/**
 * Removes what nothing needs any more, now and every ten minutes: blobs that no row names because
 * their upload never ended, drafts whose time is over, the copies of shares that ended, cases that the
 * retention policy lets go, sessions that are over, and what the issuer remembered for a short while;
 * compares the register of specialists with the files of their professional bodies; and completes the
 * disclosures of processes that ended. Safe to stop and to repeat at any point.
 *
 * Where other processes use the same store, or its clock is not ours, `sharedHours` says how old a
 * blob must be before it cannot be part of an upload that is still under way somewhere.
 */
export function cleanUp(exchange: Exchange, sharedHours?: number): { stop(): Promise<void> } {
  // By the clock as it is now: one that was put back meanwhile has given what is being uploaded an
  // earlier time than it said at the start. And from before the first request could come.
  const startOfProcess = () => exchange.clock() - performance.now()
  const began = startOfProcess()
  const before = () =>
    sharedHours === undefined
      ? Math.min(began, startOfProcess())
      : exchange.clock() - sharedHours * HOUR_MILLISECONDS
  let stopped = false
  const goOn = () => !stopped
  const chores = choresOf(exchange, before, goOn)
  async function round(): Promise<void> {
    for (const [chore, see] of Object.entries(chores)) {
      // Each by itself: a blob that cannot be removed keeps no case longer than the law lets it.
      await see().catch(err => {
        exchange.log.error({ err, chore }, 'housekeeping failed and will be tried again')
      })
    }
  }
  let isRunning = false
  async function nextRound(): Promise<void> {
    isRunning = true
    await round()
    isRunning = false
  }
  let running = nextRound()
  const timer = setInterval(() => {
    // One that takes longer makes up for those it held up: a stop would wait for each of them.
    if (!isRunning) running = nextRound()
  }, INTERVAL_MILLISECONDS)
  timer.unref()
  return {
    async stop() {
      stopped = true
      clearInterval(timer)
      await running
    }
  }
}

/** What is seen to in each round, in this order. */
function choresOf(
  exchange: Exchange,
  before: () => number,
  goOn: () => boolean
): Record<string, () => Promise<void>> {
  const { database, clock, log } = exchange
  return {
    async expired() {
      while (goOn() && (await removeExpired(database, clock(), BATCH)) === BATCH);
    },
    async sessions() {
      while (goOn() && (await removeEnded(exchange, BATCH)) >= BATCH);
    },
    async register() {
      const { verified, unverified } = await recheckRegister(exchange)
      if (verified + unverified > 0) log.info({ verified, unverified }, 'register checked')
      await removeOldRows(exchange)
    },
    async disclosures() {
      const interrupted = await exchange.disclosures.recover()
      if (interrupted > 0) log.warn({ interrupted }, 'streams of an ended process')
    },
    async drafts() {
      const expired = await sweepUploads(exchange, goOn)
      if (expired > 0) log.info({ expired }, 'ended drafts that were never completed')
    },
    async copies() {
      const copies = await removeCopies(exchange, goOn)
      if (copies > 0) log.info({ copies }, 'removed copies of ended shares')
    },
    retention: () => endWhatIsDue(exchange, goOn),
    async orphans() {
      const orphans = await removeOrphans(exchange, before(), goOn)
      if (orphans > 0) log.info({ orphans }, 'removed blobs of uploads that never ended')
    },
    async unfinished() {
      const unfinished = await exchange.blobs.sweepUnfinished()
      if (unfinished > 0) log.info({ unfinished }, 'removed unfinished blobs')
    }
  }
}

/** Erases what is due by the retention policy, and the files of what was erased. */
async function endWhatIsDue(exchange: Exchange, goOn: () => boolean): Promise<void> {
  const ended = await endCases(exchange, goOn)
  const { copies, cases, audits, waiting } = ended
  if (copies + cases + audits + waiting > 0) exchange.log.info(ended, 'erased what was due')
  const erasures = await removeDueFiles(exchange, goOn)
  if (erasures > 0) exchange.log.info({ erasures }, 'saw to the files of what was erased')
}

/**
 * Removes blobs that no object and no upload names and that were stored before `began`: one stored since may
 * belong to an upload whose transaction is still to come.
 */
export async function removeOrphans(
  exchange: Pick<Exchange, 'blobs' | 'database'>,
  began: number,
  goOn: () => boolean = () => true
): Promise<number> {
  let removed = 0
  let batch: string[] = []
  const judge = async () => {
    const known = await namedBlobs(exchange.database.read, batch)
    for (const name of batch) {
      if (known.has(name)) continue
      await exchange.blobs.remove(name)
      removed += 1
    }
    batch = []
  }
  for await (const blob of exchange.blobs.list()) {
    if (!goOn()) return removed
    if (blob.modifiedAt < began) batch.push(blob.name)
    if (batch.length === BATCH) await judge()
  }
  if (batch.length > 0) await judge()
  return removed
}
