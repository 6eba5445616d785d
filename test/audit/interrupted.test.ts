import t from 'tap'
import { eq } from '../../schemas/drizzle.ts'
import {
  numberedText,
  sharedRecord,
  startExchange,
  type TestExchange
} from '../helpers/exchange.ts'
import { intrude } from '../helpers/intruder.ts'

/** As if the process had ended in the middle of a download: granted, and never completed. */
async function leaveOpen({ exchange, auditEventsNow }: TestExchange): Promise<string> {
  const [granted] = await auditEventsNow({ action: 'content.read', outcome: 'granted' })
  if (granted === undefined) throw new Error('It was granted.')
  const { idx, id, at, leaf, outcome, code, grantId, bytesHandedOver, ...event } = granted
  const { audit, database } = exchange
  return await database.write(async tx => {
    const grantId = await audit.append(tx, {
      ...withoutNulls(event),
      action: 'content.read',
      outcome: 'granted'
    })
    await tx.insert(tx.tables.openDisclosures).values({ grantId, run: 'ended', at })
    return grantId
  })
}

t.test('what an ended process left open is marked at the next start, once', async t => {
  const exchange = await startExchange(t)
  const { path } = await sharedRecord(exchange, [numberedText(100)])
  await exchange.client('specialistGb').send('GET', path)
  const [granted] = await exchange.auditEvents({ action: 'content.read', outcome: 'granted' })
  if (granted === undefined) throw new Error('It was granted.')
  const { idx, id, at, leaf, outcome, code, grantId, bytesHandedOver, ...event } = granted
  const left = await leaveOpen(exchange)

  await exchange.restart()

  const [interrupted, ...others] = await exchange.auditEvents({ outcome: 'interrupted' })
  t.same(others, [], 'and not the one that was completed')
  t.match(interrupted, { ...event, details: { ...event.details, bytes: 'unknown' } })
  t.equal(interrupted?.grantId, left)
  t.match(exchange.logged(), /streams of an earlier process were cut short/)

  await exchange.restart()
  t.equal((await exchange.auditEvents({ outcome: 'interrupted' })).length, 1)
})

t.test('one whose details somebody has damaged keeps the service from nothing', async t => {
  // Given two downloads that an ended process left open, and damage to the details of the first
  const exchange = await startExchange(t)
  const { path } = await sharedRecord(exchange, [numberedText(100)])
  await exchange.client('specialistGb').send('GET', path)
  const left = [await leaveOpen(exchange), await leaveOpen(exchange)]
  const [damaged] = left
  const { auditEvents } = exchange.exchange.database.read.tables
  const [row] = await exchange.exchange.database.read
    .select({ sealed: auditEvents.detailsSealed })
    .from(auditEvents)
    .where(eq(auditEvents.id, String(damaged)))
  const spoilt = Buffer.from(row?.sealed ?? [])
  spoilt[20] = Number(spoilt[20]) ^ 1
  const hand = await intrude(t, exchange.config)
  await hand.passTriggers()
  await hand.run('UPDATE audit_events SET details_sealed = ? WHERE id = ?', spoilt, damaged)
  // When the service starts
  await hand.restoreTriggers()
  await exchange.restart()
  // Then it serves, and both are marked
  t.equal((await exchange.client('specialistGb').send('GET', path)).status, 200)
  await hand.passTriggers()
  await hand.run('UPDATE audit_events SET details_sealed = ? WHERE id = ?', row?.sealed, damaged)
  await hand.restoreTriggers()
  const interrupted = await exchange.auditEvents({ outcome: 'interrupted' })
  t.same(
    interrupted.map(event => event.grantId),
    left
  )
  t.match(interrupted, [{ details: { granted: 'damaged', bytes: 'unknown' } }, { shareId: /./ }])
})

function withoutNulls<T extends object>(row: T): { [K in keyof T]: Exclude<T[K], null> } {
  const entries = Object.entries(row).filter(([, value]) => value !== null)
  return Object.fromEntries(entries) as { [K in keyof T]: Exclude<T[K], null> }
}
