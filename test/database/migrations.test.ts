import { join } from 'node:path'
import Sqlite from 'better-sqlite3'
import { getTableColumns, getTableName } from 'drizzle-orm'
import t from 'tap'
import { tables } from '../../schemas/tables.ts'
import { openSqlite } from '../../src/database/sqlite.ts'

interface Column {
  name: string
  type: string
  notnull: number
  pk: number
}

/** What the migrations make, read from the database itself. */
async function madeByMigrations(directory: string) {
  const file = join(directory, 'exchange.db')
  await openSqlite(file).close()
  const database = new Sqlite(file, { readonly: true })
  const names = database
    .prepare<[], { name: string }>(
      "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
    )
    .all()
    .map(row => row.name)
    .filter(name => name !== 'migrations')
  const columns = new Map(
    names.map(name => [name, database.pragma(`table_info(${name})`) as Column[]])
  )
  database.close()
  return columns
}

const types: Record<string, string> = { text: 'TEXT', integer: 'INTEGER', blob: 'BLOB' }

t.test('the tables of the code are the tables of the migrations', async t => {
  const made = await madeByMigrations(t.testdir())
  const declared = Object.values(tables.sqlite)
  t.same([...made.keys()].sort(), declared.map(table => getTableName(table)).sort())
  for (const table of declared) {
    const name = getTableName(table)
    const inCode = Object.values(getTableColumns(table)).map(column => ({
      name: column.name,
      type: types[column.getSQLType()],
      notNull: column.notNull
    }))
    const inDatabase = (made.get(name) ?? []).map(column => ({
      name: column.name,
      type: column.type,
      notNull: column.notnull === 1
    }))
    t.same(inCode, inDatabase, `${name}: every column, in order, and whether it may be null`)
  }
})

t.test('each primary key of the code is one of the migrations', async t => {
  const made = await madeByMigrations(t.testdir())
  for (const table of Object.values(tables.sqlite)) {
    const name = getTableName(table)
    const inCode = Object.values(getTableColumns(table)).filter(column => column.primary)
    const inDatabase = (made.get(name) ?? []).filter(column => column.pk > 0)
    t.ok(inDatabase.length > 0, `${name} has a primary key`)
    if (inCode.length === 0) continue
    t.same(
      inCode.map(column => column.name),
      inDatabase.map(column => column.name),
      name
    )
  }
})

t.test('the two kinds of database have the same tables and columns', async t => {
  const names = (set: typeof tables.sqlite) =>
    Object.entries(set).map(([key, table]) => [
      key,
      getTableName(table),
      Object.entries(getTableColumns(table)).map(([field, column]) => [field, column.name])
    ])
  t.same(names(tables.sqlite), names(tables.postgres))
})

t.test('migrating again changes nothing', async t => {
  const directory = t.testdir()
  const first = await madeByMigrations(directory)
  t.same(await madeByMigrations(directory), first)
})
