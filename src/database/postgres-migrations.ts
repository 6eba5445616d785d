import { Client, type Pool } from 'pg'
import { ConfigError } from '../config.ts'
import { migrationFiles, unseenMigrations } from './migration-files.ts'
import { inOurWords, StatementError } from './postgres-errors.ts'
import { grantToService } from './postgres-service-role.ts'

/** Any number, the same in every process: one migrates while the others wait. */
const MIGRATION_LOCK = 0x6d696772
const VERSION_MIN = 150_000
const UNDEFINED_TABLE = '42P01'

type Seen = { name: string; sha256: string }

/**
 * Brings the tables of a PostgreSQL database up to date, as their owner, and makes or corrects the
 * role of the service, which `serviceUrl` names with its password. All of it is one transaction: if
 * it stops half-way nothing has changed. Resolves to the names of the migrations it applied.
 * Throws ConfigError when the database was written by a newer release, or when a migration it has
 * seen was edited since.
 */
export async function migratePostgres(ownerUrl: string, serviceUrl: string): Promise<string[]> {
  const client = new Client({
    connectionString: ownerUrl,
    application_name: 'consilium migrations'
  })
  try {
    await client.connect()
    await client.query('BEGIN')
    await client.query('SET LOCAL search_path = public, pg_temp')
    await client.query('SELECT pg_advisory_xact_lock($1)', [MIGRATION_LOCK])
    await requireVersion(client)
    await client.query(
      'CREATE TABLE IF NOT EXISTS migrations (name text COLLATE "C" PRIMARY KEY NOT NULL, sha256 text NOT NULL, applied_at bigint NOT NULL)'
    )
    const { rows } = await client.query<Seen>('SELECT name, sha256 FROM migrations')
    const unseen = unseenMigrations(migrationFiles('postgres'), rows)
    for (const { name, text, sha256 } of unseen) {
      await client.query(text)
      await client.query('INSERT INTO migrations VALUES ($1, $2, $3)', [name, sha256, Date.now()])
    }
    await grantToService(client, serviceUrl)
    await client.query('COMMIT')
    return unseen.map(({ name }) => name)
  } catch (err) {
    throw inOurWords(err)
  } finally {
    await client.end()
  }
}

/** Throws ConfigError unless every migration of this release, and no other, has been applied. */
export async function requireSchema(pool: Pool): Promise<void> {
  await requireVersion(pool)
  const { rows } = await pool.query<Seen>('SELECT name, sha256 FROM migrations').catch(err => {
    const known = inOurWords(err)
    if (!(known instanceof StatementError) || known.code !== UNDEFINED_TABLE) throw known
    return { rows: [] }
  })
  const unseen = unseenMigrations(migrationFiles('postgres'), rows)
  if (unseen.length === 0) return
  throw new ConfigError([
    'The tables of this release are not in the database. Run npm run migrate-database.'
  ])
}

async function requireVersion(server: Pick<Pool | Client, 'query'>): Promise<void> {
  const { rows } = await server.query<{ version: string }>(
    "SELECT current_setting('server_version_num') AS version"
  )
  if (Number(rows[0]?.version) >= VERSION_MIN) return
  throw new ConfigError(['The server of DATABASE_URL is older than PostgreSQL 15.'])
}
