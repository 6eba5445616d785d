import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import Sqlite from 'better-sqlite3'
import t, { type Test } from 'tap'
import { buildApp } from '../src/app.ts'
import { type Config, readConfig } from '../src/config.ts'
import { openSqlite } from '../src/database/sqlite.ts'
import { createLogger } from '../src/log.ts'
import { dataPaths, prepareData } from '../src/open-data.ts'
import { sqliteOnly } from './helpers/databases.ts'
import { numberedText, sharedRecord, startExchange } from './helpers/exchange.ts'

/** Every file with what identifies its content, except those that SQLite itself rewrites. */
function listing(directory: string): Record<string, string> {
  const files = readdirSync(directory, { recursive: true, withFileTypes: true })
    .map(entry => join(entry.parentPath, entry.name))
    .filter(path => !/consilium\.db|service\.lock/.test(path))
  return Object.fromEntries(
    files.map(path => {
      const { mode, mtimeMs } = statSync(path)
      const isFile = statSync(path).isFile()
      const sum = isFile ? createHash('sha256').update(readFileSync(path)).digest('hex') : 'folder'
      return [relative(directory, path), `${mode.toString(8)} ${isFile ? mtimeMs : ''} ${sum}`]
    })
  )
}

/** Every row of every table, but for the time at which the log was last seen to be writable. */
function rows(config: Config): Record<string, unknown[]> {
  const database = new Sqlite(dataPaths(config.dataDirectory).database, { readonly: true })
  try {
    const tables = database
      .prepare<[], { name: string }>("SELECT name FROM sqlite_master WHERE type = 'table'")
      .all()
    const found = Object.fromEntries(
      tables.map(({ name }) => [name, database.prepare(`SELECT * FROM "${name}"`).all()])
    )
    for (const head of found['audit_head'] ?? []) Object.assign(Object(head), { checked_at: 0 })
    return found
  } finally {
    database.close()
  }
}

function newConfig(t: Test): Config {
  return readConfig({ CONSILIUM_DATA: join(t.testdir(), 'data'), CONSILIUM_LOG_LEVEL: 'silent' })
}

/** One start and stop, the way `main.ts` does it, without listening. */
async function startAndStop(config: Config): Promise<{ isNew: boolean }> {
  const { release, isNew } = await prepareData(config)
  try {
    const app = await buildApp(config, createLogger('silent'))
    await app.stop()
    return { isNew }
  } finally {
    release()
  }
}

t.test('the first start makes keys and database, for this user alone', async t => {
  const config = newConfig(t)
  t.match(await startAndStop(config), { isNew: true })
  const paths = dataPaths(config.dataDirectory)
  t.equal(statSync(config.dataDirectory).mode & 0o777, 0o700)
  for (const path of [
    paths.keyring,
    paths.issuerKeys,
    paths.linkKeys,
    paths.logKeys,
    paths.checkpoint
  ]) {
    t.equal(statSync(path).mode & 0o777, 0o600, relative(config.dataDirectory, path))
  }
  const { service_keys: keys = [] } = rows(config)
  t.same(keys.map(row => (row as { purpose: string }).purpose).sort(), [
    'audit',
    'directory',
    'lookup'
  ])
})

t.test('the second start changes nothing', { skip: sqliteOnly }, async t => {
  const exchange = await startExchange(t)
  await sharedRecord(exchange, [numberedText(100_000), numberedText(10, 'b.txt')])
  await exchange.app.stop()
  const before = { files: listing(exchange.directory), rows: rows(exchange.config) }
  t.ok(Object.keys(before.files).length > 5)
  await exchange.restart()
  await exchange.app.stop()
  t.same({ files: listing(exchange.directory), rows: rows(exchange.config) }, before)
})

t.test('a first start that was cut short is completed by the next', async t => {
  const config = newConfig(t)
  await startAndStop(config)
  const paths = dataPaths(config.dataDirectory)
  const keyring = readFileSync(paths.keyring)
  // The database comes last, so without it nothing was ever stored under these keys, nor signed.
  for (const end of ['', '-wal', '-shm']) rmSync(paths.database + end, { force: true })
  for (const path of [paths.checkpoint, paths.linkKeys, paths.logKeys]) rmSync(path)
  t.match(await startAndStop(config), { isNew: true })
  t.ok(readFileSync(paths.keyring).equals(keyring), 'what was there is kept')
  for (const path of [paths.linkKeys, paths.logKeys]) {
    t.ok(statSync(path).isFile(), 'what was missing is made')
  }
})

