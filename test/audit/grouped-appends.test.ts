import { createSecretKey, randomBytes } from 'node:crypto'
import t, { type Test } from 'tap'
import { asc } from '../../schemas/drizzle.ts'
import { type AuditEvent, openAuditLog } from '../../src/audit/log.ts'
import { placeAllPending } from '../../src/audit/tree/pending.ts'
import type { Database } from '../../src/database/database.ts'
import { openPostgres } from '../../src/database/postgres.ts'
import { Refusal } from '../../src/errors.ts'
import { eachDatabase, freshPostgres, hasPostgres } from '../helpers/databases.ts'

const EVENTS = 100

/** A look at the n-th of many cases. */
const look = (n: number, more: Partial<AuditEvent> = {}): AuditEvent => ({
  action: 'case.read',
  outcome: 'success',
  caseId: `case ${n}`,
  details: { n },
  ...more
})

/** A log on this database, whose writes go through `through` and are counted. */
function open(database: Database, through: Database['write'] = database.write) {
  const counts = { writes: 0 }
  const write: Database['write'] = work => {
    counts.writes += 1
    return through(work)
  }
  const key = createSecretKey(randomBytes(32))
  return { counts, audit: openAuditLog({ read: database.read, write }, key, database.clock) }
}

/** What is on the log, in its order. */
async function stored(database: Database) {
  await placeAllPending(database)
  const { auditEvents } = database.read.tables
  return await database.read
    .select({ id: auditEvents.id, caseId: auditEvents.caseId, sealed: auditEvents.detailsSealed })
    .from(auditEvents)
    .orderBy(asc(auditEvents.idx))
}

async function postgresOf(t: Test): Promise<Database> {
  const database = await openPostgres((await freshPostgres()).url, 4)
  t.teardown(() => database.close())
  return database
}

eachDatabase('events that are added at once are all stored, in their order', async (t, under) => {
  const database = await under.open()
  const { audit, counts } = open(database)
  const ids = await Promise.all(Array.from({ length: EVENTS }, (_, n) => audit.add(look(n))))
  const events = await stored(database)
  t.same(
    events.map(({ id, caseId, sealed }) => ({
      id,
      caseId,
      details: audit.openDetails(id, sealed)
    })),
    ids.map((id, n) => ({ id, caseId: `case ${n}`, details: { n } }))
  )
  t.same([...ids].sort(), ids, 'ids grow with time')
  if (under.kind === 'postgres') t.ok(counts.writes <= 2, 'and few transactions do for all')
})

eachDatabase('what is wrong with one event is not wrong with the others', async (t, under) => {
  const database = await under.open()
  const { audit } = open(database)
  const added = await Promise.allSettled([
    audit.add(look(0)),
    audit.add(look(1, { grantId: 'g'.repeat(2000) })),
    audit.add(look(2))
  ])
  t.match(added, [
    { status: 'fulfilled' },
    { status: 'rejected', reason: { name: 'RangeError' } },
    { status: 'fulfilled' }
  ])
  t.match(await stored(database), [{ caseId: 'case 0' }, { caseId: 'case 2' }])
})

t.test('a text that the server does not take fails its own event alone', async t => {
  if (!hasPostgres(t)) return
  const database = await postgresOf(t)
  const { audit } = open(database)
  const added = await Promise.allSettled([
    audit.add(look(0)),
    audit.add(look(1, { actorId: 'a\0b' })),
    audit.add(look(2))
  ])
  t.match(added[1], { status: 'rejected', reason: { code: 'request-invalid' } })
  t.match(await stored(database), [{ caseId: 'case 0' }, { caseId: 'case 2' }])
})

t.test(
  'when the answer to a commit is lost, nobody is told of success, and nothing is stored twice',
  async t => {
    if (!hasPostgres(t)) return
    const database = await postgresOf(t)
    const { audit } = open(database, async work => {
      await database.write(work)
      throw new Refusal('storage-unavailable', 'commit')
    })
    const added = await Promise.allSettled([0, 1, 2].map(n => audit.add(look(n))))
    for (const one of added) {
      t.match(one, { status: 'rejected', reason: { code: 'storage-unavailable' } })
    }
    t.match(await stored(database), [
      { caseId: 'case 0' },
      { caseId: 'case 1' },
      { caseId: 'case 2' }
    ])
  }
)

t.test('an event of a share keeps its number, and stands by itself', async t => {
  if (!hasPostgres(t)) return
  const database = await postgresOf(t)
  const { audit, counts } = open(database)
  await Promise.all([0, 1, 2].map(n => audit.add(look(n, { shareId: 'one share' }))))
  t.equal(counts.writes, 3)
  const { auditShareCounts } = database.read.tables
  t.match(await database.read.select().from(auditShareCounts), [
    { shareId: 'one share', events: 3 }
  ])
})
