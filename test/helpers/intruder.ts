import Sqlite from 'better-sqlite3'
import { Client } from 'pg'
import type { Test } from 'tap'
import { requireDrizzle } from '../../schemas/drizzle.ts'
import { tables } from '../../schemas/tables.ts'
import type { Config } from '../../src/config.ts'
import type { Queries } from '../../src/database/database.ts'
import { openSqlite } from '../../src/database/sqlite.ts'
import { dataPaths } from '../../src/open-data.ts'
import { addressesOf, postgresServer } from './databases.ts'
import { dropTriggers } from './triggers.ts'

const { drizzle }: typeof import('drizzle-orm/node-postgres') = requireDrizzle(
  'drizzle-orm/node-postgres'
)

/** Somebody who holds the database itself: its file, or the rights of its superuser. */
export interface Intruder {
  kind: 'sqlite' | 'postgres'
  /** Runs one statement, with values for each `?`, and resolves to its rows. */
  run(statement: string, ...values: unknown[]): Promise<Record<string, unknown>[]>
  /** The same with queries. On PostgreSQL each is a transaction of its own. */
  write<T>(work: (tx: Queries) => Promise<T>): Promise<T>
  /** From here on no trigger refuses anything to this intruder. */
  passTriggers(): Promise<void>
  /** Puts them back, as an intruder who wants to stay unseen does. */
  restoreTriggers(): Promise<void>
}

/** Opens the database of an exchange under test past the service. Closed when the test ends. */
export async function intrude(
  t: Test,
  at: Pick<Config, 'dataDirectory' | 'databaseUrl'>
): Promise<Intruder> {
  const { databaseUrl } = at
  return databaseUrl === undefined
    ? intoFile(t, dataPaths(at.dataDirectory).database)
    : await intoServer(t, databaseUrl)
}

function intoFile(t: Test, file: string): Intruder {
  const connection = new Sqlite(file)
  t.teardown(() => connection.close())
  // As every connection of the service has it.
  connection.pragma('recursive_triggers = ON')
  let restore = () => {}
  return {
    kind: 'sqlite',
    async run(statement, ...values) {
      const prepared = connection.prepare(statement)
      if (prepared.reader) return prepared.all(...values) as Record<string, unknown>[]
      prepared.run(...values)
      return []
    },
    async write(work) {
      const database = openSqlite(file)
      try {
        return await database.write(work)
      } finally {
        await database.close()
      }
    },
    async passTriggers() {
      restore = dropTriggers(connection)
    },
    async restoreTriggers() {
      restore()
      restore = () => {}
    }
  }
}

async function intoServer(t: Test, databaseUrl: string): Promise<Intruder> {
  const { adminUrl } = addressesOf(await postgresServer(), new URL(databaseUrl).pathname.slice(1))
  const client = new Client({ connectionString: adminUrl })
  client.on('error', () => {})
  await client.connect()
  t.teardown(() => client.end())
  const queries = Object.assign(drizzle({ client }), {
    tables: tables.postgres,
    kind: 'postgres' as const
  })
  return {
    kind: 'postgres',
    async run(statement, ...values) {
      const text = statement.split('?').reduce((before, after, n) => `${before}$${n}${after}`)
      return (await client.query(text, values)).rows
    },
    write: work =>
      work(queries).catch(err => {
        throw err.cause ?? err
      }),
    async passTriggers() {
      await client.query('SET session_replication_role = replica')
    },
    async restoreTriggers() {
      await client.query('SET session_replication_role = origin')
    }
  }
}
