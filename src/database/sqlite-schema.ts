import type Sqlite from 'better-sqlite3'

/** A table, index, trigger or view as SQLite keeps it: the text that made it. */
export interface SchemaPart {
  type: string
  name: string
  sql: string | null
}

/** Everything in the schema but what SQLite makes by itself. */
export function readSchema(connection: Sqlite.Database): SchemaPart[] {
  const parts = connection
    .prepare<[], SchemaPart>('SELECT type, name, sql FROM sqlite_schema')
    .all()
  return parts.filter(part => !isOwnOfSqlite(part))
}

/** Indexes behind constraints, and the tables of ANALYZE. By name alone a trigger could hide here. */
function isOwnOfSqlite({ type, name, sql }: SchemaPart): boolean {
  if (type === 'index') return sql === null && name.startsWith('sqlite_autoindex_')
  return type === 'table' && /^sqlite_stat[1-4]$/.test(name)
}

/**
 * What is otherwise than it should be, each as one sentence: triggers keep events and shares from
 * being changed, so one that is gone, or one too many, is somebody's doing.
 */
export function schemaFaults(found: SchemaPart[], wanted: SchemaPart[]): string[] {
  const byName = (parts: SchemaPart[]) => new Map(parts.map(part => [nameOf(part), part.sql]))
  const [is, should] = [byName(found), byName(wanted)]
  const faults: string[] = []
  for (const [name, sql] of should) {
    if (!is.has(name)) faults.push(`The database lacks the ${name}.`)
    else if (is.get(name) !== sql) faults.push(`The ${name} of the database was changed.`)
  }
  for (const name of is.keys()) {
    if (!should.has(name)) faults.push(`The database has a ${name}, which no release made.`)
  }
  return faults
}

const nameOf = ({ type, name }: SchemaPart): string => `${type} ${name}`
