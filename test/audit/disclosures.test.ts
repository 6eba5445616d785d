import t from 'tap'
import {
  eventually,
  numberedText,
  sharedRecord,
  startExchange,
  type TestExchange
} from '../helpers/exchange.ts'
import { gate, gatedBlobs } from '../helpers/gated-blobs.ts'

/** More than the sockets of both sides hold. */
const LARGE = numberedText(24 * 1024 * 1024)
const SMALL = numberedText(1000)

function reads(exchange: TestExchange) {
  return exchange.auditEvents({ action: 'content.read' })
}

t.test('a download is two events, the first before its first byte', async t => {
  const door = gate()
  const exchange = await startExchange(t, { wrapBlobs: inner => gatedBlobs(inner, door) })
  const { path, record, share, caseId } = await sharedRecord(exchange, [SMALL])
  const call = await exchange.raw('specialistGb', `GET ${path}`)
  await door.knocked()
  const [granted, ...others] = await exchange.auditEventsNow({ action: 'content.read' })
  t.same(others, [])
  t.equal(granted?.outcome, 'granted')
  t.equal(call.received(), 0, 'no byte has come')
  door.open()
  t.ok((await call.rest()).equals(SMALL.bytes))

  const { accountId: actorId, organisationId: actorOrganisationId } = exchange.people.specialistGb
  const organisationId = exchange.people.clinician.organisationId
  const same = {
    organisationId,
    actorId,
    actorOrganisationId,
    caseId,
    recordId: record.id,
    objectId: record.objects[0]?.id,
    shareId: share.id,
    recipientCountry: 'GB'
  }
  const [first, second] = await reads(exchange)
  t.match(first, { ...same, outcome: 'granted', grantId: null, bytesHandedOver: null })
  t.match(second, { ...same, outcome: 'complete', grantId: first?.id, bytesHandedOver: 1000 })
  t.same(first?.patientRef, second?.patientRef)
  t.equal(first?.patientRef?.length, 32)
})

for (const taken of [1, 70_000, 3_000_000]) {
  t.test(`a reader who leaves after ${taken} bytes is on record with no fewer`, async t => {
    const exchange = await startExchange(t)
    const { path } = await sharedRecord(exchange, [LARGE])
    const call = await exchange.raw('specialistGb', `GET ${path}`)
    await call.take(taken)
    call.abort()
    const [granted, ended] = await reads(exchange)
    t.match(ended, { outcome: 'aborted', grantId: granted?.id })
    const handedOver = Number(ended?.bytesHandedOver)
    t.ok(handedOver >= call.received(), `${handedOver} for ${call.received()}`)
    t.ok(handedOver < LARGE.bytes.length)
  })
}

t.test('a reader who is gone before the first byte leaves no stream open', async t => {
  const door = gate()
  const exchange = await startExchange(t, {
    limits: { streamsPerAccountMax: 1 },
    wrapBlobs: inner => gatedBlobs(inner, door)
  })
  const { path } = await sharedRecord(exchange, [SMALL])
  const call = await exchange.raw('specialistGb', `GET ${path}`)
  await door.knocked()
  const before = await connections(exchange)
  call.abort()
  await eventually('the service has noticed', async () =>
    (await connections(exchange)) < before ? true : undefined
  )
  door.open()
  const [, ended] = await reads(exchange)
  t.match(ended, { outcome: 'aborted' })
  t.equal(exchange.exchange.streams.count(), 0)
  const again = await exchange.client('specialistGb').send('GET', path)
  t.equal(again.status, 200, 'and the one place is free again')
})

function connections({ app }: TestExchange): Promise<number> {
  return new Promise(resolve => app.fastify.server.getConnections((_, count) => resolve(count)))
}

t.test('an archive is one disclosure, aborted or not', async t => {
  const exchange = await startExchange(t)
  const half = numberedText(12 * 1024 * 1024)
  const { path } = await sharedRecord(exchange, [half, { ...half, name: 'b.txt' }])
  const call = await exchange.raw('specialistGb', `GET ${path}`)
  await call.take(100_000)
  call.abort()
  const events = await reads(exchange)
  t.match(events, [{ outcome: 'granted' }, { outcome: 'aborted' }])
  t.equal(events.length, 2)
  t.ok(Number(events[1]?.bytesHandedOver) >= call.received())
})

t.test('too many downloads at once are refused, and each is on record', async t => {
  const exchange = await startExchange(t, { limits: { streamsPerAccountMax: 2 } })
  const { path, record } = await sharedRecord(exchange, [LARGE])
  const calls = [
    await exchange.raw('specialistGb', `GET ${path}`),
    await exchange.raw('specialistGb', `GET ${path}`)
  ]
  for (const call of calls) await call.take(1000)
  const third = await exchange.client('specialistGb').send('GET', path)
  t.match(third, { status: 429, json: { code: 'too-many-streams' } })
  const owners = await exchange.client('clinician').send('GET', `/v1/records/${record.id}/content`)
  t.equal(owners.status, 200, 'another account has its own places')
  for (const call of calls) call.abort()
  const refused = await exchange.auditEvents({ code: 'too-many-streams' })
  t.match(refused, [{ action: 'content.read', outcome: 'refused' }])
  await eventually('the places are free', () =>
    exchange.exchange.streams.count() === 0 ? true : undefined
  )
  t.equal((await exchange.client('specialistGb').send('GET', path)).status, 200)
})

t.test('who downloads one after the other needs one place and never waits for it', async t => {
  const exchange = await startExchange(t, { limits: { streamsPerAccountMax: 1 } })
  const { path } = await sharedRecord(exchange, [SMALL])
  // Recording the end takes longer than the client needs to ask for the next.
  const { audit } = exchange.exchange
  const append = audit.append
  audit.append = async (tx, event) => {
    if (event.outcome === 'complete') await new Promise(resolve => setTimeout(resolve, 20))
    return append(tx, event)
  }
  const statuses = []
  for (let i = 0; i < 10; i += 1) {
    statuses.push((await exchange.client('specialistGb').send('GET', path)).status)
  }
  t.same([...new Set(statuses)], [200])
})
