import t, { type Test } from 'tap'
import type { AuditEvent } from '../../src/audit/log.ts'
import { Refusal } from '../../src/errors.ts'
import {
  eventually,
  numberedText,
  recordForm,
  sendLink,
  sharedRecord,
  shareRecords,
  startExchange,
  type TestExchange
} from '../helpers/exchange.ts'

const SMALL = numberedText(1000)

/** Makes the access log fail for the events chosen, until it is mended. */
function breakLog(exchange: TestExchange, chosen: (event: AuditEvent) => boolean) {
  const { audit } = exchange.exchange
  const append = audit.append
  let struck = 0
  audit.append = async (tx, event) => {
    if (!chosen(event)) return append(tx, event)
    struck += 1
    throw new Refusal('storage-unavailable', 'fault test')
  }
  return {
    struck: () => struck,
    mend: () => {
      audit.append = append
    }
  }
}

/** The rows of every table but the log and the issuer's memory. */
async function state({ exchange }: TestExchange) {
  const { read } = exchange.database
  const { cases, records, objects, shares, shareRecords } = read.tables
  return {
    cases: await read.select().from(cases),
    records: await read.select().from(records),
    objects: await read.select().from(objects),
    shares: await read.select().from(shares),
    shareRecords: await read.select().from(shareRecords)
  }
}

t.test('while the log cannot be written nothing is done and nothing is told', async t => {
  const exchange = await startExchange(t)
  const { caseId, record, share, path } = await sharedRecord(exchange, [SMALL])
  const clinician = exchange.client('clinician')
  const specialist = exchange.client('specialistGb')
  const auditor = exchange.client('auditor')
  const second = await shareRecords(exchange, caseId, [record.id])
  await auditor.token()
  const before = await state(exchange)
  const fault = breakLog(exchange, () => true)

  const identifier = { system: 'https://fhir.nhs.uk/Id/nhs-number', value: '9990000018' }
  const patient = { identifier, name: 'Test', birthDate: '1970-01-01' }
  const specialistId = exchange.people.specialistGb.accountId
  const asked = [
    () => clinician.send('POST', '/v1/cases', { patient, question: 'x' }),
    () => clinician.send('GET', '/v1/cases'),
    () => clinician.send('POST', '/v1/cases/search', { identifier }),
    () => clinician.send('GET', `/v1/cases/${caseId}`),
    () => clinician.send('POST', `/v1/cases/${caseId}/records`, recordForm({ files: [SMALL] })),
    () => clinician.send('GET', `/v1/cases/${caseId}/records`),
    () => clinician.send('GET', `/v1/records/${record.id}`),
    () => clinician.send('GET', `/v1/records/${record.id}/content`),
    () =>
      clinician.send('POST', `/v1/cases/${caseId}/shares`, {
        specialist: specialistId,
        records: [record.id],
        purpose: 'x'
      }),
    () => clinician.send('GET', '/v1/shares'),
    () => clinician.send('DELETE', `/v1/shares/${share.id}`),
    () => clinician.send('GET', '/v1/specialists'),
    () => clinician.send('GET', '/v1/account'),
    () => sendLink(specialist, second.link),
    () => specialist.send('GET', `/v1/shares/${share.id}`),
    () => specialist.send('GET', path),
    () => specialist.send('GET', path, undefined, { range: 'bytes=0-9' }),
    () => specialist.send('GET', `/v1/shares/${second.id}`),
    () => auditor.send('GET', '/v1/audit/events'),
    () => auditor.send('POST', '/v1/audit/events/search', { patient: identifier }),
    () => auditor.send('GET', '/v1/audit/events/export'),
    () => auditor.send('POST', '/v1/audit/events/export', { format: 'csv' }),
    () => exchange.client().send('GET', '/v1/cases')
  ]
  for (const [index, ask] of asked.entries()) {
    const answer = await ask()
    t.equal(answer.status, 503, `request ${index + 1}`)
    t.match(answer.json.code, /^(audit|storage)-unavailable$/)
    t.notMatch(answer.text, /0000000000|QUILLFEATHER|City Hospital/, 'and nothing is in the answer')
  }
  const token = exchange.client('otherClinician').token()
  await t.rejects(token, /No token: 503/, 'not even a token is given')
  t.ok(fault.struck() > asked.length)
  t.same(await state(exchange), before, 'nothing has changed')

  fault.mend()
  t.equal((await specialist.send('GET', path)).status, 200, 'once it can be written, all is well')
})

