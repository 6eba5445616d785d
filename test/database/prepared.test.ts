import { asc, eq, sql } from '../../schemas/drizzle.ts'
import { isAmong, listed, prepared, type Queries } from '../../src/database/database.ts'
import { eachDatabase } from '../helpers/databases.ts'

const p = sql.placeholder
const wrappedKey = Buffer.from([0, 1, 255])

const organisations = ['a', 'b', 'c'].map(id => ({
  id,
  name: `Trust ${id}`,
  odsCode: id === 'a' ? 'RGT01' : null,
  country: 'GB',
  createdAt: 1_700_000_000_000,
  timeZone: 'Europe/London',
  publicAuthority: id === 'a'
}))

async function addOrganisations(tx: Queries): Promise<void> {
  await tx.insert(tx.tables.organisations).values(organisations)
}

const insertKey = prepared(q =>
  q
    .insert(q.tables.serviceKeys)
    .values({ purpose: p('purpose'), wrappedKey: p('wrappedKey'), createdAt: p('createdAt') })
    .returning({ purpose: q.tables.serviceKeys.purpose })
    .prepare('test_insert_key')
)

eachDatabase('a prepared query tells every kind of value as it was stored', async (t, under) => {
  const database = await under.open()
  await database.write(addOrganisations)
  const find = prepared(q =>
    q
      .select()
      .from(q.tables.organisations)
      .where(eq(q.tables.organisations.id, p('id')))
      .prepare('test_find')
  )
  for (const row of organisations) t.same(await find(database.read, { id: row.id }), [row])
  t.same(await find(database.read, { id: 'd' }), [])

  const stored = await database.write(tx =>
    insertKey(tx, { purpose: 'test', wrappedKey, createdAt: 2 })
  )
  t.same(stored, [{ purpose: 'test' }])
  const keys = await database.read.select().from(database.read.tables.serviceKeys)
  t.same(keys, [{ purpose: 'test', wrappedKey, createdAt: 2 }])
})

eachDatabase('and what is computed, under the name it is given', async (t, under) => {
  const database = await under.open()
  await database.write(addOrganisations)
  const measure = prepared(q => {
    const { id, name } = q.tables.organisations
    return q
      .select({ id, letters: sql<number>`length(${name})`.mapWith(Number), none: sql`null` })
      .from(q.tables.organisations)
      .where(eq(id, p('id')))
      .prepare('test_measure')
  })
  t.same(await measure(database.read, { id: 'b' }), [{ id: 'b', letters: 7, none: null }])
})

eachDatabase('joined rows keep their tables apart', async (t, under) => {
  const database = await under.open()
  await database.write(addOrganisations)
  const find = prepared(q => {
    const { organisations, accounts } = q.tables
    return q
      .select()
      .from(organisations)
      .leftJoin(accounts, eq(accounts.organisationId, organisations.id))
      .where(eq(organisations.id, p('id')))
      .prepare('test_joined')
  })
  t.same(await find(database.read, { id: 'a' }), [
    { organisations: organisations[0], accounts: null }
  ])
})

eachDatabase('a list is one input, however long', async (t, under) => {
  const database = await under.open()
  await database.write(addOrganisations)
  const findAll = prepared(q => {
    const { id } = q.tables.organisations
    return q
      .select({ id })
      .from(q.tables.organisations)
      .where(isAmong(q, id, 'ids'))
      .orderBy(asc(id))
      .prepare('test_find_all')
  })
  const among = async (ids: string[]) =>
    (await findAll(database.read, { ids: listed(database.read, ids) })).map(({ id }) => id)
  t.same(await among(['c', 'a', 'nobody', `it's "quoted", {a}`]), ['a', 'c'])
  t.same(await among([]), [])
})

eachDatabase('a query without one of its inputs, and one that fails, reject', async (t, under) => {
  const database = await under.open()
  const insertTwice = database.write(async tx => {
    for (const createdAt of [1, 2]) await insertKey(tx, { purpose: 'test', wrappedKey, createdAt })
  })
  await t.rejects(insertTwice)
  await t.rejects(database.write(tx => insertKey(tx, { purpose: 'test' } as never)))
  t.same(await database.read.select().from(database.read.tables.serviceKeys), [])
})
