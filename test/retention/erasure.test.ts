import { createLocalJWKSet, type JSONWebKeySet, jwtVerify } from 'jose'
import t from 'tap'
import type { ErasureReceipt, RetentionView } from '../../schemas/retention.ts'
import { removeOrphans } from '../../src/housekeeping/clean-up.ts'
import {
  createCase,
  isSound,
  numberedText,
  PATIENT_NAME,
  sendLink,
  sendRecord,
  sha256,
  sharedRecord,
  startExchange,
  uploadRecord
} from '../helpers/exchange.ts'
import { madeScan } from '../helpers/made-dicom.ts'
import { blobNames, erase, giveOpinion, ORDER } from './stage.ts'

t.test('a case that is erased on request', async t => {
  const x = await startExchange(t)
  const clinician = x.client('clinician')
  const administrator = x.client('administrator')
  const auditor = x.client('auditor')
  const file = numberedText(40_000)
  const { caseId, record, share, path } = await sharedRecord(x, [file, numberedText(10, 'b.txt')])
  t.equal((await x.client('specialistGb').send('GET', path)).status, 200)
  const before = await blobNames(x)
  t.equal(before.length, 2)

  const erasure = await erase(x, caseId)
  t.match(erasure, { scope: 'case', ground: 'request', records: 1, objects: 2, bytes: 40_010 })
  t.match(erasure.files, { state: 'removed', kept: 0 })
  t.same(
    erasure.stayed.map(({ what }) => what),
    ['audit'],
    'nobody has answered, so only the log stays'
  )
  t.same(await blobNames(x), [], 'no file is left')

  await t.test('nothing of it can be read any more', async t => {
    const gone = (code: string) => ({ status: 410, json: { code } })
    t.match(await clinician.send('GET', `/v1/records/${record.id}`), gone('record-erased'))
    t.match(await clinician.send('GET', `/v1/records/${record.id}/content`), gone('record-erased'))
    const head = await clinician.send('HEAD', `/v1/records/${record.id}/content`)
    t.equal(head.status, 410)
    t.match(await clinician.send('GET', `/v1/cases/${caseId}`), gone('case-erased'))
    t.match(await clinician.send('GET', `/v1/cases/${caseId}/request`), gone('case-erased'))
    const specialist = x.client('specialistGb')
    const shares = `/v1/shares/${share.id}`
    for (const answer of [
      await specialist.send('GET', path),
      await specialist.send('GET', shares),
      await specialist.send('GET', `${shares}/opinion`),
      await specialist.send('GET', `${shares}/messages`),
      await specialist.send('GET', `${shares}/more-time`),
      await specialist.send('POST', `${shares}/more-time`, { words: 'A day more' }),
      await sendLink(specialist, share.link)
    ]) {
      t.match(answer, gone('share-case-gone'))
      t.match(answer.json.detail, /^Nothing is expected of you/)
      t.notMatch(answer.text, /eras|receipt/i, 'and nothing more')
    }
    t.match(await x.client('specialistUs').send('GET', shares), {
      status: 404,
      json: { code: 'share-not-found' }
    })
    const other = x.client('otherClinician')
    t.match(await other.send('GET', `/v1/records/${record.id}`), {
      status: 404,
      json: { code: 'record-not-found' }
    })
    const { cases } = await clinician.json<{ cases: unknown[] }>('GET', '/v1/cases')
    t.same(cases, [], 'it is on no list of cases')
    const sent = await clinician.json<{ shares: { id: string }[] }>('GET', '/v1/shares')
    t.match(sent.shares, [{ id: share.id, state: 'revoked' }])
    const { records, erased } = await clinician.json<{ records: unknown[]; erased: unknown[] }>(
      'GET',
      `/v1/cases/${caseId}/records`
    )
    t.same(records, [])
    t.match(erased, [{ id: record.id, objectCount: 2, bytes: 40_010, erasure: erasure.id }])
    const again = await administrator.send('POST', `/v1/cases/${caseId}/erasure`, ORDER)
    t.match(again, gone('case-erased'))
  })

  await t.test('the receipt proves it', async t => {
    const got = await auditor.json<ErasureReceipt>('GET', `/v1/erasures/${erasure.id}`)
    const jwks = await clinician.json<JSONWebKeySet>('GET', '/.well-known/jwks.json')
    const { payload } = await jwtVerify(got.receipt, createLocalJWKSet(jwks), {
      algorithms: ['EdDSA'],
      typ: 'consilium-erasure+jws',
      issuer: x.exchange.publicUrl
    })
    t.equal(payload.jti, erasure.id)
    t.match(payload.records, [
      { id: record.id, objects: [{ sha256: sha256(file.bytes), bytes: 40_000 }, { bytes: 10 }] }
    ])
    t.equal(payload.orderedBy, x.people.administrator.accountId)
    t.match(got.proof, /^c2sp.org\/tlog-proof@v1\n/)
    t.notMatch(JSON.stringify(got), ORDER.reason)
    const proof = await x.client().send('GET', `/v1/audit/events/${erasure.event}/proof`)
    t.equal(proof.status, 200)
    const [event] = await x.auditEvents({ action: 'case.erase', caseId })
    t.match(event, { id: erasure.event, actorId: x.people.administrator.accountId })
    t.equal(event?.details.manifest, erasure.manifest)
    t.equal(event?.patientRef, null)
    const told = (await x.auditEvents({ caseId })).map(({ action }) => action)
    const first = told.indexOf('share.revoke')
    const whole = ['share.revoke', 'case.close', 'case.erase', 'erasure.files']
    t.same(told.slice(first, first + 4), whole, 'each step is an event, in its order')
  })

  await t.test('the patient is still told who saw the records', async t => {
    const asked = { case: caseId, format: 'json' }
    const report = await auditor.json<Record<string, unknown>>('POST', '/v1/audit/reports', asked)
    t.match(report, {
      patients: [],
      erasedCases: [caseId],
      shares: [{ purpose: String, records: [{ id: record.id, erased: true }] }]
    })
    t.ok((report.disclosures as unknown[]).length >= 2)
    t.notMatch(JSON.stringify(report), PATIENT_NAME)
    const pdf = await auditor.send('POST', '/v1/audit/reports', {
      ...asked,
      format: 'pdf'
    })
    t.equal(pdf.status, 200)
  })

  await t.test('all of it is sound', async t => {
    t.equal(await removeOrphans(x.exchange, Date.now() + 60_000), 0)
    await isSound(t, x)
    const retention = await auditor.json<RetentionView>('GET', `/v1/cases/${caseId}/retention`)
    t.match(retention.parts, [{ what: 'audit', isDue: false }])
    t.match(retention.erasures, [{ id: erasure.id }])
  })
})

