import { readdirSync, readlinkSync, realpathSync } from 'node:fs'
import { dirname, join } from 'node:path'
import Sqlite from 'better-sqlite3'
import t, { type Test } from 'tap'
import { eq } from '../../schemas/drizzle.ts'
import { type Database, isRuleViolation, type Queries } from '../../src/database/database.ts'
import { openSqlite } from '../../src/database/sqlite.ts'
import { Refusal } from '../../src/errors.ts'
import { eachDatabase } from '../helpers/databases.ts'

function open(t: Test, groupMax?: number) {
  const file = join(t.testdir(), 'exchange.db')
  const database = openSqlite(file, groupMax)
  t.teardown(() => database.close())
  return { file, database }
}

function add(tx: Queries, id: string) {
  const row = { id, name: id, odsCode: null, country: 'GB', createdAt: 1 }
  return tx.insert(tx.tables.organisations).values(row)
}

async function ids(database: Database): Promise<string[]> {
  const { organisations } = database.read.tables
  const rows = await database.read.select({ id: organisations.id }).from(organisations)
  return rows.map(row => row.id).sort()
}

eachDatabase('a work is there once its write has resolved', async (t, under) => {
  const database = await under.open()
  const result = await database.write(async tx => {
    await add(tx, 'a')
    return 'what the work returned'
  })
  t.equal(result, 'what the work returned')
  t.same(await ids(database), ['a'])
})

eachDatabase('a work that throws undoes only itself', async (t, under) => {
  const database = await under.open()
  const works = Array.from({ length: 20 }, (_, n) =>
    database.write(async tx => {
      await add(tx, `a${n}`)
      await add(tx, `b${n}`)
      if (n % 3 === 0) throw new Error(`work ${n}`)
      return n
    })
  )
  const results = await Promise.allSettled(works)
  for (const [n, result] of results.entries()) {
    if (n % 3 === 0) t.match(result, { status: 'rejected', reason: { message: `work ${n}` } })
    else t.same(result, { status: 'fulfilled', value: n })
  }
  const kept = [...Array(20).keys()].filter(n => n % 3 !== 0).flatMap(n => [`a${n}`, `b${n}`])
  t.same(await ids(database), kept.sort())
})

eachDatabase(
  'a statement that is refused undoes its work, and its neighbours go on',
  async (t, under) => {
    const database = await under.open()
    await database.write(tx => add(tx, 'there'))
    const [first, second, third] = await Promise.allSettled([
      database.write(tx => add(tx, 'x')),
      database.write(async tx => {
        await add(tx, 'y')
        await add(tx, 'there')
      }),
      database.write(tx => add(tx, 'z'))
    ])
    t.equal(first?.status, 'fulfilled')
    t.ok(second?.status === 'rejected' && isRuleViolation(second.reason))
    t.equal(third?.status, 'fulfilled')
    t.same(await ids(database), ['there', 'x', 'z'])
  }
)

t.test('works run one after the other, in the order they were given', async t => {
  const { database } = open(t, 7)
  const order: string[] = []
  let running = 0
  await Promise.all(
    Array.from({ length: 30 }, (_, n) =>
      database.write(async tx => {
        running += 1
        t.equal(running, 1, 'never two at once')
        order.push(`begin ${n}`)
        await add(tx, `id${n}`)
        await tx.select().from(tx.tables.organisations).where(eq(tx.tables.organisations.id, 'x'))
        order.push(`end ${n}`)
        running -= 1
      })
    )
  )
  t.same(order, Array.from({ length: 30 }, (_, n) => [`begin ${n}`, `end ${n}`]).flat())
})

t.test('each work sees what those before it did, and readers only what is committed', async t => {
  const { database } = open(t)
  const seen: number[] = []
  const outside: Promise<string[]>[] = []
  await Promise.all(
    [0, 1, 2].map(n =>
      database.write(async tx => {
        seen.push((await tx.select().from(tx.tables.organisations)).length)
        await add(tx, `id${n}`)
        outside.push(ids(database))
      })
    )
  )
  t.same(seen, [0, 1, 2])
  t.same(await Promise.all(outside), [[], [], []], 'not committed, so not there')
  t.equal((await ids(database)).length, 3)
})

t.test('what another process has committed is there for the next request', async t => {
  // Given a reader who follows a write at once, at the end of a turn of the event loop
  const { file, database } = open(t)
  await database.write(tx => add(tx, 'ours'))
  t.same(await ids(database), ['ours'])
  // When a script commits, and a request comes in the same turn as the next ones do
  const script = new Sqlite(file)
  t.teardown(() => script.close())
  const inNextTurn = await new Promise<string[]>((resolve, reject) => {
    setTimeout(() => {
      script.exec(
        "INSERT INTO organisations (id, name, country, created_at) VALUES ('script', '', 'GB', 1)"
      )
      ids(database).then(resolve, reject)
    }, 1)
    for (const begun = performance.now(); performance.now() < begun + 3; );
  })
  // Then it sees what the script wrote
  t.same(inNextTurn, ['ours', 'script'])
})

