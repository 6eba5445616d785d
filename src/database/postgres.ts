import { setTimeout as sleep } from 'node:timers/promises'
import { Client, Pool, type PoolClient } from 'pg'
import { requireDrizzle } from '../../schemas/drizzle.ts'
import { tables } from '../../schemas/tables.ts'
import { Refusal } from '../errors.ts'
import type { Database, Queries, Snapshot } from './database.ts'
import { commitInOurWords, inOurWords, isConflict, StatementError } from './postgres-errors.ts'
import { requireSchema } from './postgres-migrations.ts'
import { announceRun, type Run } from './postgres-runs.ts'
import { requireServiceRole } from './postgres-service-role.ts'

const { drizzle }: typeof import('drizzle-orm/node-postgres') = requireDrizzle(
  'drizzle-orm/node-postgres'
)

/** How long a query waits for a connection of the pool, a new one included. */
const CONNECT_MILLISECONDS_MAX = 5000
/** A connection nobody has used for this long is closed. */
const SPARE_MILLISECONDS_MAX = 30_000
/** The server ends a statement that runs for longer … */
const STATEMENT_MILLISECONDS_MAX = 20_000
/** … and this process gives one up that the server does not answer at all. */
const ANSWER_MILLISECONDS_MAX = 25_000
/** How long a statement waits for a row that another transaction holds. */
const LOCK_MILLISECONDS_MAX = 5000
/**
 * The same for a statement of a snapshot: verifying counts whole tables, and whoever waits for a server
 * that has fallen silent must hear of it some time.
 */
const SNAPSHOT_STATEMENT_MILLISECONDS_MAX = 600_000
const SNAPSHOT_ANSWER_MILLISECONDS_MAX = 605_000
/**
 * The server undoes a transaction whose process has fallen silent. Together with the second in which
 * the others look, this bounds how long the log waits for a process that was cut off while it held
 * the head: a killed one is noticed at once.
 */
const SILENT_MILLISECONDS_MAX = 3000

/** How often a transaction that was undone in favour of another runs again. */
const ATTEMPTS_MAX = 5
const ATTEMPT_MILLISECONDS = 20

/**
 * Opens a PostgreSQL database that `npm run migrate-database` has prepared, as the role of the
 * service or, for what that may not do, as the owner of the tables. Durable: a commit has reached the
 * server's disk when it returns. Throws ConfigError when the tables are missing or of another
 * release, when the role may do more than the service needs, or when the server would acknowledge
 * what it could lose.
 */
export async function openPostgres(
  url: string,
  connectionsMax: number,
  role: 'service' | 'owner' = 'service'
): Promise<Database> {
  const pool = openPool(url, connectionsMax)
  try {
    await requireSchema(pool)
    if (role === 'service') await requireServiceRole(pool)
    const runs = await announceRun(url)
    return databaseOn(pool, runs, () => openPostgresSnapshot(url))
  } catch (err) {
    await pool.end()
    throw inOurWords(err)
  }
}

/**
 * Opens what is stored at this moment for reading alone, on a connection of its own: nothing is
 * written, and what is committed meanwhile is not seen. Until `close`, the server keeps the rows it
 * would have cleared away. Any role that may read the tables will do. Throws in our words.
 */
export async function openPostgresSnapshot(url: string): Promise<Snapshot> {
  const { client, read } = await beginSnapshot(url)
  return {
    read,
    // The owner's role alone can change them, and the server looks after its own files.
    schemaFaults: async () => [],
    damage: async () => [],
    close: () => client.end().catch(() => {})
  }
}

/** The same, with the connection itself. */
export async function beginSnapshot(url: string): Promise<{ client: Client; read: Queries }> {
  const client = new Client({
    connectionString: url,
    application_name: 'consilium snapshot',
    keepAlive: true,
    connectionTimeoutMillis: CONNECT_MILLISECONDS_MAX,
    statement_timeout: SNAPSHOT_STATEMENT_MILLISECONDS_MAX,
    query_timeout: SNAPSHOT_ANSWER_MILLISECONDS_MAX
  })
  client.on('error', () => {})
  try {
    await client.connect()
    await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY')
    // A transaction has its snapshot from its first read on.
    await client.query('SELECT count(*) FROM migrations')
    return { client, read: queriesOn(client) }
  } catch (err) {
    await client.end().catch(() => {})
    throw inOurWords(err)
  }
}

