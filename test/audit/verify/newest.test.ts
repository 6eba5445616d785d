import t from 'tap'
import { verifyNewest } from '../../../src/audit/verify/newest.ts'
import type { Caller } from '../../../src/identity/principal.ts'
import { startExchange, type TestExchange } from '../../helpers/exchange.ts'
import { intrude } from '../../helpers/intruder.ts'

const trace = { requestId: 'test', method: 'POST', route: '/log/integrity', address: '127.0.0.1' }

function auditorOf({ people }: TestExchange): Caller {
  const { accountId, organisationId } = people.auditor
  const held = { issuer: 'embedded', subject: accountId, clientId: 'pages', scope: '' }
  return {
    ...held,
    accountId,
    organisationId,
    role: 'auditor',
    country: 'GB',
    assurance: 'passkey',
    trace
  }
}

/** An exchange whose log has more than three tiles. */
async function longLog(t: Parameters<typeof startExchange>[0]) {
  const exchange = await startExchange(t)
  const { database, audit } = exchange.exchange
  await database.write(async tx => {
    for (let n = 0; n < 800; n += 1) {
      const { organisationId } = exchange.people.auditor
      const details = { address: '192.0.2.7' }
      await audit.append(tx, { action: 'case.list', outcome: 'success', organisationId, details })
    }
  })
  return exchange
}

t.test('a log that is as it was written', async t => {
  const exchange = await longLog(t)
  const caller = auditorOf(exchange)
  const whole = await verifyNewest(exchange.exchange, caller)
  t.match(whole, { from: 0, faults: 0, told: [], erased: 0 })
  t.ok(whole.to > 800)
  const { result: part, events } = await exchange.eventsOf(() =>
    verifyNewest(exchange.exchange, caller, 300)
  )
  t.match(part, { faults: 0, told: [] })
  t.equal(part.from % 256, 0, 'it begins with a tile')
  t.ok(part.from > 0 && part.to - part.from >= 300)
  t.match(events, [{ action: 'audit.verify', outcome: 'success' }])
})

t.test('however many ask at once, one runs at a time', async t => {
  // Given a log, and a count of the snapshots that are open
  const exchange = await longLog(t)
  const caller = auditorOf(exchange)
  const { database } = exchange.exchange
  const { openSnapshot } = database
  let [open, most, opened] = [0, 0, 0]
  database.openSnapshot = async () => {
    open += 1
    opened += 1
    most = Math.max(most, open)
    const snapshot = await openSnapshot()
    return {
      ...snapshot,
      async close() {
        await snapshot.close()
        open -= 1
      }
    }
  }
  const seen = await verifyNewest(exchange.exchange, caller)
  // When twenty ask while another is answered
  const { result, events } = await exchange.eventsOf(async () => {
    const first = verifyNewest(exchange.exchange, caller)
    await new Promise(setImmediate)
    const later = Array.from({ length: 20 }, () => verifyNewest(exchange.exchange, caller))
    return await Promise.all([first, ...later])
  })
  // Then one snapshot was open at a time, those twenty shared one, and each is on record
  t.equal(most, 1)
  t.equal(opened, 3)
  t.equal(events.length, 21)
  t.ok(result.every(({ to, faults }) => to > seen.to && faults === 0))
})

t.test('what somebody changed in the database is found', async t => {
  const exchange = await longLog(t)
  const caller = auditorOf(exchange)
  const { to } = await verifyNewest(exchange.exchange, caller)
  const hand = await intrude(t, exchange.config)
  await hand.passTriggers()
  const idx = to - 20

  await t.test('in a column', async t => {
    await hand.run('UPDATE audit_events SET outcome = ? WHERE idx = ?', 'refused', idx)
    const { told } = await verifyNewest(exchange.exchange, caller, 300)
    t.same(told, [`Event ${idx}: its column outcome is not what its leaf says.`])
    await hand.run('UPDATE audit_events SET outcome = ? WHERE idx = ?', 'success', idx)
  })
  await t.test('in the details', async t => {
    await hand.run('UPDATE audit_events SET case_id = ? WHERE idx = ?', caller.accountId, idx)
    const { told } = await verifyNewest(exchange.exchange, caller, 300)
    t.same(told, [`Event ${idx}: its column case_id is not what its details say.`])
    await hand.run('UPDATE audit_events SET case_id = NULL WHERE idx = ?', idx)
  })
  await t.test('in a whole leaf that fits its row', async t => {
    await hand.run(
      'UPDATE audit_events SET leaf = (SELECT leaf FROM audit_events WHERE idx = ?) WHERE idx = ?',
      idx - 1,
      idx
    )
    const { told } = await verifyNewest(exchange.exchange, caller, 300)
    t.ok(told.some(sentence => /are not those that were signed/.test(sentence)))
  })
  await t.test('and in the tree before the part that is looked at', async t => {
    await hand.run(
      'UPDATE audit_tiles SET hashes = ? WHERE level = 1 AND idx = 0',
      Buffer.alloc(96)
    )
    const { told } = await verifyNewest(exchange.exchange, caller, 100)
    t.ok(told.some(sentence => /are not those that were signed/.test(sentence)))
  })
})
