import t, { type Test } from 'tap'
import { type RealService, startBeside, startRealService } from '../faults/real-service.ts'
import { freshPostgres, hasPostgres } from '../helpers/databases.ts'
import { eventually, numberedText, type SampleFile, sharedRecord } from '../helpers/exchange.ts'

/** More than the sockets between service and client can hold. */
const LARGE = numberedText(24 * 1024 * 1024)

async function setUp(t: Test, settings: Record<string, string>, file: SampleFile = LARGE) {
  const { url } = await freshPostgres()
  const first = await startRealService(t, { DATABASE_URL: url, ...settings })
  const second = await startBeside(t, first)
  return { first, second, ...(await sharedRecord(first, [file])) }
}

t.test('downloads of one account have one limit at both processes', async t => {
  if (!hasPostgres(t)) return
  const { first, second, path } = await setUp(t, { CONSILIUM_STREAMS_PER_ACCOUNT_MAX: '3' })
  const all = [first, second, first, second, first, second]
  const calls = await Promise.all(all.map(at => at.raw('specialistGb', `GET ${path}`)))
  const statuses = await Promise.all(calls.map(async call => (await call.head()).status))
  t.same(statuses.sort(), [200, 200, 200, 429, 429, 429])

  // A place that comes free at one is free at the other.
  for (const call of calls) call.abort()
  await eventually('all places are free', async () => {
    const call = await second.raw('specialistGb', `GET ${path}`)
    const { status } = await call.head()
    call.abort()
    return status === 200 ? true : undefined
  })
})

t.test('a process that is killed gives its places back', async t => {
  if (!hasPostgres(t)) return
  const { first, second, path } = await setUp(t, { CONSILIUM_STREAMS_PER_ACCOUNT_MAX: '2' })
  const read = async (at: Pick<RealService, 'raw'>) => {
    const call = await at.raw('specialistGb', `GET ${path}`)
    return (await call.head()).status
  }
  t.same([await read(second), await read(second)], [200, 200])
  t.equal(await read(first), 429)
  await second.kill()
  await eventually('its places are free', async () =>
    (await read(first)) === 200 ? true : undefined
  )
})

t.test('refusals of one caller are counted by both together', async t => {
  if (!hasPostgres(t)) return
  const limit = { CONSILIUM_REFUSALS_PER_MINUTE_MAX: '5' }
  const { first, second } = await setUp(t, limit, numberedText(10))
  // The count begins anew with each minute, so there may be two.
  const callers = [first, second].map(process => process.client('colleague'))
  for (const caller of callers) await caller.token()
  const statuses: number[] = []
  for (let turn = 0; turn < 20; turn += 1) {
    for (const caller of callers) statuses.push((await caller.send('GET', '/v1/cases/x')).status)
  }
  const events = await first.events({
    actorId: first.people.colleague.accountId,
    outcome: 'refused'
  })
  t.ok(statuses.filter(status => status === 429).length >= 40 - 10, 'past five they are told so')
  t.ok(events.length <= 12, `${events.length} events of 40 refusals`)
})
