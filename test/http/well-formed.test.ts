import t from 'tap'
import { createCase, NHS_NUMBER, NHS_SYSTEM, startExchange } from '../helpers/exchange.ts'

const HALF = '\ud800'

t.test('half of a surrogate pair is refused wherever it stands, and nothing is stored', async t => {
  const x = await startExchange(t)
  const clinician = x.client('clinician')
  const { id } = await createCase(clinician)
  const identifier = { system: NHS_SYSTEM, value: NHS_NUMBER }
  const patient = { identifier, name: 'Test', birthDate: '1970-01-01' }
  const before = await clinician.json<{ cases: unknown[] }>('GET', '/v1/cases')
  for (const [path, body] of [
    ['/v1/cases', { patient: { ...patient, name: `A${HALF}` }, question: 'Why?' }],
    ['/v1/cases', { patient, question: HALF }],
    ['/v1/cases', { patient, question: 'Why?', [HALF]: 'a name' }],
    [`/v1/cases/${id}/drafts`, { kind: 'scan', title: HALF, date: '2026-11-02' }],
    [`/v1/cases/${id}/close`, { reason: [HALF] }],
    ['/v1/invitations/accept', { link: 'x', code: HALF }]
  ] as const) {
    const answer = await clinician.send('POST', path, body)
    t.match(answer, { status: 400, json: { code: 'request-invalid' } }, path)
  }
  const whole = { patient: { ...patient, name: 'Ana 😀' }, question: 'Why?' }
  t.equal(
    (await clinician.send('POST', '/v1/cases', whole)).status,
    201,
    'a whole pair is a letter'
  )
  const after = await clinician.json<{ cases: unknown[] }>('GET', '/v1/cases')
  t.equal(after.cases.length, before.cases.length + 1)
})

t.test('JSON that is nested without end is refused, and walked through no further', async t => {
  const x = await startExchange(t)
  const { url } = x
  const authorization = `Bearer ${await x.client('clinician').token()}`
  const headers = { authorization, 'content-type': 'application/json' }
  for (const [open, close] of [
    ['[', ']'],
    ['{"a":', '}']
  ] as const) {
    const inner = open === '[' ? '' : '1'
    const body = `{"question":${open.repeat(20_000)}${inner}${close.repeat(20_000)}}`
    const answer = await fetch(`${url}/v1/cases`, { method: 'POST', headers, body })
    t.equal(answer.status, 400)
    t.match(await answer.json(), { code: 'request-invalid', problems: [/nested/] })
  }
})
