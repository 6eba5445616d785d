import t from 'tap'
import { makeReport } from '../../../src/audit/report/gather.ts'
import { Refusal } from '../../../src/errors.ts'
import type { Caller } from '../../../src/identity/principal.ts'
import {
  createCase,
  NHS_NUMBER,
  NHS_SYSTEM,
  openShare,
  PATIENT_NAME,
  type Person,
  sharedPath,
  sharedRecord,
  shareRecords,
  startExchange,
  uploadRecord
} from '../../helpers/exchange.ts'
import { readPdf } from './read-pdf.ts'
import { askReport, LARGE, SMALL, secondOpinion, sendAsk } from './scene.ts'

const patient = { system: NHS_SYSTEM, value: NHS_NUMBER }

t.test('an auditor of another organisation learns nothing, and is on the owner’s log', async t => {
  const exchange = await startExchange(t)
  const { caseId } = await secondOpinion(exchange)
  await exchange.client('otherAuditor').token()
  const { result, events } = await exchange.eventsOf(() =>
    sendAsk(exchange, { case: caseId }, 'otherAuditor')
  )
  const unknown = await sendAsk(
    exchange,
    { case: exchange.people.auditor.accountId },
    'otherAuditor'
  )
  t.match(result, { status: 404, json: { code: 'case-not-found' } })
  t.same({ ...result.json, requestId: '' }, { ...unknown.json, requestId: '' })
  t.match(events, [
    {
      action: 'audit.report',
      outcome: 'refused',
      organisationId: exchange.people.auditor.organisationId,
      caseId
    }
  ])
  const report = await askReport(exchange, { patient }, 'otherAuditor')
  t.match(report, { disclosures: [], shares: [], patients: [], refused: { total: 0 } })
  t.notOk(JSON.stringify(report).includes(caseId))
})

t.test('a clinician is told of one case at a time, and each time is an event', async t => {
  const exchange = await startExchange(t)
  const { caseId } = await secondOpinion(exchange)
  await exchange.client('colleague').token()
  const { result, events } = await exchange.eventsOf(() =>
    sendAsk(exchange, { case: caseId }, 'colleague')
  )
  t.equal(result.status, 200)
  const { accountId } = exchange.people.colleague
  t.match(events, [{ action: 'audit.report', outcome: 'success', actorId: accountId, caseId }])
  const refused = await exchange.eventsOf(() => sendAsk(exchange, { patient }, 'colleague'))
  t.match(refused.result, { status: 403, json: { code: 'role-refused' } })
  t.match(refused.events, [{ action: 'audit.report', outcome: 'refused', code: 'role-refused' }])
})

t.test(
  'a patient whom nobody knows, one whom others know, one of whom nothing is told',
  async t => {
    const exchange = await startExchange(t)
    await createCase(exchange.client('clinician'), '9990000026')
    await createCase(exchange.client('otherClinician'), '9990000034')
    const reports = []
    for (const value of ['9990000026', '9990000034', '9990000042']) {
      const question = { patient: { system: NHS_SYSTEM, value } }
      const { id, madeAt, madeLondon, period, log, about, ...rest } = await askReport(
        exchange,
        question
      )
      t.equal(about.patient?.value, value)
      reports.push(rest)
      const { lines } = readPdf((await sendAsk(exchange, question)).bytes)
      t.ok(lines.includes('In this period nothing was disclosed.'))
      t.notOk(lines.join('\n').includes(PATIENT_NAME))
    }
    t.match(reports[0], { patients: [], disclosures: [], shares: [] })
    t.same(reports[0], reports[1])
    t.same(reports[0], reports[2])
  }
)

t.test('what own staff open is told as theirs', async t => {
  const exchange = await startExchange(t)
  const clinician = exchange.client('clinician')
  const { id: caseId } = await createCase(clinician)
  const record = await uploadRecord(clinician, caseId, {
    files: [SMALL, { ...SMALL, name: 'b.txt' }]
  })
  await exchange.client('colleague').send('GET', `/v1/records/${record.id}/content`)
  await exchange.client('colleague').send('HEAD', `/v1/records/${record.id}/content`)
  const { disclosures } = await askReport(exchange, { case: caseId })
  const who = { share: undefined, reader: { name: exchange.people.colleague.name, country: 'GB' } }
  t.match(disclosures, [
    { ...who, what: { kind: 'record', files: 2 }, ending: { state: 'complete' } },
    { ...who, what: { kind: 'properties' }, ending: { state: 'complete', bytes: undefined } }
  ])
  const { lines } = readPdf((await sendAsk(exchange, { case: caseId })).bytes)
  t.ok(lines.some(line => line.startsWith('Permission: \tnone needed: staff of City Hospital')))
})

