import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { isNotNull } from '../../schemas/drizzle.ts'
import type { Database } from '../../src/database/database.ts'
import { removeOrphans } from '../../src/housekeeping/clean-up.ts'
import { removeDueFiles } from '../../src/retention/remove-files.ts'
import { isPart } from '../blobs/s3-scene.ts'
import { freshPostgres, hasPostgres } from '../helpers/databases.ts'
import { type AuditRow, eventually, isSound, startExchange } from '../helpers/exchange.ts'
import { faultProxy } from '../helpers/fault-proxy.ts'
import { kmsServer } from '../helpers/keyrings.ts'
import { startPostgresServer } from '../helpers/postgres-server.ts'
import { newPrefix, s3Server } from '../helpers/s3.ts'
import { wireTo } from '../helpers/wire.ts'
import { runScript } from '../scripts/run-script.ts'
import { faultActs, type Stored } from './fault-acts.ts'
import { type ActName, acts, NOT_TRIED, table } from './fault-table.ts'
import { startBeside, startRealService } from './real-service.ts'

const MINUTE = 61_000
/** Each way, for each piece; a request asks several times. */
const SLOW_DATABASE_MILLISECONDS = 25
const SLOW_STORE_MILLISECONDS = 250
/** When a server or a process is killed while it acts. */
const MOMENT_MILLISECONDS_MAX = 60
const always = () => true

/** A service on a database, a store and a key service of its own, each of which can fail. */
async function setUp(t: Test) {
  const [s3, kms] = [await s3Server(t), await kmsServer(t)]
  if (s3 === undefined || kms === undefined || !hasPostgres(t)) return undefined
  // One chain of credentials serves both, and this key service takes any.
  Object.assign(process.env, s3.credentials)
  const server = await startPostgresServer()
  t.teardown(() => server.remove())
  const { url } = await freshPostgres(server.url)
  const wire = await wireTo(t, '127.0.0.1', Number(new URL(url).port))
  const [store, keys] = [await faultProxy(t, s3.endpoint), await faultProxy(t, kms.endpoint)]
  const database = new URL(url)
  database.port = String(wire.port)
  const x = await startExchange(t, {
    env: {
      DATABASE_URL: database.href,
      CONSILIUM_KEYRING: 'kms',
      ...s3.env(newPrefix()),
      ...kms.env({ first: await kms.makeKey() }),
      CONSILIUM_S3_ENDPOINT: store.url,
      CONSILIUM_KMS_ENDPOINT: keys.url
    }
  })

  type Strike = (run: () => Promise<string>) => Promise<string>
  const during =
    (begin: () => void, end: () => void): Strike =>
    async run => {
      begin()
      return await run().finally(end)
    }
  const strikes: Record<string, Strike> = {
    'database down': during(() => wire.cut(), wire.heal),
    'database slow': during(() => wire.slow(SLOW_DATABASE_MILLISECONDS), wire.heal),
    'database restarted at once': async run => {
      const acting = run()
      await sleep(Math.random() * MOMENT_MILLISECONDS_MAX)
      await server.kill()
      await server.start()
      return await acting
    },
    'store down': during(() => store.fail(always, { hangUp: true }, 1000), store.heal),
    'store slow': during(
      () => store.fail(always, { delay: SLOW_STORE_MILLISECONDS }, 1000),
      store.heal
    ),
    'store answers 500': during(
      () => store.fail(always, { answer: 500, code: 'InternalError' }, 1000),
      store.heal
    ),
    'connection to the store cut in a part': during(() => {
      store.fail(isPart, { cutUpAfter: 1_000_000 })
      store.fail(({ method }) => method === 'GET', { cutDownAfter: 1_000_000 })
    }, store.heal),
    'key service down': during(() => {
      x.clock.advance(MINUTE)
      keys.fail(always, { hangUp: true }, 1000)
    }, keys.heal)
  }
  return { x, strikes }
}

async function storedIn({ read }: Database, events: AuditRow[]): Promise<Stored> {
  return {
    records: await read.select().from(read.tables.records),
    shares: await read.select().from(read.tables.shares),
    moreTime: await read.select().from(read.tables.moreTime),
    erasures: await read.select().from(read.tables.erasures),
    opinions: await read
      .select()
      .from(read.tables.opinions)
      .where(isNotNull(read.tables.opinions.submittedAt)),
    events
  }
}

const actsUnder = (fault: string) => acts.filter(act => table[fault]?.[act] !== NOT_TRIED)

function assertAnswer(t: Test, fault: string, act: ActName, answer: string): void {
  const expected = table[fault]?.[act].split(' or ') ?? []
  t.ok(expected.includes(answer), `${act}: ${answer}`)
}

t.test(
  'whatever fails, the answer is the one that is documented',
  { timeout: 170_000 },
  async t => {
    const found = await setUp(t)
    if (found === undefined) return
    const { x, strikes } = found
    const { prepare, assertNothingLost } = await faultActs(x, x)
    for (const [fault, strike] of Object.entries(strikes)) {
      await t.test(fault, async t => {
        for (const act of actsUnder(fault)) {
          const run = await prepare[act]()
          const answer = await strike(run)
          assertAnswer(t, fault, act, answer)
          await eventually('it is ready again', async () =>
            (await x.client().send('GET', '/readyz')).status === 200 ? true : undefined
          )
        }
        assertNothingLost(t, await storedIn(x.exchange.database, await x.auditEvents()))
        await removeOrphans(x.exchange, Date.now() + MINUTE)
        await removeDueFiles(x.exchange, always)
        await isSound(t, x)
      })
    }
  }
)

t.test('a process that is killed loses nothing that it acknowledged', async t => {
  const s3 = await s3Server(t)
  if (s3 === undefined || !hasPostgres(t)) return
  const { url } = await freshPostgres()
  const settings = { DATABASE_URL: url, ...s3.env(newPrefix()), ...s3.credentials }
  const dies = await startRealService(t, settings)
  const lives = await startBeside(t, dies)
  const { prepare, assertNothingLost } = await faultActs({ ...dies, ...lives }, dies)
  for (const act of actsUnder('process killed')) {
    const run = await prepare[act]()
    const acting = run()
    await sleep(Math.random() * MOMENT_MILLISECONDS_MAX)
    await dies.kill()
    assertAnswer(t, 'process killed', act, await acting)
    // Its start ends what it had left open.
    await dies.start()
  }
  const events = await dies.events()
  assertNothingLost(t, await dies.look(({ database }) => storedIn(database, events)))
  await lives.stop()
  await dies.stop()
  const checked = await runScript('check-exchange', dies.settings)
  // What a killed upload had stored is removed when it is old enough to be nobody's, what a killed
  // erasure had left at the next round.
  const expected = /belongs to no object|some of its files are still to be removed/
  const faults = checked.out.split('\n').filter(line => !expected.test(line))
  t.match(faults, [/^(All is well|\d faults)\.$/])
})
