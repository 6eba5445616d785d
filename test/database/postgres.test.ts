import { setTimeout as sleep } from 'node:timers/promises'
import { Client } from 'pg'
import t, { type Test } from 'tap'
import { eq, sql } from '../../schemas/drizzle.ts'
import { prepared, type Queries } from '../../src/database/database.ts'
import { openPostgres } from '../../src/database/postgres.ts'
import { freshPostgres, hasPostgres } from '../helpers/databases.ts'
import { eventually } from '../helpers/exchange.ts'
import { startPostgresServer } from '../helpers/postgres-server.ts'

function add(tx: Queries, id: string, odsCode: string | null = null) {
  const row = { id, name: id, odsCode, country: 'GB', createdAt: 1 }
  return tx.insert(tx.tables.organisations).values(row)
}

async function openOne(t: Test, connectionsMax = 4) {
  const addresses = await freshPostgres()
  const database = await openPostgres(addresses.url, connectionsMax)
  t.teardown(() => database.close())
  const admin = new Client({ connectionString: addresses.adminUrl })
  admin.on('error', () => {})
  await admin.connect()
  t.teardown(() => admin.end())
  return { database, admin, ...addresses }
}

t.test('a work that another stands in the way of runs again', async t => {
  if (!hasPostgres(t)) return
  const { database } = await openOne(t)
  await database.write(async tx => {
    for (const id of ['a', 'b']) {
      await tx.insert(tx.tables.auditShareCounts).values({ shareId: id, events: 1 })
    }
  })
  let runs = 0
  let holding = 0
  const take = (first: string, second: string) =>
    database.write(async tx => {
      runs += 1
      const { auditShareCounts: counts } = tx.tables
      for (const id of [first, second]) {
        const set = { events: sql`${counts.events} + 1` }
        await tx.update(counts).set(set).where(eq(counts.shareId, id))
        holding += 1
        // Each holds its first row before either asks for its second.
        while (holding < 2) await sleep(5)
      }
    })
  await Promise.all([take('a', 'b'), take('b', 'a')])
  const rows = await database.read.select().from(database.read.tables.auditShareCounts)
  t.same(
    rows.map(row => row.events),
    [3, 3],
    'both are done, each once'
  )
  t.ok(runs > 2, 'and one of them more than once')
})

t.test('a failure that a work has hidden does not pass for success', async t => {
  if (!hasPostgres(t)) return
  const { database } = await openOne(t)
  await database.write(tx => add(tx, 'a', 'X1'))
  const hidden = database.write(async tx => {
    await add(tx, 'b')
    await add(tx, 'c', 'X1').catch(() => {})
  })
  await t.rejects(hidden, { code: '25P02' })
  const rows = await database.read.select().from(database.read.tables.organisations)
  t.same(
    rows.map(row => row.id),
    ['a']
  )
})

t.test('what is told of a refused statement quotes none of its values', async t => {
  if (!hasPostgres(t)) return
  const { database } = await openOne(t)
  await database.write(tx => add(tx, 'a', 'SECRETCODE'))
  const twice = await database.write(tx => add(tx, 'b', 'SECRETCODE')).catch((err: unknown) => err)
  t.match(twice, { name: 'StatementError', code: '23505' })
  t.notMatch(
    JSON.stringify([twice, (twice as Error).message, (twice as Error).stack]),
    'SECRETCODE'
  )
  t.equal((twice as Error).cause, undefined)
})

t.test('a query that is built once is prepared on each connection it runs on', async t => {
  if (!hasPostgres(t)) return
  const { database } = await openOne(t, 3)
  let built = 0
  const find = prepared(q => {
    built += 1
    const { organisations } = q.tables
    return q
      .select()
      .from(organisations)
      .where(eq(organisations.id, sql.placeholder('id')))
      .prepare('find_for_test')
  })
  await database.write(tx => add(tx, 'a'))
  const works = Array.from({ length: 30 }, () => database.write(tx => find(tx, { id: 'a' })))
  for (const rows of await Promise.all(works)) t.equal(rows.length, 1)
  t.ok(built <= 3, 'not once for each use')
  const reads = await Promise.all(works.map(() => find(database.read, { id: 'a' })))
  t.ok(reads.every(rows => rows.length === 1))
})

