import t from 'tap'
import { toAuditEvent } from '../../../src/audit/fhir/audit-event.ts'
import type { AuditEventResource } from '../../../src/fhir/r4.ts'
import {
  NHS_NUMBER,
  NHS_SYSTEM,
  PATIENT_NAME,
  QUESTION,
  startExchange
} from '../../helpers/exchange.ts'
import { type LogPage, liveliness, PATIENTS } from '../scene.ts'
import { breachesOf } from './balp.ts'
import { faultsIn } from './r4.ts'
import { everyPage, FHIR, resourcesIn, searchByPost } from './scene.ts'

const shortProfile = ({ meta }: AuditEventResource) =>
  meta.profile?.[0]?.split('IHE.BasicAudit.')[1]

t.test('every event of a lively exchange is valid R4 and BALP, and names no patient', async t => {
  const exchange = await startExchange(t)
  const { first } = await liveliness(exchange)
  const clinician = exchange.client('clinician')
  for (const path of [
    `/v1/cases/${first.caseId}`,
    `/v1/cases/${first.caseId}/records`,
    `/v1/records/${first.record.id}`,
    `/v1/records/${first.record.id}/content`,
    `/v1/shares?case=${first.caseId}`,
    '/v1/cases',
    '/v1/specialists'
  ]) {
    await clinician.send('GET', path)
  }
  const identifier = { system: NHS_SYSTEM, value: NHS_NUMBER }
  await clinician.send('POST', '/v1/cases/search', { identifier })
  await clinician.json('DELETE', `/v1/shares/${first.share.id}`)
  await exchange.client('specialistGb').send('GET', `/v1/shares/${first.share.id}`)
  await exchange.client('auditor').send('GET', '/v1/audit/events')
  await exchange.client('auditor').send('GET', '/v1/audit/events/export')
  await exchange.auditEvents()

  const answer = await searchByPost(exchange, '_count=15')
  t.equal(answer.headers.get('content-type'), FHIR)
  t.equal(answer.headers.get('cache-control'), 'no-store')
  const pages = await everyPage(exchange, answer)
  t.ok(pages.length > 1)
  for (const page of pages) t.same(faultsIn(page), [], 'the page is valid R4')
  const resources = resourcesIn(pages)
  const byAction = new Map<string, Set<string | undefined>>()
  for (const resource of resources) {
    const name = `${resource.subtype.at(-1)?.code} ${resource.outcomeDesc}`
    t.same(faultsIn(resource), [], `${name}: R4`)
    t.same(breachesOf(resource), [], `${name}: BALP`)
    byAction.set(name, (byAction.get(name) ?? new Set()).add(shortProfile(resource)))
  }
  t.match(Object.fromEntries([...byAction].map(([name, found]) => [name, [...found]])), {
    'case.create success': ['PatientCreate'],
    'record.create success': ['PatientCreate'],
    'share.create success': ['PatientCreate'],
    'share.revoke success': ['PatientUpdate'],
    'case.read success': ['PatientRead'],
    'record.read success': ['PatientRead'],
    'record.list success': ['PatientQuery'],
    'share.list success': ['PatientQuery'],
    'case.list success': [undefined],
    'case.search success': [undefined],
    'specialist.list success': ['Query'],
    'audit.export success': ['Query'],
    'audit.query success': ['Query'],
    'link.open success': ['PrivacyDisclosure.Source'],
    'link.open refused share-not-found': [undefined],
    'share.read refused share-revoked': [undefined],
    'token.issue success': [undefined],
    'account.create success': [undefined]
  })
  t.same(
    [...(byAction.get('content.read complete') ?? [])].sort(),
    ['PatientRead', 'PrivacyDisclosure.Source'],
    'the owner reads, the specialist is shown'
  )
  const text = JSON.stringify(pages)
  for (const secret of [...PATIENTS, PATIENT_NAME, QUESTION]) t.notOk(text.includes(secret), secret)

  // It is the log that the auditor reads elsewhere, event by event.
  const { events }: LogPage = await exchange
    .client('auditor')
    .json('GET', `/v1/audit/events?limit=200&to=${resources[0]?.recorded}`)
  const same = events.map(({ id }) => id)
  t.same(
    resources.map(({ id }) => id).filter(id => !same.includes(id)),
    resources.filter(({ recorded }) => recorded === resources[0]?.recorded).map(({ id }) => id)
  )
  t.ok(events.every(({ id }) => resources.some(resource => resource.id === id)))
})

