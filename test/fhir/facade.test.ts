import t from 'tap'
import type {
  Bundle,
  ConsentResource,
  DiagnosticReportResource,
  DocumentReferenceResource,
  ServiceRequestResource
} from '../../src/fhir/r4.ts'
import { faultsIn } from '../audit/fhir/r4.ts'
import { agreed, agreedToTransfer, recordConsent, sendWithdrawal } from '../helpers/consent.ts'
import {
  createCase,
  NHS_NUMBER,
  NHS_SYSTEM,
  numberedText,
  PATIENT_NAME,
  type PersonName,
  startExchange,
  type TestExchange,
  uploadRecord
} from '../helpers/exchange.ts'
import { putRequest, readyCase, wholeRequest } from '../helpers/request.ts'
import { putDraft, submit, underReview, wholeOpinion } from '../opinions/scene.ts'

type Found = Bundle<DocumentReferenceResource>

const byPatient = (more: Record<string, string> = {}) =>
  new URLSearchParams({ 'patient.identifier': `${NHS_SYSTEM}|${NHS_NUMBER}`, ...more })

const search = (
  x: TestExchange,
  kind: string,
  form: URLSearchParams,
  who: PersonName = 'clinician'
) => x.client(who).send('POST', `/fhir/${kind}/_search`, form)

const idsIn = (bundle: unknown) =>
  ((bundle as Found).entry ?? []).map(({ resource }) => resource.id)

t.test('a case is a ServiceRequest, and its status follows where it stands', async t => {
  const x = await startExchange(t)
  const clinician = x.client('clinician')
  const { caseId, letterId } = await readyCase(clinician, x.clock.now())
  const read = () => clinician.json<ServiceRequestResource>('GET', `/fhir/ServiceRequest/${caseId}`)

  const drafted = await read()
  t.same(faultsIn(drafted), [], 'valid R4')
  t.equal(drafted.status, 'draft')
  t.match(drafted.subject, { identifier: { system: NHS_SYSTEM, value: NHS_NUMBER } })

  const asked = wholeRequest(x.clock.now(), { referralLetter: letterId })
  await putRequest(clinician, caseId, asked)
  await clinician.json('POST', `/v1/cases/${caseId}/complete`)
  const active = await read()
  t.same(faultsIn(active), [], 'valid R4')
  t.match(active, {
    status: 'active',
    intent: 'order',
    priority: 'urgent',
    occurrencePeriod: { end: asked.dueDate },
    reasonCode: [
      { text: asked.condition?.text, coding: [{ code: '22298006' }, { code: 'C71.2' }] }
    ],
    supportingInfo: [{ reference: `DocumentReference/${letterId}` }],
    requester: { display: 'Dr Gull Refer, Estuary Practice' }
  })
  t.ok(
    active.note.some(
      ({ text }) => /^Question \d/.test(text) && text.endsWith(`: ${asked.questions[0]?.text}`)
    )
  )
  t.equal(active.insurance?.[1]?.identifier?.value, 'AUTH-4411-TEAL')

  await clinician.json('POST', `/v1/cases/${caseId}/close`, { reason: 'Answered by post' })
  t.equal((await read()).status, 'revoked', 'closed without an opinion')
})

t.test('a record is an MHD Minimal DocumentReference, whose address answers its bytes', async t => {
  const x = await startExchange(t)
  const clinician = x.client('clinician')
  const { id: caseId } = await createCase(clinician)
  const one = await uploadRecord(clinician, caseId, { files: [numberedText(300)] })
  const files = [numberedText(20), { ...numberedText(30), name: 'second.txt' }]
  const two = await uploadRecord(clinician, caseId, { kind: 'pathology-report', files })

  const form = new URLSearchParams({ related: `ServiceRequest/${caseId}`, status: 'current' })
  const page = await clinician.json<Found>('GET', `/fhir/DocumentReference?${form}`)
  t.same(idsIn(page), [two.id, one.id], 'newest first')
  t.same(faultsIn(page), [], 'the page is valid R4')
  for (const { resource } of page.entry ?? []) {
    t.same(faultsIn(resource), [], 'valid R4')
    t.equal(resource.content.length, 1, 'MHD: one content')
    t.notOk('docStatus' in resource || 'data' in resource.content[0].attachment, 'MHD')
    const { url, contentType, size } = resource.content[0].attachment
    const { pathname } = new URL(url)
    const fetched = await clinician.send('GET', pathname)
    t.equal(fetched.status, 200)
    t.equal(fetched.headers.get('content-type')?.split(';')[0], contentType.split(';')[0])
    if (size !== undefined) t.equal(fetched.bytes.length, size)
  }
  const alone = await clinician.json<DocumentReferenceResource>(
    'GET',
    `/fhir/DocumentReference/${two.id}`
  )
  t.match(alone, {
    type: { coding: [{ code: '11526-1' }] },
    content: [{ attachment: { contentType: 'application/zip' } }],
    context: { related: [{ reference: `ServiceRequest/${caseId}` }] }
  })
})

