import { mkdirSync, rmdirSync, rmSync, statSync } from 'node:fs'
import t from 'tap'
import { dataPaths } from '../../src/open-data.ts'
import { eventually, numberedText, sharedRecord, startExchange } from '../helpers/exchange.ts'

const LARGE = numberedText(24 * 1024 * 1024)

t.test('the service says that it lives and that it is ready, and why not', async t => {
  const exchange = await startExchange(t)
  const { database, blobs, limits } = exchange.exchange
  const ready = () => exchange.client().send('GET', '/readyz')
  t.match(await exchange.client().send('GET', '/healthz'), { status: 200, json: { status: 'ok' } })
  t.match(await ready(), {
    status: 200,
    json: {
      status: 'ready',
      checks: { service: 'ok', database: 'ok', log: 'ok', storage: 'ok', keyring: 'ok' }
    }
  })

  const check = database.check
  database.check = async () => {
    throw new Error('gone')
  }
  t.match(await ready(), { status: 503, json: { checks: { database: 'failing', storage: 'ok' } } })
  database.check = check

  const { freeBytes } = blobs
  blobs.freeBytes = async () => limits.freeBytesMin - 1
  t.match(await ready(), { status: 503, json: { checks: { storage: 'low on space' } } })
  blobs.freeBytes = async () => {
    throw new Error('gone')
  }
  t.match(await ready(), { status: 503, json: { checks: { storage: 'failing' } } })
  blobs.freeBytes = freeBytes
  t.match(await ready(), { status: 200 })

  // A store that is gone, and one that does not answer at all.
  const { check: checkBlobs } = blobs
  for (const gone of [() => Promise.reject(new Error('gone')), () => new Promise<void>(() => {})]) {
    blobs.check = gone
    const checks = { database: 'ok', keyring: 'ok', log: 'ok', storage: 'failing' }
    t.match(await ready(), { status: 503, json: { checks } })
  }
  blobs.check = checkBlobs
  t.match(await ready(), { status: 200 })
})

t.test('it says that the copy of the checkpoint cannot be written', async t => {
  const exchange = await startExchange(t)
  const ready = () => exchange.client().send('GET', '/readyz')
  await exchange.exchange.tree.settle()
  t.match(await ready(), { status: 200, json: { checks: { checkpoint: 'ok' } } })
  const { checkpoint } = dataPaths(exchange.directory)
  rmSync(checkpoint)
  mkdirSync(checkpoint)
  t.equal((await exchange.client('clinician').send('GET', '/v1/cases')).status, 200)
  await t.rejects(exchange.exchange.tree.settle())
  t.match(await ready(), {
    status: 503,
    json: { checks: { log: 'ok', database: 'ok', checkpoint: 'cannot be written' } }
  })
  const shown = exchange.exchange.tree.checkpoint()?.size ?? 0
  t.ok(shown < (await exchange.auditEvents()).length, 'nobody is shown what has no copy')

  rmdirSync(checkpoint)
  await eventually('it is tried again', async () =>
    (await ready()).status === 200 ? true : undefined
  )
  t.ok(statSync(checkpoint).isFile())
})

t.test('while downloads run the service is ready', async t => {
  const exchange = await startExchange(t)
  const { path } = await sharedRecord(exchange, [LARGE])
  const call = await exchange.raw('specialistGb', `GET ${path}`)
  await call.take(1000)
  for (let i = 0; i < 20; i += 1) {
    t.equal((await exchange.client().send('GET', '/readyz')).status, 200)
  }
  const metrics = (await exchange.client().send('GET', '/metrics')).text
  t.match(metrics, /^consilium_streams 1$/m)
})

t.test('metrics count by pattern of route, and hold nobody’s id', async t => {
  const exchange = await startExchange(t)
  const { caseId, record, share, path } = await sharedRecord(exchange, [numberedText(10)])
  await exchange.client('specialistGb').send('GET', path)
  await exchange.client('clinician').send('GET', `/v1/cases/${caseId}`)
  await exchange.client().send('GET', '/no/such/page')
  await exchange.auditEvents()
  const answer = await exchange.client().send('GET', '/metrics')
  t.match(answer.headers.get('content-type'), /^text\/plain/)
  const pattern = '/v1/shares/:share/records/:record/content'
  t.ok(answer.text.includes(`route="${pattern}",status="200"} 1`))
  t.match(
    answer.text,
    /consilium_request_seconds_count\{method="GET",route="none",status="404"\} 1/
  )
  for (const id of [
    caseId,
    record.id,
    share.id,
    ...Object.values(exchange.people).map(p => p.accountId)
  ]) {
    t.notOk(answer.text.includes(id))
  }
  t.notMatch(answer.text, /such|127\.0\.0\.1/)
})

t.test('metrics are for those the operator names', async t => {
  const exchange = await startExchange(t, { env: { CONSILIUM_METRICS_READERS: '192.0.2.1' } })
  t.match(await exchange.client().send('GET', '/metrics'), {
    status: 404,
    json: { code: 'route-not-found' }
  })
})

t.test('a stop lets running downloads end, and then the service is gone', async t => {
  const exchange = await startExchange(t)
  const { path } = await sharedRecord(exchange, [LARGE])
  const call = await exchange.raw('specialistGb', `GET ${path}`)
  await call.take(1000)
  const stopped = exchange.app.stop()
  t.ok((await call.rest()).equals(LARGE.bytes), 'whole')
  await stopped
  await t.rejects(fetch(`${exchange.url}/healthz`))
  await exchange.restart()
  const [, ended] = await exchange.auditEvents({ action: 'content.read' })
  t.equal(ended?.outcome, 'complete')
})

t.test('what does not end in time is cut, and that is on record', async t => {
  const exchange = await startExchange(t, { limits: { drainSecondsMax: 0 } })
  const { path } = await sharedRecord(exchange, [LARGE])
  const call = await exchange.raw('specialistGb', `GET ${path}`)
  await call.take(1000)
  const stopped = exchange.app.stop()
  await eventually('it was cut', () => (exchange.exchange.streams.count() === 0 ? true : undefined))
  const received = await call.rest()
  await stopped
  t.ok(received.length < LARGE.bytes.length)
  await exchange.restart()
  const [, ended, ...others] = await exchange.auditEvents({ action: 'content.read' })
  t.match(ended, { outcome: 'stopped' })
  t.ok(Number(ended?.bytesHandedOver) >= received.length)
  t.same(others, [], 'and not a second time as interrupted')
})
