import { join } from 'node:path'
import Sqlite from 'better-sqlite3'
import type { Table } from 'drizzle-orm'
import { Client } from 'pg'
import t from 'tap'
import { getTableColumns, getTableName } from '../../schemas/drizzle.ts'
import { tables } from '../../schemas/tables.ts'
import { openPostgres } from '../../src/database/postgres.ts'
import { migratePostgres } from '../../src/database/postgres-migrations.ts'
import { openSqlite } from '../../src/database/sqlite.ts'
import { asAdmin, freshPostgres, hasPostgres } from '../helpers/databases.ts'

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

/** SQLite gives an event its place at once (docs/decisions/0010). */
const isPostgresOnly = (table: Table) =>
  ['audit_pending', 'refusal_counts'].includes(getTableName(table))

const types: Record<string, string> = { text: 'TEXT', integer: 'INTEGER', blob: 'BLOB' }

t.test('the tables of the code are the tables of the migrations', async t => {
  const made = await madeByMigrations(t.testdir())
  const declared = Object.values(tables.sqlite).filter(table => !isPostgresOnly(table))
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
    if (isPostgresOnly(table)) continue
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

/** What the migrations make in PostgreSQL: columns in order, then indexes and triggers by name. */
async function madeInPostgres(url: string) {
  const client = new Client({ connectionString: url })
  await client.connect()
  const columns = await client.query<Record<string, string>>(
    `SELECT table_name, column_name, data_type, is_nullable, collation_name
     FROM information_schema.columns WHERE table_schema = 'public' AND table_name <> 'migrations'
     ORDER BY table_name, ordinal_position`
  )
  const indexes = await client.query<{ name: string }>(
    `SELECT tablename || '.' || indexname AS name FROM pg_indexes
     WHERE schemaname = 'public' AND tablename <> 'migrations' ORDER BY name`
  )
  const keys = await client.query<{ table: string; columns: string[] }>(
    `SELECT conrelid::regclass::text AS table, array_agg(attname::text ORDER BY ord) AS columns
     FROM pg_constraint, unnest(conkey) WITH ORDINALITY AS key (number, ord)
     JOIN pg_attribute ON attnum = key.number
     WHERE contype = 'p' AND attrelid = conrelid AND connamespace = 'public'::regnamespace
     GROUP BY conrelid`
  )
  await client.end()
  return { columns: columns.rows, indexes: indexes.rows, keys: keys.rows }
}

t.test('on PostgreSQL too the tables of the code are those of the migrations', async t => {
  if (!hasPostgres(t)) return
  const { ownerUrl } = await freshPostgres()
  const { columns, indexes, keys } = await madeInPostgres(ownerUrl)
  const declared = Object.values(tables.postgres)
  t.same(
    [...new Set(columns.map(column => column.table_name))],
    declared.map(table => getTableName(table)).sort()
  )
  for (const table of declared) {
    const name = getTableName(table)
    const inCode = Object.values(getTableColumns(table)).map(column => [
      column.name,
      column.getSQLType(),
      column.notNull ? 'NO' : 'YES',
      column.getSQLType() === 'text' ? 'C' : null
    ])
    const made = columns.filter(column => column.table_name === name)
    const inDatabase = made.map(column => [
      column.column_name,
      column.data_type,
      column.is_nullable,
      column.collation_name
    ])
    t.same(inCode, inDatabase, `${name}: every column, in order, bytewise if it is text`)
    const primary = Object.values(getTableColumns(table)).filter(column => column.primary)
    const key = keys.find(found => found.table === name)
    t.ok(key, `${name} has a primary key`)
    if (primary.length > 0)
      t.same(
        key?.columns,
        primary.map(column => column.name),
        name
      )
  }
  const file = join(t.testdir(), 'exchange.db')
  await openSqlite(file).close()
  const lite = new Sqlite(file, { readonly: true })
  const named = lite
    .prepare("SELECT name FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL")
    .pluck()
    .all()
  lite.close()
  const there = indexes.map(({ name }) => name.split('.')[1])
  t.same(
    named.filter(name => !there.includes(String(name))),
    [],
    'and every index of SQLite is there'
  )
})

t.test('PostgreSQL: migrating again changes nothing, also many at once', async t => {
  if (!hasPostgres(t)) return
  const { ownerUrl, url } = await freshPostgres()
  const before = await madeInPostgres(ownerUrl)
  const again = await Promise.all([1, 2, 3].map(() => migratePostgres(ownerUrl, url)))
  t.same(again, [[], [], []])
  t.same(await madeInPostgres(ownerUrl), before)
  await (await openPostgres(url, 2)).close()
})

t.test('PostgreSQL: other tables than those of this release are left alone', async t => {
  if (!hasPostgres(t)) return
  const spoil: [statement: string, told: RegExp][] = [
    [
      "INSERT INTO migrations VALUES ('9999_from_the_future.sql', 'x', 0)",
      /written by a newer release: it knows migration 9999_from_the_future\.sql/
    ],
    ["UPDATE migrations SET sha256 = 'x'", /Migration 0001_\w+\.sql was changed/]
  ]
  for (const [statement, told] of spoil) {
    const { url, ownerUrl } = await freshPostgres()
    await asAdmin(ownerUrl, statement)
    await t.rejects(openPostgres(url, 2), { name: 'ConfigError', message: told })
    await t.rejects(migratePostgres(ownerUrl, url), { name: 'ConfigError', message: told })
  }
  const { url, ownerUrl } = await freshPostgres()
  await asAdmin(ownerUrl, 'DELETE FROM migrations')
  await t.rejects(openPostgres(url, 2), { message: /Run npm run migrate-database/ })
  await t.rejects(migratePostgres(ownerUrl, url), { code: '42723' }, 'all or nothing')
})
