import { randomInt } from 'node:crypto'
import { Client } from 'pg'

/** The first half of the numbers of our advisory locks, which belong to this database alone. */
const LOCK_CLASS = 0x636f6e73
/** How soon a run that was forgotten, because the server restarted, announces itself again. */
const AGAIN_MILLISECONDS = 500

const RUNS = `SELECT objid::text AS run FROM pg_locks
  JOIN pg_database ON pg_database.oid = pg_locks.database AND datname = current_database()
  WHERE locktype = 'advisory' AND classid = ${LOCK_CLASS} AND objsubid = 2 AND granted`

/**
 * Tells the other processes on this database that this one lives, for as long as it does: it holds an
 * advisory lock on a connection of its own, of which the server lets go when the process ends,
 * however it ends. No clock is asked. `query` lists the runs that live, as `run`.
 */
export async function announceRun(
  url: string
): Promise<{ own: string; query: string; close(): Promise<void> }> {
  const number = randomInt(1, 2 ** 31 - 1)
  let closed = false
  let client: Client | undefined

  async function announce(): Promise<void> {
    const next = new Client({
      connectionString: url,
      application_name: 'consilium run',
      keepAlive: true,
      connectionTimeoutMillis: 5000
    })
    next.on('error', () => {})
    try {
      await next.connect()
      // Shared, so as not to wait for what the server still holds of a connection that broke.
      await next.query('SELECT pg_advisory_lock_shared($1, $2)', [LOCK_CLASS, number])
    } catch (err) {
      await next.end().catch(() => {})
      throw err
    }
    next.once('end', again)
    client = next
    if (closed) await next.end()
  }

  function again(): void {
    if (closed) return
    const timer = setTimeout(() => announce().catch(again), AGAIN_MILLISECONDS)
    timer.unref()
  }

  await announce()
  return {
    own: String(number),
    query: RUNS,
    async close() {
      closed = true
      await client?.end().catch(() => {})
    }
  }
}
