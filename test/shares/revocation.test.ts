import t from 'tap'
import {
  eventually,
  numberedText,
  openShare,
  safeguard,
  sendLink,
  sharedPath,
  sharedRecord,
  shareRecords,
  startExchange,
  type TestExchange
} from '../helpers/exchange.ts'
import { intrude } from '../helpers/intruder.ts'

/** More than the sockets of both sides hold, so that a reader who stops holds the download up. */
const LARGE = numberedText(24 * 1024 * 1024)
const STARTED = 256 * 1024

t.test('a running download is cut when its share is withdrawn', async t => {
  const exchange = await startExchange(t)
  const { share, path, caseId, record } = await sharedRecord(exchange, [LARGE])
  const second = await shareRecords(exchange, caseId, [record.id])
  const specialist = exchange.client('specialistGb')
  await openShare(specialist, second.link)
  const cut = await exchange.raw('specialistGb', `GET ${path}`)
  const other = await exchange.raw('specialistGb', `GET ${sharedPath(second.id, record.id)}`)
  const owners = await exchange.raw('clinician', `GET /v1/records/${record.id}/content`)
  for (const call of [cut, other, owners]) await call.take(STARTED)

  await exchange.client('clinician').json('DELETE', `/v1/shares/${share.id}`)
  t.match(await specialist.send('GET', path), { status: 410, json: { code: 'share-revoked' } })
  t.match(await sendLink(specialist, share.link), { status: 410 })
  await streamsLeft(exchange, 2)
  const received = await cut.rest()
  t.ok(received.length < LARGE.bytes.length, 'the socket ended short')
  t.ok(received.equals(LARGE.bytes.subarray(0, received.length)), 'with nothing but the file')

  t.ok((await other.rest()).equals(LARGE.bytes), 'another share of the same record goes on')
  t.ok((await owners.rest()).equals(LARGE.bytes), 'and so does its owner')
  const reads = await exchange.auditEvents({ action: 'content.read', shareId: share.id })
  // The download may be cut before or after somebody else is refused.
  t.same(reads.map(({ outcome }) => outcome).sort(), ['granted', 'refused', 'revoked'])
  t.match(
    reads.find(({ outcome }) => outcome === 'refused'),
    { code: 'share-revoked' }
  )
  const cutShort = reads.find(({ outcome }) => outcome === 'revoked')
  const handedOver = Number(cutShort?.bytesHandedOver)
  t.ok(
    handedOver >= received.length && handedOver < LARGE.bytes.length,
    'and it says how much left'
  )
  t.equal(cutShort?.grantId, reads[0]?.id)
})

t.test('a range, too, is cut', async t => {
  const exchange = await startExchange(t)
  const { share, path } = await sharedRecord(exchange, [LARGE])
  const call = await exchange.raw('specialistGb', `GET ${path}`, { range: 'bytes=1000-' })
  await call.take(STARTED)
  await exchange.client('clinician').json('DELETE', `/v1/shares/${share.id}`)
  await streamsLeft(exchange, 0)
  const received = await call.rest()
  t.ok(received.length < LARGE.bytes.length - 1000)
  t.ok(received.equals(LARGE.bytes.subarray(1000, 1000 + received.length)))
})

t.test('an archive, too, is cut', async t => {
  const exchange = await startExchange(t)
  const half = numberedText(12 * 1024 * 1024)
  const { share, path } = await sharedRecord(exchange, [half, { ...half, name: 'b.txt' }])
  const call = await exchange.raw('specialistGb', `GET ${path}`)
  await call.take(STARTED)
  await exchange.client('clinician').json('DELETE', `/v1/shares/${share.id}`)
  await streamsLeft(exchange, 0)
  const received = await call.rest()
  t.ok(received.length < 2 * half.bytes.length)
  const [granted, ended] = await exchange.auditEvents({ action: 'content.read' })
  t.match([granted, ended], [{ outcome: 'granted' }, { outcome: 'revoked' }])
})

t.test('a running download is cut when the share, or the basis of its transfer, ends', async t => {
  const now = Date.parse('2027-03-01T12:00:00.000Z')
  const ends = {
    'the share': { change: { lifeHours: 1 }, moment: now + 3_600_000 },
    'the safeguard': {
      change: { safeguard: safeguard(now, { expires: '2027-03-01' }) },
      moment: Date.parse('2027-03-02T00:00:00.000Z')
    }
  }
  for (const [what, { change, moment }] of Object.entries(ends)) {
    await t.test(what, async t => {
      const exchange = await startExchange(t)
      exchange.clock.set(now)
      const { path } = await sharedRecord(exchange, [LARGE], {
        with: 'specialistIn',
        safeguard: safeguard(now),
        ...change
      })
      const call = await exchange.raw('specialistIn', `GET ${path}`)
      await call.take(STARTED)
      exchange.clock.set(moment)
      await streamsLeft(exchange, 0)
      t.ok((await call.rest()).length < LARGE.bytes.length, 'the socket ended short')
      const [, ended] = await exchange.auditEvents({ action: 'content.read' })
      t.equal(ended?.outcome, 'expired')
    })
  }
})

t.test('a share is withdrawn once, by its own organisation, for good', async t => {
  const exchange = await startExchange(t)
  const { share } = await sharedRecord(exchange, [numberedText(10)])
  const clinician = exchange.client('clinician')
  t.match(await exchange.client('colleague').json('DELETE', `/v1/shares/${share.id}`), {
    state: 'revoked',
    revokedAt: String
  })
  const again = await clinician.send('DELETE', `/v1/shares/${share.id}`)
  t.match(again, { status: 409, json: { code: 'share-ended' } })
  const intruder = await intrude(t, exchange.config)
  for (const statement of [
    'UPDATE shares SET revoked_at = NULL, revoked_by = NULL',
    'UPDATE shares SET expires_at = expires_at + 1',
    'UPDATE shares SET specialist_id = created_by',
    'UPDATE shares SET openings_max = 99',
    "UPDATE share_records SET record_id = 'x'"
  ]) {
    await t.rejects(intruder.run(statement), /cannot be changed|stays revoked/, statement)
  }
})

t.test('an expired share may still be withdrawn, and says that it was', async t => {
  const exchange = await startExchange(t)
  const { share } = await sharedRecord(exchange, [numberedText(10)], { lifeHours: 1 })
  exchange.clock.advance(2 * 3_600_000)
  const answer = await exchange.client('clinician').send('DELETE', `/v1/shares/${share.id}`)
  t.match(answer, { status: 200, json: { state: 'revoked' } })
})

/** The readers of these tests stand still until the service has cut them. */
function streamsLeft({ exchange }: TestExchange, count: number): Promise<true> {
  return eventually(`${count} streams are left`, () =>
    exchange.streams.count() === count ? true : undefined
  )
}
