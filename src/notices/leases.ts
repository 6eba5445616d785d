import type { Channel } from '../../schemas/notice.ts'
import type { Exchange } from '../exchange.ts'
import { lapsedLeases, otherLeases, takeBack } from './queries.ts'

/** How long a process may have a notice. Longer than any attempt may take (`mailPatience`). */
const LEASE_MILLISECONDS = 12 * 60_000
/**
 * For how long the run of another process must have been missed before its notices are taken. It is
 * missed for half a second when its connection to the database breaks, and lives on.
 */
const MISSED_MILLISECONDS = 15_000

export interface Leases {
  /** Until when a notice that is taken now may be kept, in milliseconds UTC. */
  until(): number
  /**
   * Takes back what runs that ended had, and what anybody had for longer than the lease. Not what is
   * under way here: it ends by itself, and a clock that was put forward must not send it twice.
   */
  takeBack(channel: Channel, underWay: ReadonlySet<string>): Promise<void>
}

/**
 * Who delivers what. A process that hangs longer than the lease has by then passed the time limit of
 * its attempt, whose timer closes the connection before anything else happens when it wakes up; and
 * what it then would store is refused, because the lease is no longer its own.
 */
export function openLeases(
  { database, clock, log }: Pick<Exchange, 'database' | 'clock' | 'log'>,
  leaseMilliseconds = LEASE_MILLISECONDS
): Leases {
  /** Since when runs that hold something have been missed. */
  const missed = new Map<string, number>()

  async function goneRuns(channel: Channel): Promise<string[]> {
    const holders = await otherLeases(database.read, channel, database.run)
    if (holders.length === 0) return []
    // SQLite has one process: whatever another run has, it has no more.
    if (database.read.kind === 'sqlite') return holders
    const alive = await database.runs()
    for (const run of missed.keys()) if (alive.has(run)) missed.delete(run)
    const now = performance.now()
    return holders.filter(run => {
      if (alive.has(run)) return false
      const since = missed.get(run) ?? now
      missed.set(run, since)
      return now - since >= MISSED_MILLISECONDS
    })
  }

  return {
    until: () => clock() + leaseMilliseconds,
    async takeBack(channel, underWay) {
      const gone = await goneRuns(channel)
      const now = clock()
      const lapsed = await lapsedLeases(database.read, channel, gone, now)
      const ids = lapsed.filter(id => !underWay.has(id))
      if (ids.length === 0) return
      const taken = await database.write(tx => takeBack(tx, ids, gone, now))
      for (const run of gone) missed.delete(run)
      if (taken > 0) log.warn({ channel, taken }, 'notices of an ended process are taken up again')
    }
  }
}
