import t from 'tap'
import { disableAccount } from '../../src/identity/enrol.ts'
import { numberedText, sharedRecord, startExchange } from '../helpers/exchange.ts'
import { intrude } from '../helpers/intruder.ts'
import { ask, liveliness } from './scene.ts'

t.test('an event that was written stays as it was written', async t => {
  const exchange = await startExchange(t)
  await liveliness(exchange)
  const before = await exchange.auditEvents()
  const intruder = await intrude(t, exchange.config)
  const [nothing, replace] =
    intruder.kind === 'sqlite'
      ? ["x'00'", 'INSERT OR REPLACE INTO audit_events SELECT * FROM audit_events LIMIT 1']
      : ["'\\x00'", 'TRUNCATE audit_events']
  for (const statement of [
    'DELETE FROM audit_events',
    'DELETE FROM audit_events WHERE id = (SELECT min(id) FROM audit_events)',
    'DELETE FROM audit_events WHERE id = (SELECT max(id) FROM audit_events)',
    "UPDATE audit_events SET outcome = 'success'",
    'UPDATE audit_events SET actor_id = NULL',
    'UPDATE audit_events SET id = lower(id)',
    'UPDATE audit_events SET at = at + 1',
    `UPDATE audit_events SET details_sealed = ${nothing}`,
    `UPDATE audit_events SET patient_ref = ${nothing}`,
    `UPDATE audit_events SET leaf = ${nothing}`,
    'UPDATE audit_events SET idx = idx + 1000',
    'UPDATE audit_head SET size = size - 1',
    replace
  ]) {
    await t.rejects(intruder.run(statement), /cannot (be changed|shrink)/, statement)
  }
  t.same(await exchange.auditEvents(), before)
})

t.test('details belong to their event: moved or changed they do not open', async t => {
  const exchange = await startExchange(t)
  await liveliness(exchange)
  const { audit, database } = exchange.exchange
  const rows = await database.read.select().from(database.read.tables.auditEvents).limit(2)
  const [first, second] = rows
  if (first === undefined || second === undefined) throw new Error('There are events.')
  t.type(audit.openDetails(first.id, first.detailsSealed), Object)
  t.throws(() => audit.openDetails(first.id, second.detailsSealed))
  const flipped = Buffer.from(first.detailsSealed ?? '')
  flipped[20] = (flipped[20] ?? 0) ^ 1
  t.throws(() => audit.openDetails(first.id, flipped))
})

t.test('the log outlives what it tells of, and still names who did it', async t => {
  const exchange = await startExchange(t)
  const { share } = await sharedRecord(exchange, [numberedText(10)])
  const { accountId, name } = exchange.people.specialistGb
  await exchange.client('clinician').json('DELETE', `/v1/shares/${share.id}`)
  await disableAccount(exchange.exchange, { accountId })
  const lines = await ask(exchange, { share: share.id })
  t.match(
    lines.map(line => `${line.action} by ${line.actor?.name}`),
    ['share.revoke by Dr Alice Kestrel', `link.open by ${name}`, 'share.create by Dr Alice Kestrel']
  )
})

t.test('what is written about a caller comes from the connection, not from the caller', async t => {
  const exchange = await startExchange(t)
  const { events } = await exchange.eventsOf(() =>
    exchange.client('clinician').send('GET', '/v1/account', undefined, {
      'x-forwarded-for': '203.0.113.7, 10.0.0.1',
      forwarded: 'for=203.0.113.7',
      'x-real-ip': '203.0.113.7',
      'x-request-id': 'mine',
      'user-agent': `Agent ${'\u202e'}txt"=,; ${'x'.repeat(500)}`.replace(/[^\x20-\x7e]/g, '')
    })
  )
  const details = events.find(event => event.action === 'account.read')?.details
  t.match(details, { address: '127.0.0.1', forwardedFor: '203.0.113.7, 10.0.0.1' })
  t.not(details?.requestId, 'mine')
  t.equal(String(details?.userAgent).length, 200, 'and is cut')
})

t.test('behind a proxy that is trusted the address is the client’s', async t => {
  const exchange = await startExchange(t, { env: { CONSILIUM_TRUSTED_PROXIES: '127.0.0.1' } })
  const headers = { 'x-forwarded-for': '198.51.100.1, 203.0.113.7', 'x-forwarded-proto': 'https' }
  const { events } = await exchange.eventsOf(() =>
    exchange.client().send('GET', '/v1/account', undefined, headers)
  )
  t.match(events[0]?.details, {
    address: '203.0.113.7',
    forwardedFor: '198.51.100.1, 203.0.113.7'
  })
})