t.test('a connection that the server ends is a refusal, and the next one works', async t => {
  if (!hasPostgres(t)) return
  const { database, admin } = await openOne(t, 2)
  const endAll = () =>
    admin.query(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'consilium' AND datname = current_database()"
    )
  const cut = database.write(async tx => {
    await add(tx, 'cut')
    await endAll()
    await add(tx, 'never')
  })
  await t.rejects(cut, { name: 'Refusal', code: 'storage-unavailable' })
  await database.write(tx => add(tx, 'after'))
  const rows = await database.read.select().from(database.read.tables.organisations)
  t.same(
    rows.map(row => row.id),
    ['after']
  )
})

t.test('a row that is held too long is a refusal', { timeout: 30_000 }, async t => {
  if (!hasPostgres(t)) return
  const { database, admin } = await openOne(t)
  await admin.query('BEGIN')
  await admin.query('SELECT 1 FROM audit_head FOR UPDATE')
  const waiting = database.write(tx => tx.update(tx.tables.auditHead).set({ checkedAt: 1 }))
  await t.rejects(waiting, { name: 'Refusal', code: 'storage-unavailable', message: '55P03' })
  await admin.query('ROLLBACK')
})

t.test('a transaction that has fallen silent is undone, and its row let go', async t => {
  if (!hasPostgres(t)) return
  const { database } = await openOne(t)
  const silent = database.write(async tx => {
    await tx.update(tx.tables.auditHead).set({ checkedAt: 1 })
    await sleep(4500)
    await tx.update(tx.tables.auditHead).set({ checkedAt: 2 })
  })
  const silence = t.rejects(silent, { name: 'Refusal', code: 'storage-unavailable' })
  await sleep(200)
  await database.write(tx => tx.update(tx.tables.auditHead).set({ checkedAt: 3 }))
  await silence
  const [head] = await database.read.select().from(database.read.tables.auditHead)
  t.equal(head?.checkedAt, 3)
})

t.test('a statement of a snapshot has an end too', async t => {
  if (!hasPostgres(t)) return
  // Given a snapshot
  const { database } = await openOne(t)
  const { read, close } = await database.openSnapshot()
  t.teardown(close)
  // When it is asked for how long a statement may run
  const limit = sql<string>`current_setting('statement_timeout')`
  const [row] = await read.select({ limit }).from(read.tables.auditHead)
  // Then there is a limit
  t.equal(row?.limit, '10min')
})

t.test('a database that may only be read is not ready', async t => {
  if (!hasPostgres(t)) return
  const { database, admin, url } = await openOne(t)
  await database.check()
  const name = new URL(url).pathname.slice(1)
  await admin.query(`ALTER DATABASE ${name} SET default_transaction_read_only = on`)
  const later = await openPostgres(url, 2)
  t.teardown(() => later.close())
  await t.rejects(
    later.write(tx => add(tx, 'x')),
    { code: 'storage-unavailable' }
  )
})

t.test('a server that goes and comes back', { timeout: 60_000 }, async t => {
  if (!hasPostgres(t)) return
  const server = await startPostgresServer()
  t.teardown(() => server.remove())
  const { url } = await freshPostgres(server.url)
  const database = await openPostgres(url, 4)
  t.teardown(() => database.close())
  await database.write(tx => add(tx, 'before'))
  await server.kill()
  const gone = { name: 'Refusal', code: 'storage-unavailable' }
  await t.rejects(
    database.write(tx => add(tx, 'x')),
    gone
  )
  await t.rejects(database.read.select().from(database.read.tables.organisations), gone)
  await t.rejects(database.check(), gone)
  await t.rejects(openPostgres(url, 2), gone)
  await server.start()
  await database.write(tx => add(tx, 'after'))
  const rows = await database.read.select().from(database.read.tables.organisations)
  t.same(rows.map(row => row.id).sort(), ['after', 'before'])
  await eventually('it shows again that it lives', async () =>
    (await database.runs()).has(database.run) ? true : undefined
  )
})