t.test('one event is read by its id, by its own auditor only', async t => {
  const exchange = await startExchange(t)
  const { first } = await liveliness(exchange)
  const [event] = await exchange.auditEvents({ action: 'case.create', caseId: first.caseId })
  const path = `/fhir/AuditEvent/${event?.id}`
  for (const who of ['auditor', 'otherAuditor'] as const) await exchange.client(who).token()
  const own = await exchange.eventsOf(() => exchange.client('auditor').send('GET', path))
  t.match(own.result, { status: 200, json: { resourceType: 'AuditEvent', id: event?.id } })
  t.match(own.events, [{ action: 'audit.query', outcome: 'success' }])
  t.same(own.events[0]?.details.asked, { event: event?.id })
  t.same(faultsIn(own.result.json as never), [])

  for (const [who, where] of [
    ['otherAuditor', path],
    ['auditor', '/fhir/AuditEvent/01930000-0000-7000-8000-000000000000']
  ] as const) {
    const { result, events } = await exchange.eventsOf(() =>
      exchange.client(who).send('GET', where)
    )
    t.match(result, {
      status: 404,
      json: { issue: [{ code: 'not-found', details: { coding: [{ code: 'event-not-found' }] } }] }
    })
    t.same(faultsIn(result.json as never), [], 'the refusal is valid R4')
    t.match(events, [{ action: 'audit.query', outcome: 'refused', code: 'event-not-found' }])
  }
})

t.test('refusals below /fhir are OperationOutcomes with the same codes', async t => {
  const exchange = await startExchange(t)
  const tried = [
    [undefined, 'GET', '/fhir/AuditEvent', 401, 'token-missing', 'login'],
    ['clinician', 'GET', '/fhir/AuditEvent', 403, 'role-refused', 'forbidden'],
    ['auditor', 'GET', '/fhir/Patient', 404, 'route-not-found', 'not-found'],
    ['auditor', 'DELETE', '/fhir/AuditEvent', 404, 'route-not-found', 'not-found'],
    ['auditor', 'GET', '/fhir/AuditEvent?_cursor=x', 400, 'cursor-invalid', 'invalid'],
    ['auditor', 'GET', '/fhir/AuditEvent/_history', 400, 'request-invalid', 'invalid']
  ] as const
  for (const [who, method, path, status, code, issue] of tried) {
    const answer = await exchange.client(who).send(method, path)
    t.equal(answer.status, status, path)
    t.equal(answer.headers.get('content-type'), FHIR)
    t.match(answer.json, { issue: [{ code: issue, details: { coding: [{ code }] } }] })
    t.same(faultsIn(answer.json as never), [])
  }
  const json = await exchange.client('auditor').send('POST', '/fhir/AuditEvent/_search', {})
  t.equal(json.status, 415, 'a search in JSON would lose its conditions')
})

t.test('the CapabilityStatement says what there is, to anybody', async t => {
  const exchange = await startExchange(t)
  const answer = await exchange.client().send('GET', '/fhir/metadata')
  t.equal(answer.headers.get('content-type'), FHIR)
  t.same(faultsIn(answer.json as never), [])
  t.match(answer.json, {
    fhirVersion: '4.0.1',
    rest: [{ resource: [{ type: 'AuditEvent', interaction: [{ code: 'read' }, {}] }] }]
  })
  const [resource] = (
    answer.json as { rest: { resource: { searchParam: { name: string }[] }[] }[] }
  ).rest[0]?.resource ?? [{ searchParam: [] }]
  for (const { name } of resource?.searchParam ?? []) {
    const asked = await searchByPost(exchange, [[name, 'x!']])
    t.notOk(asked.text.includes('is not a parameter'), `${name} is read`)
  }
})

t.test('events whose details were erased are told as far as they go', async t => {
  const resource = toAuditEvent(
    {
      id: '01930000-0000-7000-8000-000000000000',
      at: '2026-11-22T10:00:00.000Z',
      action: 'content.read',
      outcome: 'complete',
      case: '01930000-0000-7000-8000-000000000001',
      share: '01930000-0000-7000-8000-000000000002',
      details: {}
    },
    { publicUrl: 'https://consilium.example', organisations: new Map() }
  )
  t.same(faultsIn(resource), [])
  t.notOk(resource.meta.profile, 'nobody knows the client any more')
})
