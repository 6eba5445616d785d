import t from 'tap'
import { startExchange } from '../helpers/exchange.ts'
import { change, entryInput, expire, readEntry, verify } from './scene.ts'

const DAY = 86_400_000

t.test('an entry is made, verified, changed and runs out', async t => {
  const exchange = await startExchange(t)
  exchange.clock.set('2027-11-23T09:00:00Z')
  const administrator = exchange.client('administrator')
  const input = entryInput({
    email: 'Ines@Clinic.example',
    conditions: [{ text: 'Glioma', icd10: 'C71' }],
    specialistRegister: { specialty: 'Neurosurgery', since: '2009-04-01' },
    availability: { from: '2027-12-01', until: '2028-05-31', capacity: 3 }
  })
  const made = await administrator.send('POST', '/v1/specialists', input)
  t.equal(made.status, 201)
  t.equal(made.headers.get('etag'), '"1"')
  const id = String(made.json.id)
  t.equal(made.headers.get('location'), `/v1/specialists/${id}`)
  t.same(made.json, {
    id,
    ...input,
    email: 'Ines@clinic.example',
    subSpecialties: [],
    state: 'unverified',
    unverifiedReason: 'new'
  })
  const seen = await exchange.client('clinician').send('GET', `/v1/specialists/${id}`)
  t.equal(seen.json.name, input.name)
  t.notOk(seen.text.includes('clinic.example'), 'addresses are for administrators')

  const verified = await verify(exchange, id)
  t.match(verified, { status: 200, json: { state: 'verified' } })
  t.match(verified.json.verification, {
    by: exchange.people.administrator.accountId,
    evidence: 'Register of the board, file 7',
    at: '2027-11-23T09:00:00.000Z',
    until: '2028-11-22T09:00:00.000Z'
  })
  const moved = await change(exchange, id, {
    method: 'PUT',
    body: { ...input, organisation: 'Another Clinic', languages: ['es'] }
  })
  t.match(moved.json, { state: 'verified', organisation: 'Another Clinic' }, 'who it is stays')
  const renamed = await change(exchange, id, {
    method: 'PUT',
    body: { ...input, name: 'Prof Inez Turnstone' }
  })
  t.match(renamed.json, { state: 'unverified', unverifiedReason: 'changed' })
  t.equal(renamed.json.verification, undefined)

  t.match(await verify(exchange, id, '2027-11-25'), { status: 200, json: { state: 'verified' } })
  exchange.clock.set('2027-11-25T23:59:59.999Z')
  t.equal((await readEntry(exchange, id)).state, 'verified', 'its last millisecond')
  exchange.clock.advance(1)
  t.equal((await readEntry(exchange, id)).state, 'expired')
  t.match(await verify(exchange, id), { status: 200, json: { state: 'verified' } }, 'and anew')
  t.match(await expire(exchange, id), { status: 200, json: { state: 'expired' } })
  const actions = (await exchange.auditEvents()).map(event => event.action)
  for (const action of ['create', 'read', 'update', 'verify', 'expire']) {
    t.ok(actions.includes(`specialist.${action}` as (typeof actions)[number]), action)
  }
})

t.test('two administrators at once', async t => {
  const exchange = await startExchange(t)
  const made = await exchange
    .client('administrator')
    .json<{ id: string }>('POST', '/v1/specialists', entryInput())
  const act = (body: object) => change(exchange, made.id, { method: 'PUT', body, version: 1 })
  const answers = await Promise.all(
    ['A', 'B', 'C', 'D'].map(name => act(entryInput({ name: `Dr ${name}` })))
  )
  t.same(answers.map(answer => answer.status).sort(), [200, 412, 412, 412])
  t.match(await act(entryInput()), { status: 412, json: { code: 'version-changed' } })
  const administrator = exchange.client('administrator')
  const path = `/v1/specialists/${made.id}`
  t.match(await administrator.send('PUT', path, entryInput()), {
    status: 428,
    json: { code: 'if-match-missing' }
  })
  for (const bad of ['1', '*', 'W/"1"', '"x"', '"1", "2"', '"01"']) {
    t.match(await administrator.send('PUT', path, entryInput(), { 'if-match': bad }), {
      status: 400,
      json: { code: 'if-match-invalid' }
    })
  }
})

