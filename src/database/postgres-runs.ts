import { randomInt } from 'node:crypto'
import { Client } from 'pg'
import { Refusal } from '../errors.ts'
import type { TakePlace } from './places.ts'
import { serverClock } from './postgres-clock.ts'
import { sharedPlaces } from './postgres-places.ts'

/** The first half of the numbers of our advisory locks, which belong to this database alone. */
const LOCK_CLASS = 0x636f6e73
/** A connection that does not answer for so long is given up. */
const ANSWER_MILLISECONDS_MAX = 5000
/** How often the server is asked what time it is, and whether it still knows of us. */
const ASK_MILLISECONDS = 5000
/** How soon a run that was forgotten, because the server restarted, announces itself again. */
const AGAIN_MILLISECONDS = 500

const RUNS = `SELECT objid::text AS run FROM pg_locks
  JOIN pg_database ON pg_database.oid = pg_locks.database AND datname = current_database()
  WHERE locktype = 'advisory' AND classid = ${LOCK_CLASS} AND objsubid = 2 AND granted`

/** What a process has of the others on its database, over one connection of its own. */
export interface Run {
  /** Its name. */
  own: string
  /** A query for the runs that live, as `run`. */
  query: string
  takePlace: TakePlace
  /** Throws a Refusal while the others cannot see that it lives: until then it takes no place. */
  requireSeen(): void
  /** The clock of the server. */
  clock: () => number
  close(): Promise<void>
}

/**
 * Tells the other processes on this database that this one lives, for as long as it does: it holds an
 * advisory lock on a connection of its own, of which the server lets go when the process ends,
 * however it ends. No clock is asked.
 */
export async function announceRun(url: string): Promise<Run> {
  const number = randomInt(1, 2 ** 31 - 1)
  let closed = false
  let client: Client | undefined
  const places = sharedPlaces(() => client)
  const clock = serverClock()

  async function announce(): Promise<void> {
    const next = new Client({
      connectionString: url,
      application_name: 'consilium run',
      keepAlive: true,
      connectionTimeoutMillis: ANSWER_MILLISECONDS_MAX,
      query_timeout: ANSWER_MILLISECONDS_MAX
    })
    next.on('error', () => {})
    try {
      await next.connect()
      // Shared, so as not to wait for what the server still holds of a connection that broke.
      await next.query('SELECT pg_advisory_lock_shared($1, $2)', [LOCK_CLASS, number])
      await clock.ask(next)
      await places.takeAgain(next, () => {
        client = next
      })
    } catch (err) {
      await next.end().catch(() => {})
      throw err
    }
    next.once('end', again)
    if (closed) await next.end()
  }

  function again(): void {
    client = undefined
    if (closed) return
    const timer = setTimeout(() => announce().catch(again), AGAIN_MILLISECONDS)
    timer.unref()
  }

  await announce()
  const asking = setInterval(() => {
    const asked = client
    // One that has fallen silent is ended, which is what `again` waits for.
    if (asked !== undefined) clock.ask(asked).catch(() => asked.end().catch(() => {}))
  }, ASK_MILLISECONDS)
  asking.unref()
  return {
    own: String(number),
    query: RUNS,
    takePlace: places.take,
    requireSeen() {
      if (client === undefined) throw new Refusal('storage-unavailable', 'connection')
    },
    clock: clock.now,
    async close() {
      closed = true
      clearInterval(asking)
      await client?.end().catch(() => {})
    }
  }
}
