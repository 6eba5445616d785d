import t from 'tap'
import { type RequestDetails, type RequestRow, sharedPart } from '../../src/cases/request.ts'
import {
  numberedText,
  type OpenedShare,
  openShare,
  PURPOSE,
  type ShareView,
  shareRecords,
  startExchange,
  uploadRecord
} from '../helpers/exchange.ts'
import {
  completeCase,
  type RequestView,
  readCase,
  readyCase,
  wholeRequest,
  writeAnswers,
  writeRequest
} from '../helpers/request.ts'

const OVERRIDE = 'The tumour board sits tomorrow'

t.test('a specialist sees what is asked, and nothing of who pays or why', async t => {
  const exchange = await startExchange(t)
  const clinician = exchange.client('clinician')
  const now = exchange.clock.now()
  const { caseId, letterId } = await completeCase(clinician, now)
  const whole = await clinician.json<RequestView>('GET', `/v1/cases/${caseId}/request`)
  const share = await shareRecords(exchange, caseId, [letterId])
  const specialist = exchange.client('specialistGb')
  const opened = await openShare(specialist, share.link)
  const { dueAt } = await readCase(clinician, caseId)
  const { conditionGroup, condition, diagnosis, proposedTreatment, urgency, dueDate } = whole
  const expected = {
    version: 1,
    conditionGroup,
    condition,
    diagnosis,
    proposedTreatment,
    urgency,
    dueDate,
    dueAt,
    questions: whole.questions
  }
  t.same(opened.request, expected)
  const manifest = await specialist.send('GET', `/v1/shares/${share.id}`)
  t.same((manifest.json as unknown as OpenedShare).request, expected, 'and again later')
  const hidden = [
    'Shelduck Mutual',
    'POL-77-OSPREY',
    'AUTH-4411-TEAL',
    String(whole.reason),
    'Dr Gull Refer',
    'Estuary Practice'
  ]
  for (const word of hidden) {
    t.notOk(manifest.text.includes(word), word)
    t.notOk(JSON.stringify(opened).includes(word), word)
  }
  t.same(
    Object.keys(opened.patient ?? {}).sort(),
    ['birthDate', 'identifier', 'name'],
    'nor more of the patient than before'
  )
})

t.test('what is not shown is not in the share either', async t => {
  const request = wholeRequest(0) as unknown as RequestDetails
  const row = { version: 3, dueAt: 0 } as RequestRow
  t.same(Object.keys(sharedPart(row, request)).sort(), [
    'condition',
    'conditionGroup',
    'diagnosis',
    'dueAt',
    'dueDate',
    'proposedTreatment',
    'questions',
    'urgency',
    'version'
  ])
})

t.test('a share shows what was asked when it was made', async t => {
  const exchange = await startExchange(t)
  const clinician = exchange.client('clinician')
  const now = exchange.clock.now()
  const { caseId, letterId } = await completeCase(clinician, now)
  const first = await shareRecords(exchange, caseId, [letterId])
  const { questions } = await clinician.json<RequestView>('GET', `/v1/cases/${caseId}/request`)
  await writeRequest(
    clinician,
    caseId,
    wholeRequest(now, { diagnosis: 'Revised', questions: [...questions, { text: 'One more?' }] })
  )
  const second = await shareRecords(exchange, caseId, [letterId], { with: 'specialistIe' })
  const before = await openShare(exchange.client('specialistGb'), first.link)
  const after = await openShare(exchange.client('specialistIe'), second.link)
  t.match(before.request, { version: 1, diagnosis: wholeRequest(now).diagnosis })
  t.same(before.request?.questions, questions)
  t.match(after.request, { version: 2, diagnosis: 'Revised' })
  t.equal(after.request?.questions.length, 3)
  const { shares } = await clinician.json<{ shares: ShareView[] }>('GET', '/v1/shares')
  t.same(
    shares.map(share => share.requestVersion).sort(),
    [1, 2],
    'the sender sees which request each of them shows'
  )
})

t.test(
  'a case that is not complete is shared for a reason, which stays with the share',
  async t => {
    const exchange = await startExchange(t)
    const clinician = exchange.client('clinician')
    const now = exchange.clock.now()
    const { caseId, letterId } = await readyCase(clinician, now)
    const specialist = exchange.people.specialistGb.accountId
    const share = (more: object = {}) =>
      clinician.send('POST', `/v1/cases/${caseId}/shares`, {
        specialist,
        records: [letterId],
        purpose: PURPOSE,
        ...more
      })
    const unmarked = await share()
    t.match(unmarked, { status: 422, json: { code: 'case-incomplete' } })
    t.same(unmarked.json.problems, ['the case has not been marked complete'])
    await writeAnswers(clinician, caseId, [])
    const refused = await share()
    t.same(refused.json.problems, [
      'missing: treatment-so-far (Treatment so far)',
      'missing: medication (Current medication and allergies)',
      'missing: referral-letter (Referral letter)',
      'the case has not been marked complete'
    ])
    t.match(await share({ overrideReason: '  ' }), { status: 422, json: { code: 'text-invalid' } })
    t.match(await share({ overrideReason: '' }), { status: 400, json: { code: 'request-invalid' } })
    t.match(await readCase(clinician, caseId), { state: 'draft', sharesLive: 0 })

    const { result, events } = await exchange.eventsOf(() => share({ overrideReason: OVERRIDE }))
    t.equal(result.status, 201)
    const override = {
      reason: OVERRIDE,
      missing: ['treatment-so-far', 'medication', 'referral-letter']
    }
    t.match(events, [{ action: 'share.create', outcome: 'success', details: { override } }])
    const { shares } = await clinician.json<{ shares: ShareView[] }>('GET', '/v1/shares')
    t.same(shares[0]?.override, override)
    t.match(await readCase(clinician, caseId), { state: 'shared' })
    const opened = await openShare(exchange.client('specialistGb'), String(result.json.link))
    t.notOk(JSON.stringify(opened).includes(OVERRIDE), 'it is between the sender and the log')

    await t.rejects(clinician.json('POST', `/v1/cases/${caseId}/complete`), /case-incomplete/)
    const files = [numberedText(77)]
    const letter = await uploadRecord(clinician, caseId, { kind: 'letter', files })
    await writeAnswers(clinician, caseId, [
      { item: 'treatment-so-far', status: 'present', note: 'None yet' },
      { item: 'medication', status: 'present', records: [letter.id] },
      { item: 'referral-letter', status: 'present', records: [letter.id] }
    ])
    const completed = await clinician.json('POST', `/v1/cases/${caseId}/complete`)
    t.match(completed, { state: 'shared', completeAt: String }, 'completed while it is shared')
  }
)

t.test('what has gone missing since counts at the next share', async t => {
  const exchange = await startExchange(t)
  const clinician = exchange.client('clinician')
  const { caseId, letterId } = await completeCase(clinician, exchange.clock.now())
  await shareRecords(exchange, caseId, [letterId])
  await writeAnswers(clinician, caseId, [])
  await t.rejects(shareRecords(exchange, caseId, [letterId]), /case-incomplete/)
  await shareRecords(exchange, caseId, [letterId], { overrideReason: OVERRIDE })
  t.match(await readCase(clinician, caseId), { state: 'shared', sharesLive: 2 })
})
