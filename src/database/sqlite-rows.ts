import Sqlite from 'better-sqlite3'
import { getTableColumns, getTableName } from '../../schemas/drizzle.ts'
import { tables } from '../../schemas/tables.ts'
import { COPIED_TABLES, NOT_COPIED, type RowsPart } from './postgres-copy.ts'

/** Rows in one part at most: the longest, a tile, takes about 16 KiB as text. */
const ROWS_MAX = 250
const PART_BYTES = 4_194_304

type Column = ReturnType<typeof getTableColumns>[string]

/** All rows of a SQLite database as they are at one moment. */
export interface SqliteRows {
  /** How many there are, of all tables together. */
  count: number
  /** Each once, in the form and the order in which PostgreSQL takes them. */
  rows(): AsyncGenerator<RowsPart & { count: number }>
  close(): void
}

/**
 * Opens a SQLite database of this release for reading all its rows. Which tables and columns there
 * are is read from the file, what they hold from schemas/tables.ts: one that is not known there, or
 * that nobody told PostgreSQL of, throws TypeError before anything is copied.
 */
export function openSqliteRows(file: string): SqliteRows {
  const connection = new Sqlite(file, { readonly: true, fileMustExist: true })
  try {
    connection.exec('BEGIN')
    const names = tableNames(connection)
    const columns = new Map(names.map(name => [name, columnsOf(connection, name)]))
    return {
      count: names.reduce((sum, name) => sum + countOf(connection, name), 0),
      rows: () => rowsOf(connection, columns),
      close: () => void connection.close()
    }
  } catch (err) {
    connection.close()
    throw err
  }
}

function tableNames(connection: Sqlite.Database): string[] {
  const found = connection
    .prepare<[], string>(
      "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
    )
    .pluck()
    .all()
  const unknown = found.filter(name => ![...COPIED_TABLES, ...NOT_COPIED].includes(name))
  if (unknown.length > 0) throw new TypeError(`Nobody knows how to copy ${unknown.join(', ')}.`)
  return COPIED_TABLES.filter(name => found.includes(name))
}

/** Throws unless the table has just the columns that the code knows. */
function columnsOf(connection: Sqlite.Database, name: string): Column[] {
  const table = Object.values(tables.sqlite).find(known => getTableName(known) === name)
  const columns: Column[] = table === undefined ? [] : Object.values(getTableColumns(table))
  const found = connection
    .prepare<[string], string>('SELECT name FROM pragma_table_info(?)')
    .pluck()
    .all(name)
  const known = columns.map(column => column.name)
  if (found.sort().join() === known.sort().join()) return columns
  throw new TypeError(`The columns of ${name} are not those that the code knows.`)
}

function countOf(connection: Sqlite.Database, name: string): number {
  return connection.prepare<[], number>(`SELECT count(*) FROM "${name}"`).pluck().get() ?? 0
}

async function* rowsOf(
  connection: Sqlite.Database,
  columns: Map<string, Column[]>
): AsyncGenerator<RowsPart & { count: number }> {
  for (const [table, known] of columns) {
    const names = known.map(column => `"${column.name}"`).join(', ')
    const select = connection.prepare<[], Record<string, unknown>>(
      `SELECT ${names} FROM "${table}"`
    )
    let [text, count] = ['', 0]
    for (const row of select.iterate()) {
      text += `${JSON.stringify(lineOf(known, row))}\n`
      count += 1
      if (count < ROWS_MAX && text.length < PART_BYTES) continue
      yield { table, text, count }
      ;[text, count] = ['', 0]
    }
    if (count > 0) yield { table, text, count }
  }
}

function lineOf(columns: Column[], row: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(columns.map(column => [column.name, jsonOf(column, row[column.name])]))
}

/**
 * The value as PostgreSQL reads it out of JSON: bytes in its hex form (PostgreSQL manual, 8.4.1), flags
 * as such. Throws TypeError for one that is not of its column's kind, or a number that is not exact.
 */
function jsonOf({ name, dataType }: Column, value: unknown): unknown {
  if (value === null) return null
  if (dataType === 'buffer' && Buffer.isBuffer(value)) return `\\x${value.toString('hex')}`
  if (dataType === 'string' && typeof value === 'string') return value
  if (dataType === 'number' && Number.isSafeInteger(value)) return value
  if (dataType === 'boolean' && (value === 0 || value === 1)) return value === 1
  throw new TypeError(`A value of ${name} is not of the kind of its column.`)
}
