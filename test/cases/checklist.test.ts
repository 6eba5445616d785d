import t from 'tap'
import { recordKinds } from '../../schemas/record.ts'
import { conditionGroups } from '../../schemas/request.ts'
import { itemsOf, newestChecklist, readChecklists } from '../../src/cases/checklists.ts'
import { endCases } from '../../src/retention/end-cases.ts'
import {
  createCase,
  numberedText,
  sha256,
  shareRecords,
  startExchange,
  uploadRecord
} from '../helpers/exchange.ts'
import {
  answersBy,
  type ChecklistView,
  completeCase,
  dayFrom,
  putAnswers,
  readCase,
  readyCase,
  tagOf,
  wholeRequest,
  writeAnswers,
  writeRequest
} from '../helpers/request.ts'

/** What a reviewer needs, whatever the condition. */
const items = [
  'imaging',
  'imaging-report',
  'pathology-report',
  'slides-or-blocks',
  'blood-results',
  'treatment-so-far',
  'medication',
  'referral-letter'
]

const exchange = await startExchange(t)
const clinician = exchange.client('clinician')
const now = exchange.clock.now()
const path = (caseId: string) => `/v1/cases/${caseId}/checklist`
const read = (caseId: string) => clinician.json<ChecklistView>('GET', path(caseId))

t.test('every group has a list of all that a reviewer needs', async t => {
  for (const group of conditionGroups) {
    const list = itemsOf(newestChecklist(group))
    t.same(
      list.map(({ id }) => id),
      items,
      group
    )
    t.ok(
      list.some(({ required }) => required),
      'something is required'
    )
    for (const { kinds } of list) t.ok(kinds.every(kind => recordKinds.includes(kind)))
  }
  const required = (group: 'cancer' | 'general') =>
    itemsOf(newestChecklist(group)).filter(item => item.required).length
  t.ok(required('cancer') > required('general'), 'and one of its own')
})

t.test('a list that is not as it must be stops the start', async t => {
  const item = { id: 'imaging', label: 'Imaging', required: true, kinds: ['scan'] }
  const list = (change: object, of: object[] = [item]) => ({
    group: 'cancer',
    owner: 'x',
    versions: [{ version: 1, asOf: '2027-01-01', items: of, ...change }]
  })
  t.ok(readChecklists(list({})))
  for (const [label, file] of Object.entries({
    'no items': list({}, []),
    'an item twice': list({}, [item, item]),
    'a kind that is none': list({}, [{ ...item, kinds: ['x-ray'] }]),
    'versions that do not count': list({ version: 2 }),
    'a group that is none': { ...list({}), group: 'dental' },
    'something else': list({ more: true })
  })) {
    t.throws(() => readChecklists(file), label)
  }
  t.throws(() => itemsOf({ group: 'cancer', version: 99 }), /this release lacks/)
})

t.test('a case is complete when nothing required is missing, and not before', async t => {
  const { id: caseId } = await createCase(clinician)
  const complete = () => clinician.send('POST', `/v1/cases/${caseId}/complete`)
  const missing = async () => {
    const answer = await complete()
    t.match(answer, { status: 422, json: { code: 'case-incomplete' } })
    t.same((await read(caseId)).missing, (answer.json.problems as string[]).map(idOf))
    return (await read(caseId)).missing
  }
  const idOf = (problem: string) => /^missing: (\S+)/.exec(problem)?.[1]
  const required = ['treatment-so-far', 'medication', 'referral-letter']
  t.same(await missing(), [...required, 'request'])
  t.match(await read(caseId), { enforced: false, version: 0, conditionGroup: 'general' })

  await writeRequest(clinician, caseId, { conditionGroup: 'general', questions: [] })
  const fields = ['condition', 'diagnosis', 'proposedTreatment', 'reason', 'urgency', 'dueDate']
  t.same(await missing(), [
    ...required,
    ...[...fields, 'referringClinician', 'questions'].map(name => `request.${name}`)
  ])
  await writeRequest(clinician, caseId, wholeRequest(now))
  t.same(await missing(), required)
  const files = [numberedText(70)]
  const { id: letter } = await uploadRecord(clinician, caseId, { kind: 'letter', files })
  await writeAnswers(clinician, caseId, answersBy(letter).slice(0, 2))
  t.same(await missing(), ['referral-letter'])
  const view = await writeAnswers(clinician, caseId, answersBy(letter))
  t.match(view, { version: 2, missing: [], enforced: true, checklistVersion: 1 })
  t.equal((await complete()).status, 200)
})