t.test('a consent says to whom its patient agreed, and ends when they withdraw it', async t => {
  const x = await startExchange(t)
  const clinician = x.client('clinician')
  const { id: caseId } = await createCase(clinician)
  const now = x.clock.now()
  const own = await recordConsent(clinician, caseId, agreed(now))
  const abroad = await recordConsent(clinician, caseId, agreedToTransfer(now, 'US'))
  const page = await clinician.json<Found>('GET', `/fhir/Consent?data=ServiceRequest/${caseId}`)
  t.same(faultsIn(page), [], 'the page is valid R4')
  t.same(idsIn(page), [abroad.id, own.id])
  for (const { resource } of page.entry ?? []) t.same(faultsIn(resource), [], 'valid R4')
  const byPatients = await search(x, 'Consent', byPatient())
  t.same(idsIn(byPatients.json), [abroad.id, own.id])
  t.equal((await clinician.send('GET', '/fhir/Consent')).status, 400)

  const read = () => clinician.json<ConsentResource>('GET', `/fhir/Consent/${abroad.id}`)
  t.match(await read(), {
    status: 'active',
    scope: { coding: [{ code: 'patient-privacy' }] },
    provision: { actor: [{ reference: { display: /\(US\)$/ } }] }
  })
  await sendWithdrawal(clinician, caseId, abroad.id)
  const ended = await read()
  t.same(faultsIn(ended), [], 'valid R4')
  t.equal(ended.status, 'inactive')
  t.ok(ended.provision.period.end)
  const other = await x.client('otherClinician').send('GET', `/fhir/Consent/${own.id}`)
  t.equal(other.status, 404)
})

t.test('an opinion is a DiagnosticReport, whose address answers its PDF', async t => {
  const x = await startExchange(t)
  const clinician = x.client('clinician')
  const specialist = x.client('specialistGb')
  const { caseId, share } = await underReview(x)
  const path = `/fhir/DiagnosticReport?based-on=ServiceRequest/${caseId}`
  await putDraft(specialist, share.id, wholeOpinion())
  t.same(idsIn(await clinician.json('GET', path)), [], 'a draft is its writer’s')
  t.equal((await submit(specialist, share.id)).status, 200)
  const request = await clinician.json<ServiceRequestResource>(
    'GET',
    `/fhir/ServiceRequest/${caseId}`
  )
  t.equal(request.status, 'completed')

  const page = await clinician.json<Bundle<DiagnosticReportResource>>('GET', path)
  const [report] = (page.entry ?? []).map(({ resource }) => resource)
  t.same(faultsIn(page), [], 'the page is valid R4')
  t.same(report && faultsIn(report), [], 'valid R4')
  t.match(report, {
    status: 'final',
    code: { coding: [{ code: '47040-1' }] },
    basedOn: [{ reference: `ServiceRequest/${caseId}` }],
    subject: { identifier: { value: NHS_NUMBER } },
    conclusion: /^Diagnosis: confirms\nPlan: refines\. Rest first/
  })
  const pdf = await clinician.send('GET', new URL(String(report?.presentedForm[0]?.url)).pathname)
  t.equal(pdf.bytes.subarray(0, 5).toString(), '%PDF-')
  const documents = `/fhir/DocumentReference?related=ServiceRequest/${caseId}`
  const [newest] = (await clinician.json<Found>('GET', documents)).entry ?? []
  t.equal(newest?.resource.type.coding?.[0]?.code, '47040-1', 'the PDF is among the records')

  await specialist.json('POST', `/v1/shares/${share.id}/opinion/addenda`, { text: 'Seen again.' })
  const again = await clinician.json('GET', `/fhir/DiagnosticReport/${report?.id}`)
  t.match(again, { status: 'appended' })
  t.same(idsIn((await search(x, 'DiagnosticReport', byPatient())).json), [report?.id])
})

