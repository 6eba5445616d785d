import t, { type Test } from 'tap'
import { checkExchange } from '../../src/housekeeping/check-exchange.ts'
import { assertFaults } from '../faults/soundness.ts'
import { openShare, sampleFile, sharedRecord, startExchange } from '../helpers/exchange.ts'
import { type Intruder, intrude } from '../helpers/intruder.ts'
import { readyCase } from '../helpers/request.ts'
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
  const intruder = await intrude(t, x.config)
  await intruder.passTriggers()
  const check = async () => {
    await intruder.restoreTriggers()
    const faults = await checkExchange(x.exchange)
    await intruder.passTriggers()
    return faults
  }
  return { x, first, second, intruder, check }
}

/** One bit of a sealed column turned over. */
const spoil = async (intruder: Intruder, table: string, column: string, id: string, key = 'id') => {
  const [row] = await intruder.run(`SELECT ${column} FROM ${table} WHERE ${key} = ?`, id)
  const bytes = Buffer.from(row?.[column] as Buffer)
  bytes[bytes.length - 5] = Number(bytes[bytes.length - 5]) ^ 4
  await intruder.run(`UPDATE ${table} SET ${column} = ? WHERE ${key} = ?`, bytes, id)
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
  const { x, first, intruder, check } = await setUp(t)
  const [event] = await x.auditEvents({ action: 'link.open' })
  const asked: { id: string } = await x
    .client('specialistGb')
    .json('POST', `/v1/shares/${first.share.id}/more-time`, { words: 'A week' })
  const columns: [table: string, column: string, id: string, fault: RegExp][] = [
    ['accounts', 'profile_sealed', x.people.clinician.accountId, /^Profile of account/],
    ['cases', 'details_sealed', first.caseId, /^Case/],
    ['records', 'details_sealed', first.record.id, /^Record/],
    ['objects', 'name_sealed', first.record.objects[1]?.id ?? '', /^Record/],
    ['shares', 'terms_sealed', first.share.id, /^Share/],
    ['more_time', 'words_sealed', asked.id, /^Share/],
    ['audit_events', 'details_sealed', event?.id ?? '', /^Event/]
  ]
  for (const [table, column, id, fault] of columns) {
    await spoil(intruder, table, column, id)
    const faults = await check()
    assertFaults(t, faults, [fault])
    t.match(faults, [/: sealed-damaged\.$/], `${table}.${column}`)
    await spoil(intruder, table, column, id)
  }
  assertFaults(t, await check(), [])
})

t.test('a request that was changed, or put back to an earlier one', async t => {
  const { x, intruder, check } = await setUp(t)
  const clinician = x.client('clinician')
  const now = x.clock.now()
  const { caseId } = await readyCase(clinician, now)
  await clinician.json('POST', `/v1/cases/${caseId}/close`, { reason: 'Done' })
  const fault = [new RegExp(`^Case ${caseId}: sealed-damaged`)]
  for (const [table, column] of [
    ['case_requests', 'request_sealed'],
    ['case_requests', 'answers_sealed'],
    ['case_moves', 'reason_sealed']
  ] as const) {
    await spoil(intruder, table, column, caseId, 'case_id')
    assertFaults(t, await check(), fault)
    await spoil(intruder, table, column, caseId, 'case_id')
  }
  const set = (column: string, value: number | string | null) =>
    intruder.run(`UPDATE case_requests SET ${column} = ? WHERE case_id = ?`, value, caseId)
  await set('version', 2)
  assertFaults(t, await check(), fault)
  await set('version', 1)
  await intruder.run(
    "UPDATE case_requests SET state = 'draft', closed_at = NULL WHERE case_id = ?",
    caseId
  )
  assertFaults(t, await check(), [new RegExp(`^Case ${caseId}: .*do not lead`)])
})

t.test('the key of a case that was changed', async t => {
  const { first, intruder, check } = await setUp(t)
  await spoil(intruder, 'cases', 'wrapped_key', first.caseId)
  assertFaults(t, await check(), [
    new RegExp(`^Case ${first.caseId}: key-damaged`),
    new RegExp(`^Share ${first.share.id}: key-damaged`)
  ])
})

t.test('shares that name what they must not', async t => {
  const { first, second, intruder, check } = await setUp(t)
  const unname = (recordId: string) =>
    intruder.run(
      'DELETE FROM share_records WHERE share_id = ? AND record_id = ?',
      first.share.id,
      recordId
    )
  const naming = 'INSERT INTO share_records VALUES (?, ?, 9)'
  await intruder.run(naming, first.share.id, second.record.id)
  assertFaults(t, await check(), [new RegExp(`^Share ${first.share.id}: .*another case`)])
  await unname(second.record.id)
  await unname(first.record.id)
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
