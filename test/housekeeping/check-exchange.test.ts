import Sqlite from 'better-sqlite3'
import t, { type Test } from 'tap'
import { checkExchange } from '../../src/housekeeping/check-exchange.ts'
import { dataPaths } from '../../src/open-data.ts'
import { assertFaults } from '../faults/soundness.ts'
import { openShare, sampleFile, sharedRecord, startExchange } from '../helpers/exchange.ts'
import { dropTriggers } from '../helpers/triggers.ts'
import { letter, pathologyReport } from '../samples/samples.ts'

/** An exchange in which something of every kind is stored, and a way to change its rows unseen. */
async function setUp(t: Test) {
  const x = await startExchange(t)
  const files = [sampleFile(pathologyReport), sampleFile(letter)]
  const first = await sharedRecord(x, files)
  const second = await sharedRecord(x, files.slice(0, 1), { with: 'specialistIe' })
  await x.client('specialistGb').send('GET', first.path)
  await x.auditEvents()
  // Triggers refuse what an intruder with the database file can do all the same.
  const database = new Sqlite(dataPaths(x.directory).database)
  t.teardown(() => database.close())
  let restoreTriggers = dropTriggers(database)
  const check = async () => {
    restoreTriggers()
    const faults = await checkExchange(x.exchange)
    restoreTriggers = dropTriggers(database)
    return faults
  }
  return { x, first, second, database, check }
}

/** One bit of a sealed column turned over. */
const spoil = (database: Sqlite.Database, table: string, column: string, id: string) => {
  const row = database.prepare(`SELECT ${column} FROM ${table} WHERE id = ?`).pluck()
  const bytes = Buffer.from(row.get(id) as Buffer)
  bytes[bytes.length - 5] = Number(bytes[bytes.length - 5]) ^ 4
  database.prepare(`UPDATE ${table} SET ${column} = ? WHERE id = ?`).run(bytes, id)
}

t.test('an exchange that is whole has no fault, and the check is on the log', async t => {
  const { x, first, second, check } = await setUp(t)
  assertFaults(t, await check(), [])
  const events = await x.auditEvents({ action: 'service.check' })
  const bytes = first.record.bytes + second.record.bytes
  t.match(events, [
    { outcome: 'granted' },
    { outcome: 'complete', grantId: events[0]?.id, bytesHandedOver: bytes }
  ])
  await openShare(x.client('specialistGb'), first.share.link)
  assertFaults(t, await check(), [])
})

t.test('every sealed field that was changed is found', async t => {
  const { x, first, database, check } = await setUp(t)
  const [event] = await x.auditEvents({ action: 'link.open' })
  const columns: [table: string, column: string, id: string, fault: RegExp][] = [
    ['accounts', 'profile_sealed', x.people.clinician.accountId, /^Profile of account/],
    ['cases', 'details_sealed', first.caseId, /^Case/],
    ['records', 'details_sealed', first.record.id, /^Record/],
    ['objects', 'name_sealed', first.record.objects[1]?.id ?? '', /^Record/],
    ['shares', 'terms_sealed', first.share.id, /^Share/],
    ['audit_events', 'details_sealed', event?.id ?? '', /^Event/]
  ]
  for (const [table, column, id, fault] of columns) {
    spoil(database, table, column, id)
    const faults = await check()
    assertFaults(t, faults, [fault])
    t.match(faults, [/: sealed-damaged\.$/], `${table}.${column}`)
    spoil(database, table, column, id)
  }
  assertFaults(t, await check(), [])
})

t.test('the key of a case that was changed', async t => {
  const { first, database, check } = await setUp(t)
  spoil(database, 'cases', 'wrapped_key', first.caseId)
  assertFaults(t, await check(), [
    new RegExp(`^Case ${first.caseId}: key-damaged`),
    new RegExp(`^Share ${first.share.id}: key-damaged`)
  ])
})

t.test('shares that name what they must not', async t => {
  const { first, second, database, check } = await setUp(t)
  const name = database.prepare('INSERT INTO share_records VALUES (?, ?, 9)')
  const unname = database.prepare('DELETE FROM share_records WHERE share_id = ? AND record_id = ?')
  name.run(first.share.id, second.record.id)
  assertFaults(t, await check(), [new RegExp(`^Share ${first.share.id}: .*another case`)])
  unname.run(first.share.id, second.record.id)
  unname.run(first.share.id, first.record.id)
  assertFaults(t, await check(), [new RegExp(`^Share ${first.share.id}: .*no record`)])
})

t.test('what an upload or a download left behind', async t => {
  const { x, check } = await setUp(t)
  const { blobs, disclosures } = x.exchange
  const orphan = await blobs.create()
  await orphan.write(Buffer.from('sealed by nobody'))
  await orphan.commit()
  assertFaults(t, await check(), [new RegExp(`^Blob ${orphan.name} belongs to no object`)])
  await blobs.remove(orphan.name)

  const open = await disclosures.grant(async () => ({
    action: 'content.read',
    outcome: 'granted',
    details: {}
  }))
  assertFaults(t, await check(), [
    new RegExp(`^Disclosure ${open.receipt.eventId} was never completed`)
  ])
  await open.complete('failed', 0)
  assertFaults(t, await check(), [])
})
