import t from 'tap'
import {
  createCase,
  NHS_NUMBER,
  numberedText,
  QUESTION,
  shareRecords,
  startExchange,
  uploadRecord
} from '../helpers/exchange.ts'
import {
  completeCase,
  dayFrom,
  putRequest,
  type RequestView,
  readCase,
  tagOf,
  wholeRequest,
  writeRequest
} from '../helpers/request.ts'

const exchange = await startExchange(t)
const clinician = exchange.client('clinician')
const now = exchange.clock.now()

t.test('a request is kept whole, in one spelling, with its questions numbered', async t => {
  const { id: caseId } = await createCase(clinician)
  const letter = { kind: 'referral', files: [numberedText(80)] }
  const { id: referralLetter } = await uploadRecord(clinician, caseId, letter)
  const whole = wholeRequest(now, { referralLetter, diagnosis: '  Ada\u0308quat  ' })
  const answer = await putRequest(clinician, caseId, whole)
  t.match(answer, { status: 200, json: { version: 1, case: caseId } })
  t.equal(answer.headers.get('etag'), '"1"')
  const read = await exchange
    .client('colleague')
    .json<RequestView>('GET', `/v1/cases/${caseId}/request`)
  t.same(read, {
    ...whole,
    case: caseId,
    version: 1,
    checklistVersion: 1,
    condition: { text: 'Corncrake syndrome', snomed: '22298006', icd10: 'C71.2' },
    diagnosis: 'Ad\u00e4quat',
    questions: whole.questions.map(({ text }, place) => ({ number: place + 1, text })),
    changedAt: read.changedAt,
    changedBy: exchange.people.clinician.accountId,
    warnings: []
  })
  t.match(await readCase(clinician, caseId), { dueDate: whole.dueDate, state: 'draft' })
})

t.test('before it is written a request is the question of the case', async t => {
  const { id: caseId } = await createCase(clinician)
  t.same(await clinician.json('GET', `/v1/cases/${caseId}/request`), {
    case: caseId,
    version: 0,
    conditionGroup: 'general',
    checklistVersion: 1,
    questions: [{ number: 1, text: QUESTION }],
    warnings: []
  })
  t.equal(await tagOf(clinician, caseId, 'request'), '"0"')
})

t.test('a draft may leave out all that is not known yet', async t => {
  const { id: caseId } = await createCase(clinician)
  const draft = await writeRequest(clinician, caseId, { conditionGroup: 'cancer', questions: [] })
  t.match(draft, { version: 1, conditionGroup: 'cancer', questions: [] })
  t.same(
    draft.warnings.map(({ code }) => code),
    ['insurance-missing']
  )
})