t.test('a question must name a patient or a case, and be in order', async t => {
  const exchange = await startExchange(t)
  const { caseId } = await sharedRecord(exchange, [SMALL])
  const from = '2026-11-02T00:00:00Z'
  const wrong: [Record<string, unknown>, string][] = [
    [{}, 'request-invalid'],
    [{ patient, case: caseId }, 'request-invalid'],
    [{ patient, name: 'Quillfeather' }, 'request-invalid'],
    [{ case: caseId, from, to: from }, 'request-invalid'],
    [{ case: caseId, format: 'docx' }, 'request-invalid'],
    [{ patient: { system: NHS_SYSTEM, value: '9990000019' } }, 'nhs-number-invalid']
  ]
  await exchange.client('auditor').token()
  for (const [question, code] of wrong) {
    const { result, events } = await exchange.eventsOf(() => sendAsk(exchange, question))
    t.equal(result.json.code, code, JSON.stringify(question))
    t.match(events, [{ action: 'audit.report', outcome: 'refused', code }])
  }
  t.equal(exchange.exchange.streams.count(), 0, 'no place is kept')
})

/** The caller that the service makes of an auditor's request. */
function callerOf(person: Person): Caller {
  const trace = { requestId: 'r', method: 'POST', route: '/v1/audit/reports', address: '127.0.0.1' }
  return {
    accountId: person.accountId,
    organisationId: person.organisationId,
    role: 'auditor',
    country: 'GB',
    issuer: 'embedded',
    subject: person.key.client_id,
    clientId: person.key.client_id,
    scope: 'system/exchange',
    assurance: 'machine',
    trace
  }
}

t.test('a report that would be too long is refused, and says how long it may be', async t => {
  const exchange = await startExchange(t)
  const { caseId, share, path } = await sharedRecord(exchange, [SMALL])
  await exchange.client('specialistGb').send('GET', path)
  await exchange.auditEvents()
  const caller = callerOf(exchange.people.auditor)
  // The share, its opening, and one download.
  const report = await makeReport(exchange.exchange, caller, { case: caseId }, 3)
  t.equal(report.disclosures.length, 2)
  t.equal(report.shares[0]?.id, share.id)
  const before = (await exchange.auditEvents({ action: 'audit.report' })).length
  await t.rejects(makeReport(exchange.exchange, caller, { case: caseId }, 2), Refusal)
  const refusal = await makeReport(exchange.exchange, caller, { case: caseId }, 2).catch(err => err)
  t.match(refusal, {
    code: 'report-too-long',
    extra: { problems: ['a report has at most 2 openings and shares'], about: { caseId } }
  })
  const after = (await exchange.auditEvents({ action: 'audit.report' })).length
  t.equal(after, before, 'no report was made, and the log says of none')
})

t.test('a download that still runs is told as such', async t => {
  const exchange = await startExchange(t)
  const { caseId, record, share } = await sharedRecord(exchange, [SMALL], { opened: false })
  await openShare(exchange.client('specialistGb'), share.link)
  await exchange.client('specialistGb').send('GET', sharedPath(share.id, record.id))
  const [granted] = await exchange.auditEvents({ action: 'content.read', outcome: 'granted' })
  const { database, audit } = exchange.exchange
  // As if a second one had begun and not ended.
  await database.write(tx =>
    audit.append(tx, {
      action: 'content.read',
      outcome: 'granted',
      organisationId: granted?.organisationId ?? '',
      actorId: granted?.actorId ?? '',
      caseId,
      recordId: record.id,
      shareId: share.id,
      details: {}
    })
  )
  const { disclosures } = await askReport(exchange, { case: caseId })
  t.match(disclosures.at(-1), { ending: { state: 'under-way', bytes: undefined } })
  await shareRecords(exchange, caseId, [record.id])
})

t.test('what was read before the clock was put right is told, with how it ended', async t => {
  // Given a download that ends after a clock that was an hour ahead has been put right
  const exchange = await startExchange(t)
  const HOUR = 3_600_000
  const { caseId, record, share } = await sharedRecord(exchange, [LARGE], { opened: false })
  exchange.clock.advance(HOUR)
  await openShare(exchange.client('specialistGb'), share.link)
  const call = await exchange.raw('specialistGb', `GET ${sharedPath(share.id, record.id)}`)
  await call.take(70_000)
  exchange.clock.advance(-HOUR)
  call.abort()
  await exchange.auditEvents()
  // When the report is made
  const report = await makeReport(exchange.exchange, callerOf(exchange.people.auditor), {
    case: caseId
  })
  // Then it tells of the opening and of the download, and that it was broken off
  t.match(report.disclosures, [
    { what: { kind: 'summary' }, ending: { state: 'complete' } },
    { what: { kind: 'file' }, ending: { state: 'aborted' } }
  ])
})

t.test('of more shares than a report may hold those of the period count', async t => {
  // Given a share that ended before three others were made
  const exchange = await startExchange(t)
  const clinician = exchange.client('clinician')
  const { caseId, record, share } = await sharedRecord(exchange, [SMALL])
  await clinician.json('DELETE', `/v1/shares/${share.id}`)
  const to = new Date(exchange.clock.now() + 1000).toISOString()
  exchange.clock.advance(2000)
  for (let n = 0; n < 3; n += 1) await shareRecords(exchange, caseId, [record.id])
  // When a report of before is made that may hold no more than these
  const caller = callerOf(exchange.people.auditor)
  const report = await makeReport(exchange.exchange, caller, { case: caseId, to }, 2)
  // Then it has the share of then
  t.match(report.shares, [{ id: share.id }])
  t.equal(report.disclosures.length, 1)
})
