import type Sqlite from 'better-sqlite3'

/**
 * Drops every trigger, as an intruder with the database file does. Gives what puts them back, which
 * an intruder who wants to stay unseen does too.
 */
export function dropTriggers(database: Sqlite.Database): () => void {
  const found = database
    .prepare<[], { name: string; sql: string }>(
      "SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'"
    )
    .all()
  for (const { name } of found) database.exec(`DROP TRIGGER ${name}`)
  return () => {
    for (const { sql } of found) database.exec(sql)
  }
}