t.test('each wrong field has its own code, and changes nothing', async t => {
  const { id: caseId } = await createCase(clinician)
  const { id: otherCase } = await createCase(clinician)
  const files = [numberedText(90)]
  const slide = await uploadRecord(clinician, caseId, { kind: 'scan', files })
  const elsewhere = await uploadRecord(clinician, otherCase, { kind: 'letter', files })
  const theirs = await uploadRecord(
    exchange.client('otherClinician'),
    (await createCase(exchange.client('otherClinician'))).id,
    { kind: 'letter', files }
  )
  await writeRequest(clinician, caseId, wholeRequest(now))
  const condition = { text: 'Corncrake syndrome' }
  const authorisation = {
    code: 'A-1',
    from: dayFrom(now, 0),
    until: dayFrom(now, 9),
    covers: ['tests']
  }
  const insurer = 'Shelduck Mutual'
  const insured = (change: object) => ({
    insurance: { insurer, authorisation: { ...authorisation, ...change } }
  })
  const table: [code: string, change: object][] = [
    ['snomed-code-invalid', { condition: { ...condition, snomed: '22298007' } }],
    ['icd-code-invalid', { condition: { ...condition, icd10: 'brain' } }],
    ['text-invalid', { condition: { text: '   ' } }],
    ['text-invalid', { diagnosis: '\u0007' }],
    ['text-invalid', { proposedTreatment: 'left \u202e right' }],
    ['text-invalid', { reason: ' ' }],
    ['text-invalid', { questions: [{ text: '\t' }] }],
    ['text-invalid', { referringClinician: { name: 'Dr Gull', organisation: ' ' } }],
    ['text-invalid', { insurance: { insurer: ' ' } }],
    ['due-date-past', { dueDate: dayFrom(now, -2) }],
    ['due-date-far', { dueDate: dayFrom(now, 800) }],
    ['question-number-unknown', { questions: [{ number: 7, text: 'Why seven?' }] }],
    [
      'question-number-twice',
      {
        questions: [
          { number: 1, text: 'One?' },
          { number: 1, text: 'And one?' }
        ]
      }
    ],
    ['referral-record-unfit', { referralLetter: slide.id }],
    ['record-not-in-case', { referralLetter: elsewhere.id }],
    ['record-not-in-case', { referralLetter: theirs.id }],
    ['record-not-in-case', { referralLetter: caseId }],
    ['authorisation-code-invalid', insured({ code: '=cmd()' })],
    ['authorisation-code-invalid', insured({ code: ' - ' })],
    ['authorisation-dates-invalid', insured({ until: dayFrom(now, -1) })],
    ['request-invalid', insured({ until: '2027-02-30' })],
    ['request-invalid', insured({ covers: [] })],
    ['request-invalid', insured({ covers: ['everything'] })],
    ['request-invalid', { conditionGroup: 'dental' }],
    ['request-invalid', { conditionGroup: undefined }],
    ['request-invalid', { urgency: 'yesterday' }],
    ['request-invalid', { dueDate: '14/03/2027' }],
    ['request-invalid', { questions: undefined }],
    ['request-invalid', { questions: Array.from({ length: 21 }, () => ({ text: 'x' })) }],
    ['request-invalid', { questions: [{ text: 'x'.repeat(2001) }] }],
    ['request-invalid', { questions: [{ number: 0, text: 'x' }] }],
    ['request-invalid', { questions: [{ number: 1.5, text: 'x' }] }],
    ['request-invalid', { diagnosis: 'x'.repeat(10_001) }],
    ['request-invalid', { diagnosis: null }],
    ['request-invalid', { version: 3 }],
    ['request-invalid', { patient: { name: 'x' } }],
    ['request-invalid', { referralLetter: 'letter' }],
    ['request-invalid', { funding: 'lottery' }],
    ['request-invalid', { insurance: { policyReference: 'x' } }]
  ]
  for (const [code, change] of table) {
    const answer = await putRequest(clinician, caseId, { ...wholeRequest(now), ...change }, '"1"')
    t.equal(answer.json.code, code, JSON.stringify(change).slice(0, 70))
    t.equal(answer.headers.get('etag'), null)
  }
  t.equal(await tagOf(clinician, caseId, 'request'), '"1"', 'nothing was kept')
  const refused = await exchange.auditEvents({ action: 'request.write', outcome: 'refused' })
  t.equal(refused.length, table.length, 'and each is on the log')
  const city = exchange.people.clinician.organisationId
  t.equal(
    refused.filter(({ organisationId }) => organisationId !== city).length,
    1,
    'that somebody reached for their letter on the log of those whose it is'
  )
})

t.test('who has not seen the newest version does not write over it', async t => {
  const { id: caseId } = await createCase(clinician)
  const path = `/v1/cases/${caseId}/request`
  const whole = wholeRequest(now)
  const put = async (headers: Record<string, string>) => {
    const { status, json } = await clinician.send('PUT', path, whole, headers)
    return [status, json.code ?? json.version]
  }
  t.same(await put({}), [428, 'if-match-missing'])
  t.same(await put({ 'if-match': '' }), [428, 'if-match-missing'])
  t.same(await put({ 'if-match': '*' }), [428, 'if-match-missing'], 'any version is none')
  t.same(await put({ 'if-match': '0' }), [400, 'if-match-invalid'])
  t.same(await put({ 'if-match': '"0' }), [400, 'if-match-invalid'])
  t.same(await put({ 'if-match': 'W/"0"' }), [412, 'version-changed'], 'a weak one never matches')
  t.same(await put({ 'if-match': '"1"' }), [412, 'version-changed'])
  t.same(await put({ 'if-match': '"00"' }), [412, 'version-changed'])
  t.same(await put({ 'if-match': '"0"' }), [200, 1])
  t.same(await put({ 'if-match': '"0"' }), [412, 'version-changed'], 'once')
  t.same(await put({ 'if-match': '"7", "1"' }), [200, 2], 'one of several')
})

