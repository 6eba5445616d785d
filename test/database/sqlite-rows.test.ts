import { join } from 'node:path'
import Sqlite from 'better-sqlite3'
import t, { type Test } from 'tap'
import { getTableColumns, getTableName } from '../../schemas/drizzle.ts'
import { tables } from '../../schemas/tables.ts'
import { COPIED_TABLES } from '../../src/database/postgres-copy.ts'
import { openSqlite } from '../../src/database/sqlite.ts'
import { openSqliteRows } from '../../src/database/sqlite-rows.ts'

async function fresh(t: Test, statements = ''): Promise<string> {
  const file = join(t.testdir(), 'exchange.db')
  await openSqlite(file).close()
  const connection = new Sqlite(file)
  connection.exec(statements)
  connection.close()
  return file
}

t.test('no table and no column is forgotten', async t => {
  const declared = Object.values(tables.sqlite).map(table => getTableName(table))
  t.same(
    declared.filter(name => !COPIED_TABLES.includes(name)),
    ['drafts', 'uploads', 'upload_segments', 'refusal_counts', 'sessions', 'ceremonies'],
    'what is still arriving is sent again, and what a minute remembers is not worth copying'
  )
  const kinds = new Set(['string', 'number', 'boolean', 'buffer'])
  for (const table of Object.values(tables.sqlite)) {
    for (const { name, dataType } of Object.values(getTableColumns(table))) {
      t.ok(kinds.has(dataType), `${getTableName(table)}.${name} can be copied: ${dataType}`)
    }
  }
})

t.test('a database with more than the code knows is not copied', async t => {
  const table = await fresh(t, 'CREATE TABLE later_release (id TEXT PRIMARY KEY)')
  t.throws(() => openSqliteRows(table), { message: 'Nobody knows how to copy later_release.' })
  const column = await fresh(t, 'ALTER TABLE cases ADD COLUMN more TEXT')
  t.throws(() => openSqliteRows(column), { message: /The columns of cases are not/ })
})

/** Those without a default. */
const COLUMNS = 'id, name, ods_code, country, created_at'

t.test('values come in the form that PostgreSQL reads', async t => {
  const file = await fresh(
    t,
    `INSERT INTO organisations (${COLUMNS}) VALUES ('a', 'A "B"' || char(10) || 'ü€', NULL, 'GB', 9007199254740991);
     INSERT INTO service_keys VALUES ('directory', x'00ff5c78', 0)`
  )
  const source = openSqliteRows(file)
  const parts: Record<string, string> = {}
  for await (const { table, text } of source.rows()) parts[table] = text
  source.close()
  t.equal(source.count, 4, 'with the two rows that every database has')
  t.match(JSON.parse(parts['organisations'] ?? ''), {
    id: 'a',
    name: 'A "B"\nü€',
    ods_code: null,
    country: 'GB',
    created_at: Number.MAX_SAFE_INTEGER,
    public_authority: false
  })
  t.match(parts['service_keys'], '"wrapped_key":"\\\\x00ff5c78"')

  const inexact = await fresh(
    t,
    `INSERT INTO organisations (${COLUMNS}) VALUES ('a', 'A', NULL, 'GB', 9007199254740993)`
  )
  const refused = openSqliteRows(inexact)
  await t.rejects(refused.rows().next(), { message: /created_at is not of the kind/ })
  refused.close()
})

t.test('many rows come in parts', async t => {
  const rows = Array.from({ length: 600 }, (_, n) => `('${n}', 'x', NULL, 'GB', 0)`)
  const file = await fresh(t, `INSERT INTO organisations (${COLUMNS}) VALUES ${rows.join(', ')}`)
  const source = openSqliteRows(file)
  const counts: number[] = []
  for await (const { table, count } of source.rows()) {
    if (table === 'organisations') counts.push(count)
  }
  source.close()
  t.same(counts, [250, 250, 100])
})
