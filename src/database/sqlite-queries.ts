import type Sqlite from 'better-sqlite3'
import { Column, Param, Placeholder, requireDrizzle, SQL } from '../../schemas/drizzle.ts'
import { tables } from '../../schemas/tables.ts'
import type { Queries } from './database.ts'

const { drizzle }: typeof import('drizzle-orm/better-sqlite3') = requireDrizzle(
  'drizzle-orm/better-sqlite3'
)

/** The part of Drizzle's prepared queries that ours do without. */
interface Prepared {
  stmt: Sqlite.Statement<unknown[], unknown[]>
  query: { params: unknown[] }
  executeMethod: 'run' | 'all' | 'get'
  /** What is selected, in order; nothing where nothing is returned. */
  fields: { path: string[]; field: unknown }[] | undefined
  execute(values?: Values): Promise<unknown>
}
type Values = Record<string, unknown>
type Decoder = { mapFromDriverValue(value: unknown): unknown }

/** Builds queries for one connection. */
export function queriesOn(connection: Sqlite.Database): Queries {
  const queries = drizzle(plannedOnce(connection))
  const { session } = queries as unknown as {
    session: { prepareQuery(...query: unknown[]): Prepared }
  }
  const prepareQuery = session.prepareQuery.bind(session)
  session.prepareQuery = (...query) => readOnce(prepareQuery(...query))
  return Object.assign(queries, { tables: tables.sqlite, kind: 'sqlite' }) as unknown as Queries
}

/**
 * The driver's SQLite is built with STAT4, which plans a prepared statement anew each time the value
 * of a compared parameter changes: more work than most of our queries. A unary plus hides a
 * parameter from the planner and changes neither its value nor the use of an index
 * (sqlite.org/optoverview, section 3).
 */
function plannedOnce(connection: Sqlite.Database): Sqlite.Database {
  const prepare = connection.prepare.bind(connection)
  return Object.assign(Object.create(connection), {
    prepare: (text: string) => prepare(text.replace(/ (=|<|>|<=|>=|<>) \?/g, ' $1 +?'))
  })
}

/**
 * Drizzle finds out at every run what the parameters and the columns of a prepared query are, which
 * takes longer than most of our queries. This finds out once, at the first run. Where rows hold
 * objects, as those of joined tables may, Drizzle does it all as before.
 */
function readOnce(prepared: Prepared): Prepared {
  const execute = prepared.execute.bind(prepared)
  let run: ((values: Values) => unknown) | undefined
  prepared.execute = async (values = {}) => {
    run ??= runnerOf(prepared) ?? execute
    return run(values)
  }
  return prepared
}

function runnerOf({ stmt, query, executeMethod, fields }: Prepared) {
  const inputs = query.params.map(inputOf)
  const paramsOf = (values: Values) => inputs.map(input => input(values))
  if (executeMethod === 'run') return (values: Values) => stmt.run(...paramsOf(values))
  if (executeMethod !== 'all' || fields === undefined) return undefined
  if (fields.some(({ path }) => path.length !== 1)) return undefined
  const columns = fields.map(({ path, field }) => ({
    name: path[0] ?? '',
    decoder: decoderOf(field)
  }))
  const raw = stmt.raw()
  return (values: Values) => raw.all(...paramsOf(values)).map(row => rowOf(columns, row))
}

function inputOf(param: unknown): (values: Values) => unknown {
  if (param instanceof Placeholder) return values => given(values, param.name)
  if (!(param instanceof Param && param.value instanceof Placeholder)) return () => param
  const { name } = param.value
  return values => param.encoder.mapToDriverValue(given(values, name))
}

function given(values: Values, name: string): unknown {
  if (!(name in values)) throw new TypeError(`A query was run without its input ${name}.`)
  return values[name]
}

/** A column decodes its values itself; an expression, and one with a name, has a decoder. */
function decoderOf(field: unknown): Decoder {
  if (field instanceof Column) return field
  const expression = field instanceof SQL.Aliased ? field.sql : field
  return (expression as { decoder: Decoder }).decoder
}

function rowOf(columns: { name: string; decoder: Decoder }[], values: unknown[]): Values {
  const row: Values = {}
  for (const [n, { name, decoder }] of columns.entries()) {
    const value = values[n]
    row[name] = value === null ? null : decoder.mapFromDriverValue(value)
  }
  return row
}