function databaseOn(pool: Pool, runs: Run, openSnapshot: Database['openSnapshot']): Database {
  const read = queriesOn(pool)
  const write = writer(pool)
  return {
    read,
    // Other processes write too, so no two reads are known to see the same.
    get snapshot() {
      return {}
    },
    write,
    openSnapshot,
    clock: runs.clock,
    takePlace: runs.takePlace,
    run: runs.own,
    async runs() {
      const { rows } = await pool.query<{ run: string }>(runs.query).catch(rethrow)
      return new Set(rows.map(row => row.run))
    },
    async check() {
      runs.requireSeen()
      // A record in the server's log, flushed as that of any commit is; refused on a stand-by.
      await pool.query("SELECT pg_logical_emit_message(true, 'consilium', '')").catch(rethrow)
    },
    async close() {
      await runs.close()
      await pool.end()
    }
  }
}

function openPool(url: string, connectionsMax: number): Pool {
  const pool = new Pool({
    connectionString: url,
    max: connectionsMax,
    application_name: 'consilium',
    keepAlive: true,
    connectionTimeoutMillis: CONNECT_MILLISECONDS_MAX,
    idleTimeoutMillis: SPARE_MILLISECONDS_MAX,
    statement_timeout: STATEMENT_MILLISECONDS_MAX,
    query_timeout: ANSWER_MILLISECONDS_MAX,
    lock_timeout: LOCK_MILLISECONDS_MAX,
    idle_in_transaction_session_timeout: SILENT_MILLISECONDS_MAX
  })
  // A connection that breaks is told of by the query that uses it. Nobody uses a spare one, and an
  // event without a listener would end the process.
  pool.on('error', () => {})
  pool.on('connect', client => client.on('error', () => {}))
  return pool
}

interface Session {
  prepareQuery(...query: unknown[]): {
    execute(values?: Record<string, unknown>): Promise<unknown>
  }
}

/** Builds queries for one connection, or for the pool. What they throw is in our words. */
function queriesOn(client: Pool | PoolClient | Client): Queries {
  const queries = drizzle({ client })
  const { session } = queries as unknown as { session: Session }
  const prepareQuery = session.prepareQuery.bind(session)
  session.prepareQuery = (...query) => {
    const preparedQuery = prepareQuery(...query)
    const execute = preparedQuery.execute.bind(preparedQuery)
    return Object.assign(preparedQuery, {
      execute: (values?: Record<string, unknown>) => execute(values).catch(rethrow)
    })
  }
  return Object.assign(queries, { tables: tables.postgres, kind: 'postgres' as const })
}

function rethrow(err: unknown): never {
  throw inOurWords(err)
}

/**
 * Transactions, one on each connection. A work that stood in the way of another is undone by the
 * server and runs again, as a whole. If this process or the connection ends before the commit has
 * reached the server, nothing of the work is stored; if it ends while the answer is on its way, the
 * work is stored and its caller is told that it may not be.
 */
function writer(pool: Pool): Database['write'] {
  // Queries that are built once belong to the connection on which they are prepared.
  const queries = new WeakMap<PoolClient, Queries>()

  function queriesFor(client: PoolClient): Queries {
    const known = queries.get(client) ?? queriesOn(client)
    queries.set(client, known)
    return known
  }

  async function attempt<T>(work: (tx: Queries) => Promise<T>): Promise<T> {
    const client = await pool.connect().catch(rethrow)
    let isBroken = false
    try {
      await client.query('BEGIN ISOLATION LEVEL READ COMMITTED').catch(rethrow)
      const value = await work(queriesFor(client))
      const { command } = await client.query('COMMIT').catch(err => {
        throw commitInOurWords(err)
      })
      // What a work catches has undone all of it, and then the server turns the commit into this.
      if (command !== 'COMMIT') throw new StatementError('25P02', 'The transaction was undone.')
      return value
    } catch (err) {
      await client.query('ROLLBACK').catch(() => {
        isBroken = true
      })
      throw err
    } finally {
      client.release(isBroken)
    }
  }

  return async function write(work) {
    for (let turn = 1; ; turn += 1) {
      try {
        return await attempt(work)
      } catch (err) {
        if (!isConflict(err)) throw err
        if (turn === ATTEMPTS_MAX) throw new Refusal('storage-unavailable', 'conflicts')
      }
      await sleep(Math.random() * ATTEMPT_MILLISECONDS * turn)
    }
  }
}