t.test(
  'a second event that cannot be written stops all further disclosures until it is',
  async t => {
    const exchange = await startExchange(t)
    const { path, record } = await sharedRecord(exchange, [SMALL])
    const specialist = exchange.client('specialistGb')
    const clinician = exchange.client('clinician')
    const fault = breakLog(exchange, event => event.outcome === 'complete')
    t.equal((await specialist.send('GET', path)).status, 200, 'the first was granted')
    await eventually('its completion has failed', () =>
      exchange.exchange.disclosures.unwritten() === 1 ? true : undefined
    )

    const before = (await exchange.auditEventsNow({ outcome: 'granted' })).length
    for (const refused of [
      await specialist.send('GET', path),
      await clinician.send('GET', `/v1/records/${record.id}/content`)
    ]) {
      t.match(refused, { status: 503, json: { code: 'audit-unavailable' } })
    }
    t.equal((await exchange.auditEventsNow({ outcome: 'granted' })).length, before)
    await readiness(t, exchange, 503, 'completions are waiting')
    const others = (await exchange.auditEventsNow()).length
    t.match(
      await clinician.send('GET', '/v1/cases'),
      { status: 503, json: { code: 'audit-unavailable' } },
      'and nothing else goes on either'
    )
    t.equal(
      (await exchange.auditEventsNow()).length,
      others,
      'nor is it written on a log in trouble'
    )

    fault.mend()
    await eventually('it is tried again', () =>
      exchange.exchange.disclosures.unwritten() === 0 ? true : undefined
    )
    await readiness(t, exchange, 200, 'ok')
    t.equal((await specialist.send('GET', path)).status, 200)
    const events = await exchange.auditEvents({ action: 'content.read', code: null })
    const grants = events.filter(event => event.outcome === 'granted')
    t.equal(grants.length, 2)
    for (const { id } of grants) {
      t.equal(
        events.filter(event => event.grantId === id && event.outcome === 'complete').length,
        1
      )
    }
  }
)

t.test('a completion that was stored although its commit seemed to fail is there once', async t => {
  const exchange = await startExchange(t)
  const { path } = await sharedRecord(exchange, [SMALL])
  const { database } = exchange.exchange
  const write = database.write
  let struck = false
  await exchange.client('specialistGb').token()
  const breakNext = { completion: false }
  const append = exchange.exchange.audit.append
  exchange.exchange.audit.append = async (tx, event) => {
    breakNext.completion = event.outcome === 'complete'
    return append(tx, event)
  }
  database.write = async work => {
    const result = await write(work)
    if (!breakNext.completion || struck) return result
    struck = true
    throw new Refusal('storage-unavailable', 'fault test: stored all the same')
  }
  await exchange.client('specialistGb').send('GET', path)
  await eventually('the fault has struck', () => (struck ? true : undefined))
  await eventually('it is tried again', () =>
    exchange.exchange.disclosures.unwritten() === 0 ? true : undefined
  )
  database.write = write
  const events = await exchange.auditEvents({ action: 'content.read' })
  t.same(
    events.map(event => event.outcome),
    ['granted', 'complete']
  )
})

async function readiness(t: Test, exchange: TestExchange, status: number, log: string) {
  const answer = await exchange.client().send('GET', '/readyz')
  t.match(answer, { status, json: { checks: { log } } })
  const metrics = await exchange.client().send('GET', '/metrics')
  t.match(metrics.text, new RegExp(`consilium_unwritten_completions ${status === 200 ? 0 : 1}\n`))
}