const removeDatabase = ({ database }: ReturnType<typeof dataPaths>) => {
  for (const end of ['', '-wal', '-shm']) rmSync(database + end, { force: true })
}

t.test('a log that was signed is not begun again under its name', async t => {
  const lost: Record<string, (paths: ReturnType<typeof dataPaths>) => void> = {
    'database and checkpoint lost': paths => {
      removeDatabase(paths)
      rmSync(paths.checkpoint)
    },
    'the database lost': removeDatabase,
    'database, checkpoint and all other keys lost': paths => {
      removeDatabase(paths)
      for (const path of [paths.checkpoint, paths.keyring, paths.linkKeys]) rmSync(path)
    },
    'all but the checkpoint lost': paths => {
      removeDatabase(paths)
      rmSync(paths.logKeys)
    }
  }
  for (const [what, lose] of Object.entries(lost)) {
    await t.test(what, async t => {
      const config = newConfig(t)
      await startAndStop(config)
      lose(dataPaths(config.dataDirectory))
      const before = listing(config.dataDirectory)
      const told =
        /consilium\.db is missing, yet its access log has been signed.*another CONSILIUM_/
      await t.rejects(startAndStop(config), { name: 'ConfigError', message: told })
      t.notOk(existsSync(dataPaths(config.dataDirectory).database))
      t.same(listing(config.dataDirectory), before, 'and nothing is made')
    })
  }
})

t.test('nor in a database that was made beside its keys', async t => {
  const config = newConfig(t)
  await startAndStop(config)
  const paths = dataPaths(config.dataDirectory)
  removeDatabase(paths)
  rmSync(paths.checkpoint)
  await openSqlite(paths.database).close()
  const told = /A checkpoint was signed, and the database knows of none/
  await t.rejects(startAndStop(config), { name: 'ConfigError', message: told })
})

t.test('a first start goes on from each point at which it can stop', async t => {
  const config = newConfig(t)
  const paths = dataPaths(config.dataDirectory)
  const keyFile = () => JSON.parse(readFileSync(paths.logKeys, 'utf8'))
  const prepared = await prepareData(config)
  prepared.release()
  const { origin, begun } = keyFile()
  t.equal(begun, undefined, 'nothing is signed yet')

  removeDatabase(paths)
  writeFileSync(`${paths.logKeys}.0123456789abcdef.tmp`, 'half of a key')
  t.match(await startAndStop(config), { isNew: true }, 'between the keys and the database')
  t.same(Object.keys(listing(join(config.dataDirectory, 'keys'))).length, 4, 'nothing is left over')
  t.equal(keyFile().origin, origin)
  t.type(keyFile().begun, 'string')

  writeFileSync(paths.logKeys, JSON.stringify({ ...keyFile(), begun: undefined }))
  t.match(await startAndStop(config), { isNew: false }, 'between the checkpoint and the key file')
  t.type(keyFile().begun, 'string')

  writeFileSync(paths.logKeys, JSON.stringify({ ...keyFile(), begun: undefined }))
  rmSync(paths.checkpoint)
  await startAndStop(config)
  t.type(keyFile().begun, 'string', 'between the checkpoint and its copy')
})

t.test('data that no release of ours left so are left alone', async t => {
  const spoil: Record<string, [statement: string, told: RegExp]> = {
    newer: [
      "INSERT INTO migrations VALUES ('9999_from_the_future.sql', 'x', 0)",
      /written by a newer release: it knows migration 9999_from_the_future\.sql/
    ],
    altered: ["UPDATE migrations SET sha256 = 'x'", /Migration 0001_\w+\.sql was changed/],
    'a tampered': [
      'DROP TRIGGER audit_events_no_update; DROP INDEX cases_patient',
      /The database lacks the index cases_patient\.\n.*lacks the trigger audit_events_no_update\./
    ]
  }
  for (const [what, [statement, told]] of Object.entries(spoil)) {
    await t.test(what, async t => {
      const config = newConfig(t)
      await startAndStop(config)
      const database = new Sqlite(dataPaths(config.dataDirectory).database)
      database.exec(statement)
      database.close()
      const before = rows(config)
      await t.rejects(startAndStop(config), { name: 'ConfigError', message: told })
      t.same(rows(config), before, 'and nothing was changed')
    })
  }
})

t.test('two services never share the data, even in one process', async t => {
  const config = newConfig(t)
  const { release } = await prepareData(config)
  await t.rejects(prepareData(config), /Another Consilium is running/)
  release()
  const again = await prepareData(config)
  again.release()
})