t.test('nobody is told of success before the shared commit, and all of its failure', async t => {
  const { database, file } = open(t)
  await database.write(tx => add(tx, 'before'))
  const other = new Sqlite(file)
  t.teardown(() => other.close())
  // A deferred constraint is judged at the commit, which then fails for the whole group.
  other.exec(
    'CREATE TABLE late (id TEXT REFERENCES organisations (id) DEFERRABLE INITIALLY DEFERRED)'
  )
  other.exec(
    "CREATE TRIGGER spoil AFTER INSERT ON organisations WHEN NEW.id = 'spoil' BEGIN INSERT INTO late VALUES ('nobody'); END"
  )
  const results = await Promise.allSettled([
    database.write(tx => add(tx, 'one')),
    database.write(tx => add(tx, 'spoil')),
    database.write(tx => add(tx, 'two'))
  ])
  t.same(
    results.map(result => result.status),
    ['rejected', 'rejected', 'rejected']
  )
  t.same(await ids(database), ['before'], 'and nothing of the group is there')
  await database.write(tx => add(tx, 'after'))
  t.same(await ids(database), ['after', 'before'], 'the next group is a new one')
})

t.test('works of turns that each bring more share a commit of as many as may', async t => {
  const { database } = open(t, 4)
  const done: string[] = []
  const begin = async (id: string, turn: number) => {
    for (let passed = 0; passed < turn; passed += 1) await new Promise(setImmediate)
    // Whoever comes while the group is not full finds nobody acknowledged.
    t.same(done, turn < 4 ? [] : ['a', 'b', 'c', 'd'], `in turn ${turn}`)
    await database.write(tx => add(tx, id))
    done.push(id)
  }
  // The last first: as requests do, each comes in its turn before the writer looks again.
  await Promise.all([begin('e', 4), begin('d', 3), begin('c', 2), begin('b', 1), begin('a', 0)])
  t.same(done, ['a', 'b', 'c', 'd', 'e'])
})

t.test('after a commit that the disk failed, nothing that waits is written', async t => {
  // Given three works of which two share a commit, and a disk that fails just that commit
  const { database, file } = open(t, 2)
  const failing = new Sqlite.SqliteError('disk I/O error', 'SQLITE_IOERR_FSYNC')
  const works = ['one', 'two', 'three'].map(id => database.write(tx => add(tx, id)))
  const restore = failOnce(t, 'COMMIT', failing)
  // When they run
  const results = await Promise.allSettled(works)
  t.ok(restore(), 'it failed')
  // Then all are told, the one that waited among them, and so is whoever comes later
  for (const result of results) {
    t.match(result, { status: 'rejected', reason: { code: 'storage-unavailable' } })
  }
  await t.rejects(database.check(), { code: 'storage-unavailable' })
  const stored = new Sqlite(file, { readonly: true })
  t.teardown(() => stored.close())
  t.same(stored.prepare('SELECT id FROM organisations').all(), [], 'and nothing is stored on top')
})

t.test('a disk that is full in the middle of a work refuses its whole group as full', async t => {
  // Given a database that may grow no further once the first of three works has begun
  const { database } = open(t)
  const wide = async (tx: Queries, id: string) => {
    const row = { id, name: 'x'.repeat(100_000), odsCode: null, country: 'GB', createdAt: 1 }
    await tx.insert(tx.tables.organisations).values(row)
  }
  const setRoom = roomFor(t)
  // When they run
  const works = ['one', 'two', 'three'].map(id => database.write(tx => wide(tx, id)))
  const results = await Promise.allSettled(works)
  // Then each is told what it was, none is stored, and with room it goes on
  for (const result of results) {
    t.match(result, { status: 'rejected', reason: { name: 'Refusal', code: 'storage-full' } })
  }
  t.same(await ids(database), [])
  setRoom()
  await database.write(tx => wide(tx, 'after'))
  t.same(await ids(database), ['after'])
})

/** From the next row on, the database is as large as it may be. Gives what lets it grow again. */
function roomFor(t: Test): () => void {
  const { statements, run } = statementsOfAll()
  let full: Sqlite.Database | undefined
  statements.run = function (this: Sqlite.Statement, ...values: unknown[]) {
    if (full === undefined && this.source.startsWith('insert into "organisations"')) {
      full = this.database
      full.pragma(`max_page_count = ${full.pragma('page_count', { simple: true })}`)
    }
    return run.apply(this, values)
  }
  t.teardown(() => {
    statements.run = run
  })
  return () => full?.pragma('max_page_count = 1000000')
}

