import t from 'tap'
import { safeFileName } from '../../src/records/inspect/file-name.ts'
import {
  createCase,
  numberedText,
  shareRecords,
  startExchange,
  uploadRecord
} from '../helpers/exchange.ts'

t.test('a number is not taken for the text of an identifier', async t => {
  const exchange = await startExchange(t)
  const clinician = exchange.client('clinician')
  const system = 'https://hospital.example/mrn'
  for (const value of [1234567890, true, null, ['1']]) {
    const answer = await clinician.send('POST', '/v1/cases', {
      patient: { identifier: { system, value }, name: 'TEST, Two', birthDate: '1970-01-01' },
      question: 'Is it?'
    })
    t.match(answer, { status: 400, json: { code: 'request-invalid' } }, JSON.stringify(value))
  }
})

t.test('a body with a hundred thousand faults gets a short answer', async t => {
  const exchange = await startExchange(t)
  const clinician = exchange.client('clinician')
  const { id } = await createCase(clinician)
  const answer = await clinician.send('POST', `/v1/cases/${id}/shares`, {
    specialist: exchange.people.specialistGb.accountId,
    records: new Array(100_000).fill(0),
    purpose: 'P'
  })
  t.equal(answer.status, 400)
  t.ok(answer.bytes.byteLength < 1000)
})

t.test('a leap second is refused, not misread', async t => {
  const exchange = await startExchange(t)
  const clinician = exchange.client('clinician')
  const { id: caseId } = await createCase(clinician)
  const record = await uploadRecord(clinician, caseId, { files: [numberedText(100)] })
  const share = {
    specialist: exchange.people.specialistGb.accountId,
    records: [record.id],
    purpose: 'P',
    notBefore: '2016-12-31T23:59:60Z'
  }
  t.match(await clinician.send('POST', `/v1/cases/${caseId}/shares`, share), { status: 400 })
  const asked = '/v1/audit/events?to=2030-12-31T23:59:60Z'
  t.match(await exchange.client('auditor').send('GET', asked), { status: 400 })
})

t.test('an encoded address is the same route: nothing of it is kept by caches', async t => {
  const exchange = await startExchange(t)
  const call = await exchange.raw('clinician', 'GET /%761/account')
  t.match(await call.head(), { status: 200, headers: { 'cache-control': 'no-store' } })
  call.abort()
})

t.test('a caller nobody knows leaves no ids for the auditors of others', async t => {
  const exchange = await startExchange(t)
  const { id } = await createCase(exchange.client('clinician'))
  const { events } = await exchange.eventsOf(() => exchange.client().send('GET', `/v1/cases/${id}`))
  t.match(events, [{ outcome: 'refused', code: 'token-missing' }])
  t.notOk(JSON.stringify(events).includes(id))
})

t.test('who reaches for the record of another trust is on the log of its owner only', async t => {
  const exchange = await startExchange(t)
  const { id: caseId } = await createCase(exchange.client('clinician'))
  const record = await uploadRecord(exchange.client('clinician'), caseId, {
    files: [numberedText(100)]
  })
  const { id: ownCase } = await createCase(exchange.client('otherClinician'))
  await t.rejects(shareRecords(exchange, ownCase, [record.id], { by: 'otherClinician' }))
  const path = `/v1/audit/events?action=share.create&record=${record.id}`
  const seen = async (who: 'auditor' | 'otherAuditor') =>
    (await exchange.client(who).json<{ events: { code?: string }[] }>('GET', path)).events
  t.match(await seen('auditor'), [{ code: 'record-not-in-case' }])
  t.same(await seen('otherAuditor'), [])
})

t.test('long file names cost little, whatever they are made of', async t => {
  // Quadratic work on these would run into the time limit of the tests.
  for (let n = 0; n < 1200; n += 1) {
    t.ok(Buffer.byteLength(safeFileName(`a${'.'.repeat(15_000)}b${n}`, 'file')) <= 150)
  }
})