t.test('each wrong answer has its own code', async t => {
  const { caseId, letterId } = await readyCase(clinician, now)
  const other = await readyCase(clinician, now)
  const version = await tagOf(clinician, caseId, 'checklist')
  const present = { item: 'medication', status: 'present' }
  const table: [code: string, answers: object[]][] = [
    ['checklist-item-unknown', [{ item: 'horoscope', status: 'missing' }]],
    ['checklist-item-twice', [1, 2].map(() => ({ item: 'imaging', status: 'missing' }))],
    ['checklist-records-missing', [{ item: 'referral-letter', status: 'present', note: 'Seen' }]],
    ['checklist-records-missing', [present]],
    ['checklist-reason-missing', [{ item: 'imaging', status: 'not-applicable' }]],
    ['checklist-answer-mixed', [{ item: 'imaging', status: 'missing', records: [letterId] }]],
    ['checklist-answer-mixed', [{ item: 'imaging', status: 'missing', reason: 'x' }]],
    ['checklist-answer-mixed', [{ ...present, records: [letterId], reason: 'x' }]],
    ['checklist-answer-mixed', [{ item: 'imaging', status: 'not-applicable', note: 'x' }]],
    ['checklist-record-unfit', [{ item: 'imaging', status: 'present', records: [letterId] }]],
    ['record-not-in-case', [{ ...present, records: [other.letterId] }]],
    ['record-not-in-case', [{ ...present, records: [caseId] }]],
    ['text-invalid', [{ ...present, note: ' ' }]],
    ['text-invalid', [{ item: 'imaging', status: 'not-applicable', reason: '\u0000' }]],
    ['request-invalid', [{ item: 'imaging', status: 'perhaps' }]],
    ['request-invalid', [{ item: 'imaging' }]],
    ['request-invalid', [{ ...present, records: [] }]],
    ['request-invalid', [{ ...present, records: [letterId, letterId] }]],
    ['request-invalid', [{ ...present, records: ['letter'] }]],
    ['request-invalid', [{ ...present, note: 'x'.repeat(1001) }]],
    ['request-invalid', [{ ...present, who: 'me' }]]
  ]
  for (const [code, answers] of table) {
    const answer = await putAnswers(clinician, caseId, answers as never, version)
    t.equal(answer.json.code, code, JSON.stringify(answers).slice(0, 80))
  }
  t.equal(await tagOf(clinician, caseId, 'checklist'), version, 'nothing was kept')
  const missing = await clinician.send('PUT', path(caseId), { answers: [] })
  t.match(missing, { status: 428, json: { code: 'if-match-missing' } })
})

t.test('of many who answer at once exactly one wins', async t => {
  const { caseId, letterId } = await readyCase(clinician, now)
  const answers = await Promise.all(
    Array.from({ length: 8 }, () => putAnswers(clinician, caseId, answersBy(letterId), '"1"'))
  )
  t.equal(answers.filter(({ status }) => status === 200).length, 1)
  t.equal(answers.filter(({ json }) => json.code === 'version-changed').length, 7)
})

t.test('what is too old for the condition is flagged, to the day, and stops nothing', async t => {
  const later = await startExchange(t)
  later.clock.set('2027-06-01T08:00:00Z')
  const client = later.client('clinician')
  const { id: caseId } = await createCase(client)
  await writeRequest(client, caseId, wholeRequest(later.clock.now(), { conditionGroup: 'cancer' }))
  // The list allows blood results of the last 28 days.
  const upload = async (date: string) => {
    const files = [numberedText(100 + Number(date.slice(-2)))]
    return (await uploadRecord(client, caseId, { kind: 'lab-result', date, files })).id
  }
  const [fresh, old] = [await upload('2027-05-04'), await upload('2027-05-03')]
  const view = await writeAnswers(client, caseId, [
    { item: 'blood-results', status: 'present', records: [fresh, old] }
  ])
  const blood = view.items.find(({ id }) => id === 'blood-results')
  t.same(blood?.records, [
    { id: fresh, date: '2027-05-04', stale: false },
    { id: old, date: '2027-05-03', stale: true }
  ])
  t.same(view.stale, ['blood-results'])
  t.notOk(view.missing.includes('blood-results'), 'it is there all the same')
  // In London the day changes an hour before it does in UTC.
  for (const [at, isStale] of [
    ['2027-06-01T22:59:59.999Z', false],
    ['2027-06-01T23:00:00.000Z', true]
  ] as const) {
    later.clock.set(at)
    const { items } = await client.json<ChecklistView>('GET', path(caseId))
    t.equal(items.find(({ id }) => id === 'blood-results')?.records[0]?.stale, isStale, at)
  }
})

