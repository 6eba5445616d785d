import t from 'tap'
import {
  BIRTH_DATE,
  type CaseView,
  createCase,
  NHS_NUMBER,
  NHS_SYSTEM,
  PATIENT_NAME,
  QUESTION,
  startExchange
} from '../helpers/exchange.ts'

const OTHER = '9990000026'

interface CasePage {
  cases: CaseView[]
  next?: string
}

t.test('a case keeps the patient, the question and its owner', async t => {
  const exchange = await startExchange(t)
  const { clinician } = exchange.people
  const made = await exchange.client('clinician').send('POST', '/v1/cases', {
    patient: {
      identifier: { system: NHS_SYSTEM, value: '999 000 0018' },
      name: PATIENT_NAME,
      birthDate: BIRTH_DATE
    },
    question: QUESTION
  })
  t.equal(made.status, 201)
  t.equal(made.headers.get('location'), `/v1/cases/${made.json.id}`)
  t.match(made.json, {
    organisation: clinician.organisationId,
    createdBy: clinician.accountId,
    createdAt: /Z$/,
    question: QUESTION
  })
  t.same(made.json.patient, {
    identifier: { system: NHS_SYSTEM, value: NHS_NUMBER },
    name: PATIENT_NAME,
    birthDate: BIRTH_DATE
  })
  const read = await exchange.client('colleague').json('GET', `/v1/cases/${made.json.id}`)
  t.same(read, made.json, 'colleagues of the same hospital read the same')
})

t.test(
  'cases are found by identifier, however it is spaced, and only by those who own them',
  async t => {
    const exchange = await startExchange(t)
    const mine = [
      await createCase(exchange.client('clinician')),
      await createCase(exchange.client('colleague'))
    ]
    await createCase(exchange.client('clinician'), OTHER)
    const theirs = await createCase(exchange.client('otherClinician'))
    const search = async (
      who: 'clinician' | 'otherClinician',
      value: string,
      system = NHS_SYSTEM
    ) => {
      const body = { identifier: { system, value } }
      const page: CasePage = await exchange.client(who).json('POST', '/v1/cases/search', body)
      return page.cases.map(found => found.id)
    }
    const expected = mine.map(({ id }) => id).reverse()
    for (const value of [NHS_NUMBER, '999 000 0018', '999-000-0018', ' 9990000018 ']) {
      t.same(await search('clinician', value), expected, value)
      t.same(await search('otherClinician', value), [theirs.id], `${value} at another trust`)
    }
    t.same(await search('otherClinician', OTHER), [])
    t.same(await search('clinician', '9990000034'), [])
    t.same(await search('clinician', NHS_NUMBER, 'https://city.example/mrn'), [], 'another system')
  }
)

t.test('an identifier of another system is found by system and value together', async t => {
  const exchange = await startExchange(t)
  const clinician = exchange.client('clinician')
  const identifier = { system: 'https://city.example/mrn', value: 'AB/123 456' }
  const patient = { identifier, name: PATIENT_NAME, birthDate: BIRTH_DATE }
  const made: CaseView = await clinician.json('POST', '/v1/cases', { patient, question: 'x' })
  t.same(made.patient.identifier, identifier)
  const found = async (change: object) => {
    const body = { identifier: { ...identifier, ...change } }
    return ((await clinician.json('POST', '/v1/cases/search', body)) as CasePage).cases.length
  }
  t.equal(await found({}), 1)
  t.equal(await found({ value: ' AB/123 456 ' }), 1)
  t.equal(await found({ value: 'ab/123 456' }), 0)
  t.equal(await found({ system: 'https://other.example/mrn' }), 0)
})

t.test('a wrong identifier is refused and not repeated', async t => {
  const exchange = await startExchange(t)
  const clinician = exchange.client('clinician')
  const create = (value: string) => {
    const patient = { identifier: { system: NHS_SYSTEM, value }, name: 'x', birthDate: BIRTH_DATE }
    return clinician.send('POST', '/v1/cases', { patient, question: 'x' })
  }
  for (const value of ['9990000019', '1111111111', '999000001', 'X990000018', '-']) {
    for (const answer of [
      await create(value),
      await clinician.send('POST', '/v1/cases/search', {
        identifier: { system: NHS_SYSTEM, value }
      })
    ]) {
      t.match(answer, { status: 422, json: { code: 'nhs-number-invalid' } }, value)
      if (value.length > 3) t.notOk(answer.text.includes(value))
    }
  }
  t.match(await create(''), { status: 400, json: { code: 'request-invalid' } })
  t.same(await clinician.json('GET', '/v1/cases'), { cases: [] })
})

t.test('what a case must have', async t => {
  const exchange = await startExchange(t)
  const clinician = exchange.client('clinician')
  const identifier = { system: NHS_SYSTEM, value: NHS_NUMBER }
  const patient = { identifier, name: PATIENT_NAME, birthDate: BIRTH_DATE }
  const good = { patient, question: QUESTION }
  for (const [label, body] of Object.entries({
    'no patient': { question: QUESTION },
    'no question': { patient },
    'an empty question': { ...good, question: '' },
    'a question too long': { ...good, question: 'x'.repeat(10_001) },
    'no name': { ...good, patient: { ...patient, name: '' } },
    'a name too long': { ...good, patient: { ...patient, name: 'x'.repeat(201) } },
    'a day that is none': { ...good, patient: { ...patient, birthDate: '2025-02-29' } },
    'a date by local custom': { ...good, patient: { ...patient, birthDate: '17/03/1951' } },
    'no identifier': { ...good, patient: { name: 'x', birthDate: BIRTH_DATE } },
    'a system that is no URI': {
      ...good,
      patient: { ...patient, identifier: { system: 'nhs', value: NHS_NUMBER } }
    },
    'an owner of choice': { ...good, organisation: exchange.people.otherClinician.organisationId },
    'an id of choice': { ...good, id: '00000000-0000-7000-8000-000000000000' }
  })) {
    const answer = await clinician.send('POST', '/v1/cases', body)
    t.match(answer, { status: 400, json: { code: 'request-invalid' } }, label)
  }
})

t.test('lists come newest first, in pages, and only with one’s own', async t => {
  const exchange = await startExchange(t)
  const made: string[] = []
  for (let i = 0; i < 7; i += 1) {
    const who = i % 2 === 0 ? 'clinician' : 'colleague'
    made.unshift((await createCase(exchange.client(who))).id)
    await createCase(exchange.client('otherClinician'))
  }
  const seen: string[] = []
  let cursor: string | undefined
  do {
    const query: string = `limit=3${cursor ? `&cursor=${cursor}` : ''}`
    const page: CasePage = await exchange.client('clinician').json('GET', `/v1/cases?${query}`)
    seen.push(...page.cases.map(found => found.id))
    cursor = page.next
    if (seen.length === 3) await createCase(exchange.client('clinician'))
  } while (cursor)
  t.same(seen, made)
  const events = await exchange.auditEvents({ action: 'case.list' })
  t.same(
    events.flatMap(event => event.details.shown),
    seen,
    'and the log says which were shown'
  )
})
