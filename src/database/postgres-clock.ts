import type { Client } from 'pg'

/** An answer that took longer than this says too little about when it was given … */
const ANSWER_MILLISECONDS_MAX = 100
/** … unless there was no better one for so long. */
const KNOWN_MILLISECONDS_MAX = 60_000
/** A clock that is behind by less than this waits instead of going back. */
const STEP_MILLISECONDS = 2000

/** The clock of the database server, as it is known here. */
export interface ServerClock {
  /** Asks the server what time it is. */
  ask(client: Client): Promise<void>
  /** Whole milliseconds since 1970 UTC. Between two answers a stopwatch goes on that nobody sets. */
  now(): number
}

/**
 * All processes on one database judge by its clock, whatever that of their own machine says. It is
 * known to half the time of an answer. It goes back only when somebody has set the server's clock.
 */
export function serverClock(): ServerClock {
  /** Of the server's clock before our stopwatch. */
  let ahead: number | undefined
  let askedAt = 0
  let last = 0
  return {
    async ask(client) {
      const sent = performance.now()
      const { rows } = await client.query<{ at: number }>(
        'SELECT (extract(epoch FROM clock_timestamp()) * 1000)::float8 AS at'
      )
      const took = performance.now() - sent
      const isPoor = took > ANSWER_MILLISECONDS_MAX && sent - askedAt < KNOWN_MILLISECONDS_MAX
      const [answer] = rows
      if (answer === undefined || (ahead !== undefined && isPoor)) return
      ahead = answer.at - sent - took / 2
      askedAt = sent
    },
    now() {
      if (ahead === undefined) throw new Error('The server was not asked what time it is.')
      const now = Math.floor(performance.now() + ahead)
      if (now > last || now < last - STEP_MILLISECONDS) last = now
      return last
    }
  }
}