t.test('an erasure takes what is arriving with it', async t => {
  const x = await startExchange(t)
  const clinician = x.client('clinician')
  const { id } = await createCase(clinician)
  await uploadRecord(clinician, id, { files: [numberedText(10)] })
  const fields = { kind: 'other', title: 'On its way', date: '2026-11-01' }
  const draft = await clinician.json<{ id: string }>('POST', `/v1/cases/${id}/drafts`, fields)
  await erase(x, id)
  const gone = { status: 410, json: { code: 'case-erased' } }
  t.match(await clinician.send('GET', `/v1/drafts/${draft.id}`), { status: 404 })
  t.match(await clinician.send('POST', `/v1/cases/${id}/drafts`, fields), gone)
  t.match(await sendRecord(clinician, id, { files: [numberedText(10)] }), gone)
})

t.test('copies that were made for a share go with the records', async t => {
  const x = await startExchange(t)
  const file = { name: 'scan.dcm', bytes: madeScan() }
  const { caseId } = await sharedRecord(x, [file], {
    pseudonymise: true,
    question: 'Is it safe?',
    purpose: 'A second opinion'
  })
  t.equal((await blobNames(x)).length, 2)
  t.match(await erase(x, caseId), { records: 1, copies: 1 })
  t.same(await blobNames(x), [])
  await isSound(t, x)
})

t.test('what has an opinion loses its copies alone', async t => {
  const x = await startExchange(t)
  const { caseId, record } = await sharedRecord(x, [numberedText(10)])
  await giveOpinion(x, caseId)
  const { scope, stayed } = await erase(x, caseId)
  t.equal(scope, 'copies')
  t.same(
    stayed.map(({ what }) => what),
    ['opinion', 'request', 'audit']
  )
  t.match(stayed[0], { until: String, why: /8 years/ })
  const clinician = x.client('clinician')
  t.match(await clinician.send('GET', `/v1/records/${record.id}`), { status: 410 })
  t.match(await clinician.send('GET', `/v1/cases/${caseId}`), {
    status: 200,
    json: { patient: { name: PATIENT_NAME }, state: 'closed' }
  })
  t.match(await clinician.send('GET', `/v1/cases/${caseId}/checklist`), { status: 200 })
  t.match(await x.client('administrator').send('POST', `/v1/cases/${caseId}/erasure`, ORDER), {
    status: 409,
    json: { code: 'nothing-to-erase' }
  })
  await isSound(t, x)
})

t.test('a reader of an erased record is cut off', async t => {
  const x = await startExchange(t, { limits: { cutMillisecondsMax: 20 } })
  const clinician = x.client('clinician')
  const { id } = await createCase(clinician)
  const record = await uploadRecord(clinician, id, { files: [numberedText(30_000_000)] })
  const call = await x.raw('clinician', `GET /v1/records/${record.id}/content`)
  await call.head()
  await erase(x, id)
  const rest = await call.rest()
  t.ok(rest.length < 30_000_000, 'before its end')
  t.match(await x.auditEvents({ action: 'content.read', recordId: record.id }), [
    { outcome: 'granted' },
    { outcome: 'revoked' }
  ])
})

t.test('a reason that is stated while its record is erased comes too late', async t => {
  const x = await startExchange(t)
  const clinician = x.client('clinician')
  const { id: caseId } = await createCase(clinician)
  const somebody = madeScan({ name: 'SMITH^John', birthDate: '19500102' })
  const files = [{ name: 'a.dcm', bytes: somebody }]
  const { id, patientMatch } = await uploadRecord(clinician, caseId, { files })
  t.equal(patientMatch, 'mismatch')
  // Given: a clinician whose record is erased between their look at it and what they write.
  const { keyring } = x.exchange
  const unwrap = keyring.unwrap.bind(keyring)
  keyring.unwrap = async (...asked) => {
    keyring.unwrap = unwrap
    const key = await unwrap(...asked)
    await erase(x, caseId)
    return key
  }
  // When they state why it may be shared all the same, then they are told that it is gone.
  const path = `/v1/records/${id}/patient-confirmation`
  t.match(await clinician.send('POST', path, { reason: 'She was renamed in May.' }), {
    status: 410,
    json: { code: 'record-erased' }
  })
  const { read } = x.exchange.database
  const rows = await read.select().from(read.tables.records)
  t.match(rows, [{ id, patientReasonSealed: null, patientConfirmedAt: null }])
  await isSound(t, x)
})