t.test('one registration has one entry, however many ask at once', async t => {
  const exchange = await startExchange(t)
  const administrator = exchange.client('administrator')
  const answers = await Promise.all(
    Array.from({ length: 6 }, (_, n) =>
      administrator.send('POST', '/v1/specialists', entryInput({ name: `Dr Number ${n}` }))
    )
  )
  t.same(answers.map(answer => answer.status).sort(), [201, 409, 409, 409, 409, 409])
  t.match(
    answers.find(answer => answer.status === 409),
    { json: { code: 'registration-taken' } }
  )
})

t.test('what an entry may not say', async t => {
  const exchange = await startExchange(t)
  const administrator = exchange.client('administrator')
  const gmc = { professionalBody: 'gmc', registrationSystem: undefined }
  const refused: [change: object, problem: RegExp][] = [
    [{ country: 'UK' }, /United Kingdom is GB/],
    [{ country: 'XK' }, /ISO 3166-1/],
    [{ email: 'two@a.example, three@b.example' }, /e-mail/],
    [{ email: 'a\r\nBcc: b@c.example' }, /e-mail/],
    [{ languages: ['en_GB'] }, /BCP 47/],
    [{ languages: ['q'] }, /BCP 47/],
    [{ name: ' \t ' }, /name is missing/],
    [{ name: 'Dr \u202eevil' }, /control characters/],
    [{ ...gmc, registrationNumber: '123456' }, /7 digits/],
    [{ ...gmc, registrationNumber: '12345678' }, /7 digits/],
    [{ professionalBody: 'Board of Somewhere', registrationSystem: undefined }, /URI/],
    [{ registrationSystem: 'javascript:alert(1)' }, /URI/],
    [{ registrationNumber: '<1>' }, /letters, digits/],
    [{ registrationNumber: undefined }, /registrationNumber is missing/],
    [{ availability: { from: '2027-12-02', until: '2027-12-01' } }, /ends before it begins/],
    [{ availability: { from: '2027-02-30' } }, /date/],
    [{ conditions: [{ text: 'x', icd10: 'C5' }] }, /pattern/],
    [{ conditions: [{ text: 'x', snomed: '012345' }] }, /pattern/],
    [{ organisationId: '0190a5b0-0000-7000-8000-000000000000' }, /no organisation/],
    [{ verified: true }, /additional/]
  ]
  for (const [change, problem] of refused) {
    const body = { ...entryInput(), ...change }
    const answer = await administrator.send('POST', '/v1/specialists', body)
    t.match(answer, { status: 400, json: { code: 'request-invalid' } }, JSON.stringify(change))
    t.match(String(answer.json.problems), problem)
  }
  const c = await administrator.json<Record<string, string>>(
    'POST',
    '/v1/specialists',
    entryInput({
      professionalBody: 'gmc',
      registrationSystem: 'https://fhir.hl7.org.uk/Id/gmc-number',
      registrationNumber: 'c1234567'
    })
  )
  t.match(c, { professionalBody: 'GMC', registrationNumber: '1234567' }, 'one spelling of a number')
})

t.test('a verification needs a registration and an end within two years', async t => {
  const exchange = await startExchange(t)
  const bare = entryInput()
  delete bare.professionalBody
  delete bare.registrationSystem
  delete bare.registrationNumber
  const { id } = await exchange
    .client('administrator')
    .json<{ id: string }>('POST', '/v1/specialists', bare)
  t.match(await verify(exchange, id), { status: 422, json: { code: 'registration-missing' } })
  t.match(await expire(exchange, id), { status: 403, json: { code: 'specialist-unverified' } })
  const { accountId } = exchange.people.specialistGb
  const day = (days: number) =>
    new Date(exchange.clock.now() + days * DAY).toISOString().slice(0, 10)
  for (const days of [-1, 740]) {
    t.match(await verify(exchange, accountId, day(days)), {
      status: 422,
      json: { code: 'verification-dates-invalid' }
    })
  }
  t.match(await verify(exchange, accountId, day(0)), { status: 200 })
})