t.test('after a disk failure in the middle of a work nothing more is written', async t => {
  // Given a disk that fails a write of the first of two works, which undoes both
  const { database, file } = open(t)
  const { statements, run } = statementsOfAll()
  t.teardown(() => {
    statements.run = run
  })
  statements.run = function (this: Sqlite.Statement, ...values: unknown[]) {
    if (!this.source.startsWith('insert into "organisations"')) return run.apply(this, values)
    statements.run = run
    this.database.exec('ROLLBACK')
    throw new Sqlite.SqliteError('disk I/O error', 'SQLITE_IOERR_WRITE')
  }
  // When they run, and another after them
  const works = ['one', 'two'].map(id => database.write(tx => add(tx, id)))
  const results = [...(await Promise.allSettled(works))]
  results.push(...(await Promise.allSettled([database.write(tx => add(tx, 'later'))])))
  // Then each is refused, and nothing is stored
  for (const result of results) {
    t.match(result, { status: 'rejected', reason: { code: 'storage-unavailable' } })
  }
  const stored = new Sqlite(file, { readonly: true })
  t.teardown(() => stored.close())
  t.same(stored.prepare('SELECT id FROM organisations').all(), [])
})

/** What all statements have in common, and how they run. */
function statementsOfAll() {
  const memory = new Sqlite(':memory:')
  const statements = Object.getPrototypeOf(memory.prepare('SELECT 1'))
  memory.close()
  return { statements, run: statements.run }
}

/** Has the next such statement of a connection that writes fail. Tells at the end whether it did. */
function failOnce(t: Test, source: string, err: Error): () => boolean {
  const { statements, run } = statementsOfAll()
  let failed = false
  statements.run = function (this: Sqlite.Statement, ...values: unknown[]) {
    if (failed || this.source !== source || this.database.readonly) {
      return run.apply(this, values)
    }
    failed = true
    throw err
  }
  const restore = () => {
    statements.run = run
    return failed
  }
  t.teardown(restore)
  return restore
}

t.test(
  'a database that another holds too long is a refusal, not a hang',
  { timeout: 20_000 },
  async t => {
    const { database, file } = open(t)
    const other = new Sqlite(file)
    t.teardown(() => other.close())
    other.exec('BEGIN IMMEDIATE')
    const refused = await database.write(tx => add(tx, 'x')).catch((err: unknown) => err)
    t.ok(refused instanceof Refusal)
    t.match(refused, { code: 'storage-unavailable' })
    other.exec('ROLLBACK')
    await database.check()
    await database.write(tx => add(tx, 'y'))
    t.same(await ids(database), ['y'])
  }
)

eachDatabase(
  'what one run has stored, the next finds; and each knows who is there',
  async (t, under) => {
    const first = await under.open()
    await first.write(tx => add(tx, 'a'))
    t.same(await first.runs(), new Set([first.run]))
    await first.check()
    const second = await under.open()
    t.not(second.run, first.run)
    t.same(await ids(second), ['a'])
  }
)

eachDatabase(
  'times and lengths come back as numbers, bytes as bytes, flags as flags',
  async (t, under) => {
    const database = await under.open()
    const at = Number.MAX_SAFE_INTEGER
    await database.write(async tx => {
      const wrappedKey = Buffer.from([0, 255, 39, 92])
      await tx.insert(tx.tables.serviceKeys).values({ purpose: 'test', wrappedKey, createdAt: at })
    })
    const rows = await database.read.select().from(database.read.tables.serviceKeys)
    t.strictSame(rows, [
      { purpose: 'test', wrappedKey: Buffer.from([0, 255, 39, 92]), createdAt: at }
    ])
  }
)

t.test('close waits for the writes that were begun', async t => {
  const { database, file } = open(t)
  const writes = Array.from({ length: 300 }, (_, n) => database.write(tx => add(tx, `id${n}`)))
  await database.close()
  t.equal(
    (await Promise.allSettled(writes)).filter(({ status }) => status === 'fulfilled').length,
    300
  )
  const again = openSqlite(file)
  t.equal((await ids(again)).length, 300)
  await again.close()
})

/** Files that this process has open although they have no name any more, as SQLite's temporary ones. */
function namelessFiles(): string[] {
  const open = readdirSync('/proc/self/fd').map(name => {
    try {
      return readlinkSync(`/proc/self/fd/${name}`)
    } catch {
      return '' // The one by which the directory itself was read.
    }
  })
  return open.filter(path => /\/(#\d+|etilqs_\w+) \(deleted\)$/.test(path))
}

t.test('what a large work needs to be undone lies beside the database', async t => {
  if (process.platform !== 'linux') {
    t.pass('where the file is', { skip: '/proc tells it on Linux alone' })
    return
  }
  const before = process.env['SQLITE_TMPDIR']
  delete process.env['SQLITE_TMPDIR']
  t.teardown(() => {
    if (before === undefined) delete process.env['SQLITE_TMPDIR']
    else process.env['SQLITE_TMPDIR'] = before
  })
  const { file, database } = open(t)
  await database.write(async tx => {
    for (let n = 0; n < 500; n += 1) await add(tx, `a${n}-${'x'.repeat(1000)}`)
  })
  const places = await database.write(async tx => {
    // More pages than SQLite keeps in memory for a savepoint.
    await tx.update(tx.tables.organisations).set({ name: 'another' })
    return namelessFiles().map(path => realpathSync(dirname(path)))
  })
  t.ok(places.length > 0, 'there is such a file')
  t.same([...new Set(places)], [realpathSync(dirname(file))])
})
