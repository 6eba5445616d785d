import t from 'tap'
import { type RefusalCounter, refusalCounter, type Turn } from '../../src/http/refusal-counter.ts'
import { numberedText, sharedRecord, startExchange } from '../helpers/exchange.ts'

const MAX = 5

t.test('past the limit a caller is told to wait, and one event says so', async t => {
  const exchange = await startExchange(t, { limits: { refusalsPerMinuteMax: MAX } })
  const { path } = await sharedRecord(exchange, [numberedText(10)])
  const stranger = exchange.client('stranger')
  await stranger.token()
  exchange.clock.set(exchange.clock.now() + 61_000)
  await exchange.client('specialistGb').token()
  await stranger.token()

  const { result, events } = await exchange.eventsOf(async () => {
    const answers = []
    for (let i = 0; i < 3 * MAX; i += 1) answers.push(await stranger.send('GET', path))
    return answers
  })
  t.ok(result.slice(0, MAX).every(answer => answer.status === 404))
  for (const answer of result.slice(MAX)) {
    t.match(answer, { status: 429, json: { code: 'too-many-attempts' } })
    t.equal(answer.headers.get('retry-after'), '60')
  }
  t.same(
    events.map(event => event.code),
    [...Array(MAX).fill('share-not-found'), 'too-many-attempts'],
    'the log grows by the limit and one'
  )

  const specialist = await exchange.client('specialistGb').send('GET', path)
  t.equal(specialist.status, 200, 'others, from the same address, go on')
  t.equal((await stranger.send('GET', '/v1/account')).status, 200, 'and so does what is allowed')
  const unknown = await exchange.client().send('GET', path)
  t.equal(unknown.status, 401, 'those nobody knows are counted by their address')

  exchange.clock.advance(60_000)
  t.equal((await stranger.send('GET', path)).status, 404, 'a minute later it begins anew')
})

t.test('callers nobody knows are bounded by their address', async t => {
  const exchange = await startExchange(t, { limits: { refusalsPerMinuteMax: MAX } })
  await exchange.client('clinician').token()
  exchange.clock.set(exchange.clock.now() + 61_000)
  const nobody = exchange.client()
  const statuses = []
  for (let i = 0; i < MAX + 2; i += 1) statuses.push((await nobody.send('GET', '/v1/cases')).status)
  t.same(statuses, [...Array(MAX).fill(401), 429, 429])
  t.equal((await exchange.client('clinician').send('GET', '/v1/cases')).status, 200)
})

t.test('a machine that has a whole network of addresses has one limit', async t => {
  const env = { CONSILIUM_TRUSTED_PROXIES: '127.0.0.1' }
  const exchange = await startExchange(t, { limits: { refusalsPerMinuteMax: MAX }, env })
  exchange.clock.set(exchange.clock.now() + 61_000)
  const from = (address: string, method: string, path: string, body?: string) => {
    const headers = { 'x-forwarded-for': address, 'x-forwarded-proto': 'https' }
    const form = { ...headers, 'content-type': 'application/x-www-form-urlencoded' }
    return exchange.client().send(method, path, body, form)
  }
  const statuses = []
  for (let i = 0; i < MAX + 2; i += 1) {
    statuses.push((await from(`2001:db8:0:1::${i}`, 'GET', '/v1/cases')).status)
  }
  t.same(statuses, [...Array(MAX).fill(401), 429, 429])
  const token = await from('2001:db8:0:1::99', 'POST', '/oidc/token', 'grant_type=x')
  t.equal(token.status, 429, 'at the token endpoint too')
  t.equal((await from('2001:db8:0:2::1', 'GET', '/v1/cases')).status, 401, 'another network')
})

t.test('the token endpoint is bounded too', async t => {
  const exchange = await startExchange(t, { limits: { refusalsPerMinuteMax: MAX } })
  exchange.clock.set(exchange.clock.now() + 61_000)
  const form = { 'content-type': 'application/x-www-form-urlencoded' }
  const { result, events } = await exchange.eventsOf(async () => {
    const answers = []
    for (let i = 0; i < 4 * MAX; i += 1) {
      answers.push(await exchange.client().send('POST', '/oidc/token', 'grant_type=x', form))
    }
    return answers
  })
  t.ok(result.every(answer => answer.status >= 400))
  t.ok(events.length <= MAX + 1, `${events.length} events for ${result.length} refusals`)
  t.type(await exchange.client('clinician').token(), 'string', 'who proves themselves gets a token')
})

t.test('counting is by caller, and forgets after a minute', async t => {
  let now = 0
  const counter = refusalCounter(2, () => now)
  t.same(await tell(counter, 'a', 5), ['within', 'within', 'first-past', 'past', 'past'])
  t.same(await tell(counter, 'b', 2), ['within', 'within'])
  now = 59_999
  t.same(await tell(counter, 'a', 1), ['past'])
  now = 60_000
  t.same(await tell(counter, 'a', 3), ['within', 'within', 'first-past'])
})

t.test('a flood from many addresses cannot fill the memory', async t => {
  const counter = refusalCounter(1, () => 0)
  for (let i = 0; i < 60_000; i += 1) await counter.count(`10.0.${i >> 8}.${i & 255}`)
  t.equal(await counter.count('one more'), 'past', 'newcomers past the bound share one count')
  t.equal(await counter.count('10.0.0.0'), 'first-past', 'those counted before keep theirs')
})

t.test('processes that count together have one limit', async t => {
  const together = new Map<string, number>()
  let asked = 0
  const countTogether = async (key: string) => {
    asked += 1
    const count = (together.get(key) ?? 0) + 1
    together.set(key, count)
    return count
  }
  const processes = [1, 2].map(() => refusalCounter(3, () => 0, countTogether))
  const turns: Turn[] = []
  for (let n = 0; n < 4; n += 1) {
    for (const process of processes) turns.push(await process.count('a'))
  }
  const [within, past]: Turn[] = ['within', 'past']
  t.same(turns, [within, within, within, 'first-past', past, past, past, past])
  t.ok(asked < turns.length, 'who is past it costs the database nothing more')
})

t.test('a process that cannot ask the others counts alone', async t => {
  const counter = refusalCounter(
    1,
    () => 0,
    () => Promise.reject(new Error('gone'))
  )
  t.same(await tell(counter, 'a', 3), ['within', 'first-past', 'past'])
})

async function tell(counter: RefusalCounter, key: string, times: number): Promise<Turn[]> {
  const turns: Turn[] = []
  for (let n = 0; n < times; n += 1) turns.push(await counter.count(key))
  return turns
}
