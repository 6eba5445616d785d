import { createSecretKey, randomBytes } from 'node:crypto'
import t from 'tap'
import { eq } from '../../schemas/drizzle.ts'
import { openDisclosures } from '../../src/audit/disclosures.ts'
import { openAuditLog } from '../../src/audit/log.ts'
import { placeAllPending } from '../../src/audit/tree/pending.ts'
import { openPostgres } from '../../src/database/postgres.ts'
import { asAdmin, freshPostgres, hasPostgres } from '../helpers/databases.ts'
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

const END_RUNS = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
  WHERE application_name = 'consilium run' AND datname = current_database()`

t.test('a process that has lost its connection for a moment is not taken for ended', async t => {
  if (!hasPostgres(t)) return
  // Given two processes, a download at the second, and one that a third has left open
  const { url, adminUrl } = await freshPostgres()
  const key = createSecretKey(randomBytes(32))
  const processes = await Promise.all(
    [1, 2].map(async () => {
      const database = await openPostgres(url, 4)
      t.teardown(() => database.close())
      const audit = openAuditLog(database, key, database.clock)
      return { database, audit, disclosures: openDisclosures(database, audit, database.clock) }
    })
  )
  const [first, second] = processes
  if (first === undefined || second === undefined) throw new Error('There are two.')
  const event = { action: 'content.read', outcome: 'granted', details: {} } as const
  const download = await second.disclosures.grant(async () => event)
  const left = await first.database.write(async tx => {
    const grantId = await first.audit.append(tx, event)
    await tx.insert(tx.tables.openDisclosures).values({ grantId, run: 'ended', at: 1 })
    return grantId
  })
  // When the server has lost sight of both, and both look for what ended processes left open
  await asAdmin(adminUrl, END_RUNS)
  const marked = await Promise.all(processes.map(({ disclosures }) => disclosures.recover()))
  await download.complete('complete', 7)
  // Then that of the third alone is marked, and the download has the end that it had
  t.ok(marked.every(count => count <= 1))
  await placeAllPending(first.database)
  const { auditEvents } = first.database.read.tables
  const events = await first.database.read.select().from(auditEvents)
  const ends = events.filter(({ outcome }) => outcome !== 'granted')
  t.match(
    ends.sort((a, b) => a.outcome.localeCompare(b.outcome)),
    [
      { outcome: 'complete', bytesHandedOver: 7 },
      { outcome: 'interrupted', grantId: left }
    ]
  )
  t.equal(ends.length, 2)
})

function withoutNulls<T extends object>(row: T): { [K in keyof T]: Exclude<T[K], null> } {
  const entries = Object.entries(row).filter(([, value]) => value !== null)
  return Object.fromEntries(entries) as { [K in keyof T]: Exclude<T[K], null> }
}
