import Sqlite from 'better-sqlite3'
import { ConfigError } from '../config.ts'
import { migrationFiles, unseenMigrations } from './migration-files.ts'
import { readSchema, type SchemaPart, schemaFaults } from './sqlite-schema.ts'

/** Faults of the schema told one by one: whoever dropped a hundred triggers is known by twenty. */
const FAULTS_TOLD_MAX = 20

/**
 * Applies the migrations this database has not seen, in the order of their names, all in one
 * transaction: a crash leaves the old tables or the new ones. Throws ConfigError when the database
 * was written by a newer release, or when a migration it has seen was edited since.
 */
export function migrateSqlite(connection: Sqlite.Database): void {
  const wanted = migrationFiles('sqlite')
  connection
    .transaction(() => {
      connection.exec(
        'CREATE TABLE IF NOT EXISTS migrations (name TEXT PRIMARY KEY NOT NULL, sha256 TEXT NOT NULL, applied_at INTEGER NOT NULL) STRICT'
      )
      const seen = connection
        .prepare<[], { name: string; sha256: string }>('SELECT name, sha256 FROM migrations')
        .all()
      for (const { name, text, sha256 } of unseenMigrations(wanted, seen)) {
        connection.exec(text)
        connection
          .prepare('INSERT INTO migrations (name, sha256, applied_at) VALUES (?, ?, ?)')
          .run(name, sha256, Date.now())
      }
    })
    .immediate()
}

let known: SchemaPart[] | undefined

/** The schema that the migrations of this release make: worked out once, by applying them. */
export function schemaOfMigrations(): SchemaPart[] {
  known ??= makeSchema()
  return known
}

function makeSchema(): SchemaPart[] {
  const connection = new Sqlite(':memory:')
  try {
    migrateSqlite(connection)
    return readSchema(connection)
  } finally {
    connection.close()
  }
}

/** Throws ConfigError unless the schema is just what the migrations make, and names what is not. */
export function requireSchema(connection: Sqlite.Database): void {
  const faults = schemaFaults(readSchema(connection), schemaOfMigrations())
  if (faults.length === 0) return
  throw new ConfigError([
    ...faults.slice(0, FAULTS_TOLD_MAX),
    `${faults.length} parts of the database are not as this release makes them: somebody changed it. See docs/audit-log.md, "When the service refuses to start".`
  ])
}