t.test('searches by patient are pages that tell no link who they are', async t => {
  const x = await startExchange(t)
  const clinician = x.client('clinician')
  const cases: string[] = []
  const records: string[] = []
  for (let n = 0; n < 3; n += 1) {
    const { id } = await createCase(clinician)
    cases.unshift(id)
    records.unshift((await uploadRecord(clinician, id, { files: [numberedText(10 + n)] })).id)
  }
  for (const [kind, wanted] of [
    ['ServiceRequest', cases],
    ['DocumentReference', records]
  ] as const) {
    const seen: string[] = []
    let { json: page } = await search(x, kind, byPatient({ _count: '2' }))
    for (;;) {
      const { entry = [], link } = page as unknown as Found
      t.ok(entry.length <= 2, 'never more than was asked for')
      seen.push(...idsIn(page))
      const next = link.find(({ relation }) => relation === 'next')
      if (next === undefined) break
      t.notOk(next.url.includes(NHS_NUMBER) || next.url.includes(PATIENT_NAME), 'named in no link')
      const { pathname, search: query } = new URL(next.url)
      page = await clinician.json('GET', pathname + query)
    }
    t.same(seen, wanted, kind)
    const other = new URLSearchParams({ 'patient.identifier': `${NHS_SYSTEM}|9990000026` })
    t.same(idsIn((await search(x, kind, other)).json), [], 'another patient')
    const inUrl = await clinician.send('GET', `/fhir/${kind}?${byPatient()}`)
    t.match(inUrl, { status: 400, json: { resourceType: 'OperationOutcome' } })
    const foreign = await search(x, kind, byPatient(), 'otherClinician')
    t.same(idsIn(foreign.json), [], 'another organisation finds nothing')
  }
  const events = await x.auditEvents({ action: 'case.search' })
  t.ok(
    events.some(({ details }) => details?.fhir === true),
    'a search is on the log'
  )
})

t.test('of a case that was erased a search finds nothing', async t => {
  const x = await startExchange(t)
  const clinician = x.client('clinician')
  const { id } = await createCase(clinician)
  const reason = { reason: 'The patient asked' }
  const erasure = await x.client('administrator').send('POST', `/v1/cases/${id}/erasure`, reason)
  t.equal(erasure.status, 201)
  for (const path of [
    `ServiceRequest?_id=${id}`,
    'ServiceRequest',
    `DocumentReference?related=ServiceRequest/${id}`,
    `DiagnosticReport?based-on=ServiceRequest/${id}`,
    `Consent?data=ServiceRequest/${id}`
  ]) {
    t.same(idsIn(await clinician.json('GET', `/fhir/${path}`)), [], path)
  }
  t.equal((await clinician.send('GET', `/fhir/ServiceRequest/${id}`)).status, 410)
  t.equal((await clinician.send('POST', `/v1/cases/${id}/reopen`, reason)).status, 410)
})

t.test('what cannot be asked is refused, and what is not there is not found', async t => {
  const x = await startExchange(t)
  const clinician = x.client('clinician')
  const { id: caseId } = await createCase(clinician)
  const nothing = crypto.randomUUID()
  for (const [path, status] of [
    ['DocumentReference', 400],
    ['DocumentReference?related=Patient/1', 400],
    ['ServiceRequest?_count=0', 400],
    ['ServiceRequest?_cursor=abc', 400],
    ['ServiceRequest?_format=xml', 406],
    [`ServiceRequest/${nothing}`, 404],
    [`DocumentReference/${nothing}`, 404],
    [`DocumentReference/${caseId}`, 404],
    [`ServiceRequest?_id=${caseId}&constructor=1&__proto__=2&toString=3`, 200],
    [`ServiceRequest?_id=${caseId}`, 200],
    [`ServiceRequest?identifier=urn:consilium:case|${caseId}`, 200]
  ] as const) {
    const answer = await clinician.send('GET', `/fhir/${path}`)
    t.equal(answer.status, status, path)
    if (status !== 200) t.same(faultsIn(answer.json as { resourceType: string }), [], path)
    else t.same(idsIn(answer.json), [caseId], path)
  }
  for (const query of [
    `_id=${nothing}`,
    `_id=${caseId}&identifier=urn:consilium:case|${nothing}`
  ]) {
    t.same(idsIn((await clinician.send('GET', `/fhir/ServiceRequest?${query}`)).json), [], query)
  }
  t.same(
    faultsIn((await x.client().send('GET', '/fhir/metadata')).json as { resourceType: string }),
    [],
    'what this server says of itself is valid R4'
  )
})