t.test('files that are there twice are flagged', async t => {
  const { id: caseId } = await createCase(clinician)
  const [twice, once] = [numberedText(3000), numberedText(4000)]
  const first = await uploadRecord(clinician, caseId, { kind: 'scan', files: [twice, once] })
  const second = await uploadRecord(clinician, caseId, { kind: 'other', files: [twice] })
  const elsewhere = await createCase(clinician)
  await uploadRecord(clinician, elsewhere.id, { files: [once] })
  t.same((await read(caseId)).duplicates, [
    {
      sha256: sha256(twice.bytes),
      objects: [
        { record: first.id, object: first.objects[0]?.id },
        { record: second.id, object: second.objects[0]?.id }
      ]
    }
  ])
})

t.test('the copy of a file that one share has is no duplicate of it', async t => {
  // Given a letter that went as it is with a pseudonymised share
  const { id: caseId } = await createCase(clinician)
  const letter = await uploadRecord(clinician, caseId, { files: [numberedText(700)] })
  const allowAsIs = { records: [letter.id], reason: 'It names nobody' }
  await shareRecords(exchange, caseId, [letter.id], { pseudonymise: true, allowAsIs })

  // When the checklist of its case is read
  const { duplicates } = await read(caseId)

  // Then it is there once: of copies nobody of the organisation knows anything
  t.same(duplicates, [])
})

t.test('complete is said once: what comes later shows, and does not undo it', async t => {
  const { caseId, letterId } = await completeCase(clinician, now)
  const { completeAt } = await readCase(clinician, caseId)
  await uploadRecord(clinician, caseId, { files: [numberedText(123)] })
  t.match(await readCase(clinician, caseId), { state: 'complete', completeAt })
  const view = await writeAnswers(clinician, caseId, answersBy(letterId).slice(0, 1))
  t.same(view.missing, ['medication', 'referral-letter'])
  t.match(await readCase(clinician, caseId), { state: 'complete', completeAt })
})

t.test('what was erased is missing again when its case is opened again', async t => {
  // Given a complete case that was closed, and whose copies have gone since
  const x = await startExchange(t)
  const clinician = x.client('clinician')
  const { caseId } = await completeCase(clinician, x.clock.now())
  await clinician.json('POST', `/v1/cases/${caseId}/close`, { reason: 'Done' })
  x.clock.advance(100 * 86_400_000)
  t.match(await endCases(x.exchange, () => true), { copies: 1 })

  // When it is opened again, for a record that came later
  await clinician.json('POST', `/v1/cases/${caseId}/reopen`, { reason: 'Not done' })
  const record = await uploadRecord(clinician, caseId, { files: [numberedText(55)] })

  // Then its checklist says what a reviewer would not have, and so does sharing it
  const view = await clinician.json<ChecklistView>('GET', path(caseId))
  t.same(view.missing, ['medication', 'referral-letter'])
  t.match(
    view.items.find(({ id }) => id === 'referral-letter'),
    { status: 'missing', records: [] }
  )
  await t.rejects(shareRecords(x, caseId, [record.id]), /case-incomplete/)
})

t.test('a case keeps the list it began with, and gets another with another group', async t => {
  const { caseId, letterId } = await readyCase(clinician, now)
  t.match(await read(caseId), { conditionGroup: 'general', checklistVersion: 1, missing: [] })
  await writeRequest(clinician, caseId, wholeRequest(now, { conditionGroup: 'cancer' }))
  const cancer = await read(caseId)
  t.equal(cancer.conditionGroup, 'cancer')
  t.match(
    cancer.items.find(({ id }) => id === 'referral-letter'),
    {
      status: 'present',
      records: [{ id: letterId, date: dayFrom(now, -3) }]
    }
  )
  t.ok(cancer.missing.includes('pathology-report'), 'what the new list asks for is missing')
})
