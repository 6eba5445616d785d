import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { Client } from 'pg'
import t, { type Test } from 'tap'
import type { Database } from '../../src/database/database.ts'
import { openPostgres } from '../../src/database/postgres.ts'
import { migratePostgres } from '../../src/database/postgres-migrations.ts'
import { openSqlite } from '../../src/database/sqlite.ts'
import { findPostgres, startPostgresServer } from './postgres-server.ts'

/** Which database the tests that open an exchange run on: TEST_DATABASE=postgres or not. */
export const TEST_DATABASE = process.env.TEST_DATABASE === 'postgres' ? 'postgres' : 'sqlite'

/** For `skip` of a test that looks into the SQLite file itself: what to say, or false. */
export const sqliteOnly = TEST_DATABASE === 'postgres' && 'looks into the SQLite file'
/** The same for what only several processes on PostgreSQL can show. */
export const postgresOnly = TEST_DATABASE === 'sqlite' && 'runs with TEST_DATABASE=postgres'

/** Connections of each exchange under test. */
const CONNECTIONS_MAX = 10
const TEMPLATE = 'consilium_template'
const ROLES = { owner: 'consilium_owner', service: 'consilium_service' }
const PASSWORD = 'only-for-tests'

/** A migrated PostgreSQL database of one test. */
export interface PostgresDatabase {
  /** As the service connects. */
  url: string
  ownerUrl: string
  adminUrl: string
}

/** One empty database under test. */
export interface DatabaseUnderTest {
  kind: 'sqlite' | 'postgres'
  /** Opens it. Each call stands for a process of its own on the same data; the test closes it. */
  open(): Promise<Database>
  /** Runs statements past the service, as somebody who holds the database. */
  exec(statements: string): Promise<void>
}

/** Runs one test on every kind of database, each time on an empty one of its own. */
export function eachDatabase(
  title: string,
  story: (t: Test, database: DatabaseUnderTest) => Promise<void>
): void {
  t.test(`sqlite: ${title}`, async t => story(t, sqliteUnderTest(t)))
  t.test(`postgres: ${title}`, async t => {
    if (hasPostgres(t)) await story(t, await postgresUnderTest(t))
  })
}

/** Whether PostgreSQL is installed. Where it must be, its absence fails the test. */
export function hasPostgres(t: Test): boolean {
  const found = process.env.TEST_POSTGRES_URL !== undefined || findPostgres() !== undefined
  if (!found && process.env.CI_SERVICES === 'required') t.fail('PostgreSQL 15 is not installed')
  else if (!found) t.pass('on PostgreSQL', { skip: 'PostgreSQL 15 is not installed' })
  return found
}

function sqliteUnderTest(t: Test): DatabaseUnderTest {
  t.teardown(() => {})
  const file = join(t.testdir(), 'exchange.db')
  return {
    kind: 'sqlite',
    async open() {
      const database = openSqlite(file)
      t.teardown(() => database.close())
      return database
    },
    async exec(statements) {
      const { default: Sqlite } = await import('better-sqlite3')
      const connection = new Sqlite(file)
      connection.pragma('recursive_triggers = ON')
      try {
        connection.exec(statements)
      } finally {
        connection.close()
      }
    }
  }
}

async function postgresUnderTest(t: Test): Promise<DatabaseUnderTest> {
  const { url, adminUrl } = await freshPostgres()
  return {
    kind: 'postgres',
    async open() {
      const database = await openPostgres(url, CONNECTIONS_MAX)
      t.teardown(() => database.close())
      return database
    },
    exec: statements => asAdmin(adminUrl, statements)
  }
}

/** Runs statements as the superuser. */
export async function asAdmin(url: string, statements: string): Promise<void> {
  const client = new Client({ connectionString: url })
  await client.connect()
  try {
    await client.query(statements)
  } finally {
    await client.end()
  }
}

/** What DATABASE_URL is to be for an exchange of this test: nothing, unless it runs on PostgreSQL. */
export async function databaseSettings(): Promise<Record<string, string>> {
  if (TEST_DATABASE === 'sqlite') return {}
  const { url, ownerUrl } = await freshPostgres()
  return {
    DATABASE_URL: url,
    DATABASE_OWNER_URL: ownerUrl,
    CONSILIUM_DATABASE_CONNECTIONS_MAX: String(CONNECTIONS_MAX)
  }
}

/** The database of an exchange as the operator who may erase opens it. */
export async function ownerDatabase(
  t: Test,
  { database, settings }: { database: Database; settings: Record<string, string> }
): Promise<Database> {
  const url = settings['DATABASE_OWNER_URL']
  if (url === undefined) return database
  const owner = await openPostgres(url, CONNECTIONS_MAX, 'owner')
  t.teardown(() => owner.close())
  return owner
}

let server: Promise<string> | undefined

/** The address of the server of this run of the tests; one for this file when there is none. */
export function postgresServer(): Promise<string> {
  const shared = process.env.TEST_POSTGRES_URL
  if (shared !== undefined) return Promise.resolve(shared)
  server ??= startPostgresServer().then(started => {
    process.on('exit', () => started.abandon())
    return started.url
  })
  return server
}

/**
 * A database with the tables and both roles. It goes with its server: to drop it alone would make the
 * server write everything down first, which takes seconds.
 */
export async function freshPostgres(serverUrl?: string): Promise<PostgresDatabase> {
  const url = serverUrl ?? (await postgresServer())
  await makeTemplate(url)
  const name = `test_${randomBytes(8).toString('hex')}`
  await asAdmin(url, `CREATE DATABASE ${name} TEMPLATE ${TEMPLATE} OWNER ${ROLES.owner}`)
  // A copy has the rights inside the database, and not those to the database.
  await asAdmin(
    url,
    `REVOKE ALL ON DATABASE ${name} FROM PUBLIC; GRANT CONNECT ON DATABASE ${name} TO ${ROLES.service}`
  )
  return addressesOf(url, name)
}

export function addressesOf(serverUrl: string, name: string): PostgresDatabase {
  const address = (user?: string) => {
    const url = new URL(serverUrl)
    url.pathname = `/${name}`
    if (user !== undefined) [url.username, url.password] = [user, PASSWORD]
    return url.href
  }
  return { url: address(ROLES.service), ownerUrl: address(ROLES.owner), adminUrl: address() }
}

/** Makes the database that the others are copies of, the first time: migrating takes longer. */
async function makeTemplate(url: string): Promise<void> {
  const client = new Client({ connectionString: url })
  await client.connect()
  try {
    await client.query('SELECT pg_advisory_lock(1)')
    const known = await client.query(
      'SELECT 1 FROM pg_database WHERE datistemplate AND datname = $1',
      [TEMPLATE]
    )
    if (known.rows.length > 0) return
    await client.query(`CREATE ROLE ${ROLES.owner} LOGIN CREATEROLE PASSWORD '${PASSWORD}'`)
    await client.query(`CREATE DATABASE ${TEMPLATE} OWNER ${ROLES.owner}`)
    const { ownerUrl, url: serviceUrl } = addressesOf(url, TEMPLATE)
    await migratePostgres(ownerUrl, serviceUrl)
    await client.query(`ALTER DATABASE ${TEMPLATE} WITH IS_TEMPLATE true`)
  } finally {
    await client.end()
  }
}