t.test('of many who write at once exactly one wins, and it is their text that stays', async t => {
  const { id: caseId } = await createCase(clinician)
  for (let version = 0; version < 3; version += 1) {
    const answers = await Promise.all(
      Array.from({ length: 8 }, (_, writer) =>
        putRequest(
          exchange.client(writer % 2 === 0 ? 'clinician' : 'colleague'),
          caseId,
          wholeRequest(now, { diagnosis: `By writer ${version}-${writer}` }),
          `"${version}"`
        )
      )
    )
    const won = answers.filter(({ status }) => status === 200)
    t.equal(won.length, 1, `version ${version + 1}`)
    t.ok(answers.every(({ status, json }) => status === 200 || json.code === 'version-changed'))
    const kept = await clinician.json<RequestView>('GET', `/v1/cases/${caseId}/request`)
    t.equal(kept.diagnosis, won[0]?.json.diagnosis)
  }
})

t.test('a number is given once and stays with its question', async t => {
  const { id: caseId } = await createCase(clinician)
  const write = async (questions: { number?: number; text: string }[]) =>
    (await writeRequest(clinician, caseId, wholeRequest(now, { questions }))).questions
  t.same(await write([{ text: 'A?' }, { text: 'B?' }]), [
    { number: 1, text: 'A?' },
    { number: 2, text: 'B?' }
  ])
  t.same(
    await write([{ text: 'C?' }, { number: 2, text: 'B, more precisely?' }]),
    [
      { number: 2, text: 'B, more precisely?' },
      { number: 3, text: 'C?' }
    ],
    'a question that is taken back leaves its number behind'
  )
  t.same(await write([]), [])
  t.same(await write([{ text: 'D?' }]), [{ number: 4, text: 'D?' }])
})

t.test('a question that was put to a specialist stays as it is', async t => {
  const { caseId, letterId } = await completeCase(clinician, now)
  const whole = wholeRequest(now)
  const [first, second] = whole.questions.map(({ text }, place) => ({ number: place + 1, text }))
  await shareRecords(exchange, caseId, [letterId])
  const put = async (questions: object[]) => {
    const answer = await putRequest(clinician, caseId, { ...whole, questions })
    return answer.json.code ?? 'done'
  }
  t.equal(await put([first ?? {}, { number: 2, text: 'Something else?' }]), 'question-shared')
  t.equal(await put([first ?? {}]), 'question-shared')
  t.equal(await put([first ?? {}, second ?? {}, { text: 'One more?' }]), 'done')
  t.equal(await put([first ?? {}, second ?? {}, { number: 3, text: 'Better put?' }]), 'done')
})

t.test('a due date that has passed may stay while the rest is corrected', async t => {
  const later = await startExchange(t)
  later.clock.set('2027-06-01T08:00:00Z')
  const client = later.client('clinician')
  const { id: caseId } = await createCase(client)
  const whole = wholeRequest(later.clock.now(), { dueDate: '2027-06-03', funding: 'nhs' })
  await writeRequest(client, caseId, whole)
  later.clock.set('2027-06-04T08:00:00Z')
  const { warnings } = await writeRequest(client, caseId, { ...whole, diagnosis: 'Corrected' })
  t.match(warnings, [{ code: 'overdue', detail: String }])
  const moved = await putRequest(client, caseId, { ...whole, dueDate: '2027-06-02' })
  t.equal(moved.json.code, 'due-date-past')
})

t.test('nothing of a patient is asked for or kept in a request', async t => {
  const { id: caseId } = await createCase(clinician)
  const patient = { identifier: { system: 'x:y', value: NHS_NUMBER } }
  const answer = await putRequest(clinician, caseId, { ...wholeRequest(now), patient })
  t.match(answer, { status: 400, json: { code: 'request-invalid' } })
  t.notOk(answer.text.includes(NHS_NUMBER))
})
