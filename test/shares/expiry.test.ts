import t, { type Test } from 'tap'
import {
  numberedText,
  openShare,
  type Shared,
  safeguard,
  sendLink,
  sharedRecord,
  startExchange,
  type TestExchange
} from '../helpers/exchange.ts'

const file = numberedText(100)
const HOUR = 3_600_000

/** Moments around which local time jumps, or is a day away from UTC. */
const zones: Record<string, string[]> = {
  'Europe/London': ['2027-03-27T01:00:00.000Z', '2027-10-30T00:30:00.000Z'],
  'America/New_York': ['2027-03-13T07:00:00.000Z', '2027-11-06T06:00:00.000Z'],
  'Asia/Kolkata': ['2027-03-27T18:30:00.000Z'],
  'Pacific/Kiritimati': ['2027-12-30T10:00:00.000Z'],
  UTC: ['2028-02-28T00:00:00.000Z']
}

/** Runs in another time zone. Node reads TZ anew whenever it is set. */
async function inZone(zone: string, story: () => Promise<void>): Promise<void> {
  const before = process.env.TZ
  process.env.TZ = zone
  try {
    await story()
  } finally {
    if (before === undefined) delete process.env.TZ
    else process.env.TZ = before
  }
}

async function readAt(exchange: TestExchange, { share, path }: Shared, moment: number | string) {
  exchange.clock.set(moment)
  const specialist = exchange.client('specialistGb')
  const opening = await sendLink(specialist, share.link)
  const reading = await specialist.send('GET', path)
  return [opening, reading].map(answer => answer.json.code ?? answer.status)
}

for (const [zone, moments] of Object.entries(zones)) {
  for (const moment of moments) {
    t.test(`in ${zone} a share made at ${moment} lives its 72 hours to the millisecond`, t =>
      inZone(zone, () => livesExactly(t, zone, Date.parse(moment)))
    )
  }
}

async function livesExactly(t: Test, zone: string, start: number): Promise<void> {
  const local = (options: { timeZone?: string }) => new Date(start).toLocaleString('en-GB', options)
  t.equal(local({}), local({ timeZone: zone }), 'the zone is in force')
  const exchange = await startExchange(t)
  exchange.clock.set(start)
  const shared = await sharedRecord(exchange, [file])
  const end = start + 72 * HOUR
  t.match(shared.share, {
    notBefore: new Date(start).toISOString(),
    expiresAt: new Date(end).toISOString()
  })
  t.same(await readAt(exchange, shared, end - 1), [200, 200], 'one millisecond before its end')
  t.same(await readAt(exchange, shared, end), ['share-expired', 'share-expired'], 'at its end')
  t.same(await readAt(exchange, shared, end + 400 * 24 * HOUR), ['share-expired', 'share-expired'])
}

t.test('a share begins to the millisecond, however its beginning is written', async t => {
  const exchange = await startExchange(t)
  exchange.clock.set('2027-06-01T08:00:00.000Z')
  for (const notBefore of [
    '2027-06-01T10:00:00.000Z',
    '2027-06-01T11:00:00+01:00',
    '2027-06-01T15:30:00+05:30'
  ]) {
    exchange.clock.set('2027-06-01T08:00:00.000Z')
    const shared = await sharedRecord(exchange, [file], { notBefore, lifeHours: 1, opened: false })
    t.match(shared.share, {
      notBefore: '2027-06-01T10:00:00.000Z',
      expiresAt: '2027-06-01T11:00:00.000Z'
    })
    const early = ['share-not-yet-valid', 'share-not-yet-valid']
    t.same(await readAt(exchange, shared, '2027-06-01T09:59:59.999Z'), early)
    t.same(await readAt(exchange, shared, '2027-06-01T10:00:00.000Z'), [200, 200])
    t.same(await readAt(exchange, shared, '2027-06-01T10:59:59.999Z'), [200, 200])
    t.match(await readAt(exchange, shared, '2027-06-01T11:00:00.000Z'), ['share-expired'])
  }
})

t.test('a beginning without a zone is refused rather than guessed', async t => {
  const exchange = await startExchange(t)
  const { caseId, record } = await sharedRecord(exchange, [file])
  for (const notBefore of ['2027-06-01T10:00:00', '2027-06-01', 'tomorrow', '', 0]) {
    const answer = await exchange.client('clinician').send('POST', `/v1/cases/${caseId}/shares`, {
      specialist: exchange.people.specialistGb.accountId,
      records: [record.id],
      purpose: 'x',
      notBefore
    })
    t.match(answer, { status: 400, json: { code: 'request-invalid' } }, String(notBefore))
  }
})

t.test('the life of a share has its bounds', async t => {
  const exchange = await startExchange(t, { env: { CONSILIUM_SHARE_HOURS_MAX: '100' } })
  exchange.clock.set('2027-06-01T08:00:00.000Z')
  const { caseId, record } = await sharedRecord(exchange, [file])
  const ask = (change: object) =>
    exchange.client('clinician').send('POST', `/v1/cases/${caseId}/shares`, {
      specialist: exchange.people.specialistGb.accountId,
      records: [record.id],
      purpose: 'x',
      ...change
    })
  t.match(await ask({ lifeHours: 100 }), { status: 201 })
  t.match(await ask({ lifeHours: 101 }), { status: 422, json: { code: 'share-life-invalid' } })
  for (const lifeHours of [0, -1, 1.5, 721, 'long']) {
    t.match(await ask({ lifeHours }), { status: 400 }, `${lifeHours} hours`)
  }
  t.match(await ask({ notBefore: '2027-06-05T12:00:00.001Z' }), {
    json: { code: 'share-life-invalid' }
  })
  t.match(await ask({ notBefore: '2027-05-01T12:00:00Z', lifeHours: 1 }), {
    status: 201,
    json: { notBefore: '2027-06-01T08:00:00.000Z', expiresAt: '2027-06-01T09:00:00.000Z' }
  })
})

t.test('a safeguard ends with its last day, UTC, whatever the zone', async t => {
  for (const zone of Object.keys(zones)) {
    await inZone(zone, async () => {
      await t.test(zone, async t => {
        const exchange = await startExchange(t)
        exchange.clock.set('2027-03-27T12:00:00.000Z')
        const shared = await sharedRecord(exchange, [file], {
          with: 'specialistIn',
          safeguard: safeguard(exchange.clock.now(), { expires: '2027-03-28' })
        })
        const specialist = exchange.client('specialistIn')
        exchange.clock.set('2027-03-28T23:59:59.999Z')
        t.equal((await openShare(specialist, shared.share.link)).openings, 2)
        t.equal((await specialist.send('GET', shared.path)).status, 200)
        exchange.clock.set('2027-03-29T00:00:00.000Z')
        const over = { status: 410, json: { code: 'share-expired' } }
        t.match(await specialist.send('GET', shared.path), over)
        t.match(await sendLink(specialist, shared.share.link), over)
        const sent: { shares: object[] } = await exchange
          .client('clinician')
          .json('GET', '/v1/shares')
        t.match(sent.shares, [{ openings: 2, state: 'expired' }], 'no opening was spent')
      })
    })
  }
})
