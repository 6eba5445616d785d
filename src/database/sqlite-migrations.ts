import type Sqlite from 'better-sqlite3'
import { migrationFiles, unseenMigrations } from './migration-files.ts'

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
