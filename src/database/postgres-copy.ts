import { Client } from 'pg'
import type { Snapshot } from './database.ts'
import { beginSnapshot } from './postgres.ts'
import { inOurWords, StatementError } from './postgres-errors.ts'
import { SERVICE_GRANTS } from './postgres-service-role.ts'

/** What is still arriving, what counts the moment, and who is signed in just now. */
export const NOT_COPIED = [
  'migrations',
  'refusal_counts',
  'drafts',
  'uploads',
  'upload_segments',
  'sessions',
  'ceremonies'
]

/** Every other table, in an order in which what a row refers to comes before it. */
export const COPIED_TABLES = Object.keys(SERVICE_GRANTS).filter(
  table => !NOT_COPIED.includes(table)
)

/** Rows asked for at once: the longest, a tile, takes about 16 KiB. */
const ROWS_MAX = 250
const PART_BYTES = 4_194_304
const UNDEFINED_TABLE = '42P01'

/** Some rows of one table, each a line of JSON as PostgreSQL writes and reads it. */
export interface RowsPart {
  table: string
  text: string
}

/**
 * Opens a PostgreSQL database as it is at this moment, to be copied row by row. Until `close` the
 * server keeps the rows it would have cleared away. A role that may read the tables is enough.
 */
export async function openPostgresCopy(
  url: string
): Promise<
  Pick<Snapshot, 'read' | 'close'> & { migrations: string[]; rows(): AsyncGenerator<RowsPart> }
> {
  const { client, read } = await beginSnapshot(url)
  return {
    read,
    migrations: await migrationsOf(client),
    rows: () => allRows(client),
    close: () => client.end().catch(() => {})
  }
}

async function* allRows(client: Client): AsyncGenerator<RowsPart> {
  for (const table of COPIED_TABLES) {
    const select = `SELECT row_to_json(t)::text AS line FROM ${table} AS t`
    await client.query(`DECLARE copied NO SCROLL CURSOR FOR ${select}`).catch(rethrow)
    let text = ''
    for (;;) {
      const { rows } = await client
        .query<{ line: string }>(`FETCH ${ROWS_MAX} FROM copied`)
        .catch(rethrow)
      for (const { line } of rows) text += `${line}\n`
      if (text !== '' && (rows.length < ROWS_MAX || text.length > PART_BYTES)) {
        yield { table, text }
        text = ''
      }
      if (rows.length < ROWS_MAX) break
    }
    await client.query('CLOSE copied').catch(rethrow)
  }
}

/** What the tables are, so that rows of other tables are not taken for these. */
async function migrationsOf(client: Client): Promise<string[]> {
  const { rows } = await client
    .query<{ name: string; sha256: string }>('SELECT name, sha256 FROM migrations ORDER BY name')
    .catch(rethrow)
  return rows.map(({ name, sha256 }) => `${name} ${sha256}`)
}

/** Which tables a database has, and whether it was never used. Undefined when there are none. */
export async function lookAtPostgres(
  ownerUrl: string
): Promise<{ migrations: string[]; isEmpty: boolean } | undefined> {
  try {
    return await asOwner(ownerUrl, async client => ({
      migrations: await migrationsOf(client),
      isEmpty: await isEmpty(client)
    }))
  } catch (err) {
    if (err instanceof StatementError && err.code === UNDEFINED_TABLE) return undefined
    throw err
  }
}

async function isEmpty(client: Client): Promise<boolean> {
  const used = await client.query(
    'SELECT 1 FROM service_keys UNION ALL SELECT 1 FROM audit_events UNION ALL SELECT 1 FROM audit_pending LIMIT 1'
  )
  return used.rows.length === 0
}

/**
 * Puts copied rows into an empty database, as the owner of its tables, in one transaction: if it
 * stops half-way nothing has happened. The triggers that keep rows as they are have nothing to keep
 * yet, and those that count would count twice, so they rest meanwhile. False when the database is
 * not empty.
 */
export async function loadPostgres(
  ownerUrl: string,
  parts: AsyncIterable<RowsPart>
): Promise<boolean> {
  return await asOwner(ownerUrl, async client => {
    await client.query('BEGIN')
    await client.query('SET LOCAL search_path = public, pg_temp')
    await client.query(`LOCK TABLE ${COPIED_TABLES.join(', ')} IN ACCESS EXCLUSIVE MODE`)
    if (!(await isEmpty(client))) return false
    for (const table of COPIED_TABLES) {
      await client.query(`ALTER TABLE ${table} DISABLE TRIGGER USER`)
    }
    // The two rows that the migrations make.
    await client.query('DELETE FROM directory_changes')
    await client.query('DELETE FROM audit_head')
    for await (const { table, text } of parts) {
      if (!COPIED_TABLES.includes(table)) throw new TypeError('There is no such table.')
      const rows = `[${text.trimEnd().replaceAll('\n', ',')}]`
      await client.query(
        `INSERT INTO ${table} OVERRIDING SYSTEM VALUE
          SELECT * FROM json_populate_recordset(NULL::${table}, $1::json)`,
        [rows]
      )
    }
    await client.query(
      "SELECT setval(pg_get_serial_sequence('audit_pending', 'seq'), (SELECT coalesce(max(seq), 0) + 1 FROM audit_pending), false)"
    )
    // A share may name a later one: judged only now, when all rows are here.
    await client.query('SET CONSTRAINTS ALL IMMEDIATE')
    for (const table of COPIED_TABLES) {
      await client.query(`ALTER TABLE ${table} ENABLE TRIGGER USER`)
    }
    await client.query('COMMIT')
    return true
  })
}

async function asOwner<T>(ownerUrl: string, work: (client: Client) => Promise<T>): Promise<T> {
  const client = new Client({ connectionString: ownerUrl, application_name: 'consilium restore' })
  client.on('error', () => {})
  try {
    await client.connect()
    return await work(client)
  } catch (err) {
    return rethrow(err)
  } finally {
    await client.end().catch(() => {})
  }
}

function rethrow(err: unknown): never {
  throw inOurWords(err)
}
