import { existsSync } from 'node:fs'
import { type Config, ConfigError } from './config.ts'
import type { Database } from './database/database.ts'
import { openPostgres } from './database/postgres.ts'
import { StatementError } from './database/postgres-errors.ts'
import { openSqlite } from './database/sqlite.ts'
import { Refusal } from './errors.ts'

export type DatabaseSettings = Pick<Config, 'databaseUrl' | 'limits'> & {
  /** Whose the address is, when it is not the role of the service's. */
  databaseRole?: 'owner'
}

/**
 * Opens the database of the configuration: PostgreSQL where it names one, else the SQLite file at
 * `path`, which is made when it is new. Throws ConfigError when that cannot be.
 */
export async function openDatabase(settings: DatabaseSettings, path: string): Promise<Database> {
  const { databaseUrl, databaseRole, limits } = settings
  if (databaseUrl === undefined) return openSqlite(path, limits.commitGroupMax)
  try {
    return await openPostgres(databaseUrl, limits.databaseConnectionsMax, databaseRole)
  } catch (err) {
    if (err instanceof Refusal) {
      throw new ConfigError([`The server of DATABASE_URL does not answer (${err.message}).`])
    }
    if (!(err instanceof StatementError)) throw err
    throw new ConfigError([`The server of DATABASE_URL turned us away (${err.code}).`])
  }
}

/** Whether nothing was ever stored: then keys may be made, and otherwise they must be there. */
export async function isNewDatabase(settings: DatabaseSettings, path: string): Promise<boolean> {
  if (settings.databaseUrl === undefined) return !existsSync(path)
  const database = await openDatabase(settings, path)
  try {
    const rows = await database.read.select().from(database.read.tables.serviceKeys).limit(1)
    return rows.length === 0
  } finally {
    await database.close()
  }
}
