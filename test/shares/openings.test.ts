import t from 'tap'
import {
  numberedText,
  openShare,
  sendLink,
  sharedRecord,
  startExchange
} from '../helpers/exchange.ts'

const file = numberedText(100)
const CALLERS = 20
const OPENINGS = 3

t.test('of twenty at once on three openings exactly three pass', async t => {
  const exchange = await startExchange(t)
  const { share } = await sharedRecord(exchange, [file], { opened: false, openingsMax: OPENINGS })
  const specialist = exchange.client('specialistGb')
  await specialist.token()

  const { result, events } = await exchange.eventsOf(() =>
    Promise.all(Array.from({ length: CALLERS }, () => sendLink(specialist, share.link)))
  )

  const passed = result.filter(answer => answer.status === 200)
  t.equal(passed.length, OPENINGS)
  t.same(passed.map(answer => answer.json.openings).sort(), [1, 2, 3], 'each was counted by itself')
  const refused = result.filter(answer => answer.status !== 200)
  t.ok(refused.every(answer => answer.json.code === 'share-openings-spent'))
  t.equal(events.filter(event => event.outcome === 'success').length, OPENINGS)
  t.equal(events.filter(event => event.code === 'share-openings-spent').length, CALLERS - OPENINGS)
  t.equal(events.length, CALLERS)
})

t.test('a restart forgets no opening', async t => {
  const exchange = await startExchange(t)
  const { share, path } = await sharedRecord(exchange, [file], { openingsMax: 2 })
  await exchange.restart()
  const specialist = exchange.client('specialistGb')
  t.equal((await specialist.send('GET', path)).status, 200, 'and an opened share stays open')
  t.equal((await openShare(specialist, share.link)).openings, 2)
  t.match(await sendLink(specialist, share.link), { status: 403 })
})

t.test('one opening serves every file, many times, until its hours are over', async t => {
  const exchange = await startExchange(t, { limits: { openingHoursMax: 2 } })
  const files = Array.from({ length: 30 }, (_, n) => numberedText(100 + n, `${n}.txt`))
  exchange.clock.set('2027-02-01T08:00:00.000Z')
  const { share, record } = await sharedRecord(exchange, files, { openingsMax: 2 })
  const specialist = exchange.client('specialistGb')
  const paths = record.objects.map(
    object => `/v1/shares/${share.id}/records/${record.id}/objects/${object.id}/content`
  )
  for (const path of [...paths, ...paths]) t.equal((await specialist.send('GET', path)).status, 200)
  t.match(await specialist.json('GET', `/v1/shares/${share.id}`), {
    openings: 1,
    openUntil: '2027-02-01T10:00:00.000Z'
  })

  const [path = ''] = paths
  exchange.clock.set('2027-02-01T09:59:59.999Z')
  t.equal((await specialist.send('GET', path)).status, 200)
  exchange.clock.set('2027-02-01T10:00:00.000Z')
  for (const url of [path, `/v1/shares/${share.id}`]) {
    t.match(await specialist.send('GET', url), { status: 403, json: { code: 'share-not-opened' } })
  }
  t.equal((await openShare(specialist, share.link)).openings, 2)
  t.equal((await specialist.send('GET', path)).status, 200)
  exchange.clock.set('2027-02-01T12:00:00.000Z')
  t.match(await specialist.send('GET', path), { json: { code: 'share-openings-spent' } })
})

t.test('a share that was never opened is not read, even by its specialist', async t => {
  const exchange = await startExchange(t)
  const { share, path } = await sharedRecord(exchange, [file], { opened: false })
  for (const url of [path, `/v1/shares/${share.id}`]) {
    const answer = await exchange.client('specialistGb').send('GET', url)
    t.match(answer, { status: 403, json: { code: 'share-not-opened' } })
  }
})
