import { connect } from 'node:net'
import t from 'tap'
import { publicFace, refusalCodes } from '../../src/errors.ts'
import { type Answer, createCase, startExchange, type TestExchange } from '../helpers/exchange.ts'

const JSON_TYPE = { 'content-type': 'application/json' }

type Ask = (exchange: TestExchange) => Promise<Answer>

const wrong: [what: string, ask: Ask, status: number, code: string][] = [
  ['an unknown path', x => x.client().send('GET', '/nowhere'), 404, 'route-not-found'],
  ['an unknown path below /v1', x => x.client().send('GET', '/v1/nowhere'), 404, 'route-not-found'],
  ['the issuer’s other paths', x => x.client().send('GET', '/oidc/auth'), 404, 'route-not-found'],
  ['a method no route has', x => x.client().send('PATCH', '/v1/cases'), 404, 'route-not-found'],
  ['OPTIONS', x => x.client().send('OPTIONS', '/v1/cases'), 404, 'route-not-found'],
  [
    'a path that cannot be decoded',
    x => x.client().send('GET', '/v1/cases/%zz'),
    400,
    'request-invalid'
  ],
  [
    'JSON cut short',
    x => x.client('clinician').send('POST', '/v1/cases', '{"a":', JSON_TYPE),
    400,
    'request-invalid'
  ],
  [
    'no body',
    x => x.client('clinician').send('POST', '/v1/cases', '', JSON_TYPE),
    400,
    'request-invalid'
  ],
  [
    'a body of another kind',
    x => x.client('clinician').send('POST', '/v1/cases', '<a/>', { 'content-type': 'text/xml' }),
    415,
    'media-type-refused'
  ],
  [
    'a body of no kind',
    x => x.client('clinician').send('POST', '/v1/cases', '[]', { 'content-type': '' }),
    415,
    'media-type-refused'
  ],
  [
    'a form for JSON',
    x => x.client('clinician').send('POST', '/v1/cases', new FormData()),
    415,
    'media-type-refused'
  ],
  [
    'a prototype',
    x => x.client('clinician').send('POST', '/v1/cases', '{"__proto__":{"x":1}}', JSON_TYPE),
    400,
    'request-invalid'
  ],
  [
    'a body too large',
    x => x.client('clinician').send('POST', '/v1/cases', { question: 'x'.repeat(300_000) }),
    413,
    'request-too-large'
  ],
  [
    'unknown members',
    x =>
      x.client('clinician').send('POST', '/v1/cases/search', {
        identifier: { system: 'https://a.b', value: '1' },
        more: 1
      }),
    400,
    'request-invalid'
  ],
  ['no token', x => x.client().send('GET', '/v1/cases'), 401, 'token-missing'],
  [
    'no token for me',
    x => x.client().send('GET', '/v1/cases', undefined, { authorization: 'Basic YTpi' }),
    401,
    'token-invalid'
  ]
]

t.test('whatever is wrong, the answer is a problem with a code and what to do next', async t => {
  const exchange = await startExchange(t)
  for (const [what, ask, status, code] of wrong) {
    const answer = await ask(exchange)
    t.equal(answer.status, status, what)
    t.match(answer.headers.get('content-type'), /^application\/problem\+json/, what)
    const { title, next } = publicFace(code as Parameters<typeof publicFace>[0])
    t.match(answer.json, {
      type: `urn:consilium:problem:${code}`,
      code,
      status,
      title,
      detail: next
    })
    t.equal(answer.json.requestId, answer.headers.get('x-request-id'))
    t.equal(answer.headers.get('cache-control'), 'no-store')
    t.notMatch(answer.text, /node_modules|\.ts:|at \w+ \(|stack/i, 'and nothing of the inside')
  }
})

t.test('a problem with the body says where, and repeats nothing of it', async t => {
  const exchange = await startExchange(t)
  const clinician = exchange.client('clinician')
  const right = {
    identifier: { system: 'https://x.example', value: '1' },
    name: 'N',
    birthDate: '1951-03-17'
  }
  const faults = {
    'identifier/system': { ...right, identifier: { system: 'not a uri', value: '1' } },
    'identifier/value': { ...right, identifier: { system: 'https://x.example', value: '' } },
    'patient/name': { ...right, name: '' },
    birthDate: { ...right, birthDate: '17.03.1951' },
    additional: { ...right, 'Ottoline Quillfeather': true }
  }
  for (const [place, patient] of Object.entries(faults)) {
    const answer = await clinician.send('POST', '/v1/cases', { patient, question: 'Is it?' })
    t.match(answer, { status: 400, json: { code: 'request-invalid' } }, place)
    t.match(String(answer.json.problems), place)
    t.notMatch(answer.text, /Ottoline|17\.03/)
  }
})

t.test('the challenge of an answer 401 is that of RFC 6750', async t => {
  const exchange = await startExchange(t)
  const challenge = async (authorization?: string) => {
    const headers = authorization === undefined ? {} : { authorization }
    return (await exchange.client().send('GET', '/v1/cases', undefined, headers)).headers.get(
      'www-authenticate'
    )
  }
  t.equal(await challenge(), 'Bearer', 'no error code for who sent nothing (section 3.1)')
  t.equal(await challenge('Bearer x.y.z'), 'Bearer error="invalid_token"')
})

t.test('what is not HTTP at all is refused without a word of the inside', async t => {
  const exchange = await startExchange(t)
  const { port } = new URL(exchange.url)
  for (const bytes of [
    '\x16\x03\x01\x02\x00\x01\x00',
    'GET / HTTP/9.9\r\n\r\n',
    'HELO mail\r\n\r\n',
    `GET / HTTP/1.1\r\nhost: a\r\nx: ${'y'.repeat(40_000)}\r\n\r\n`,
    'GET / HTTP/1.1\r\n\r\n',
    'POST /v1/cases HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n'
  ]) {
    const told = await new Promise<string>(resolve => {
      const socket = connect(Number(port), '127.0.0.1', () => socket.write(bytes))
      let text = ''
      socket.on('data', data => {
        text += data
      })
      socket.on('error', () => {})
      socket.on('close', () => resolve(text))
      t.teardown(() => socket.destroy())
    })
    t.match(told, /^(HTTP\/1\.1 4\d\d|$)/, JSON.stringify(bytes.slice(0, 20)))
    t.notMatch(told, /node|\.ts|fastify/i)
  }
  t.equal((await exchange.client().send('GET', '/healthz')).status, 200, 'and the service goes on')
})

t.test('a failure nobody foresaw tells the caller nothing, and the operator where', async t => {
  const exchange = await startExchange(t)
  const { id } = await createCase(exchange.client('clinician'))
  const { keyring } = exchange.exchange
  keyring.unwrap = async () => {
    throw new Error('QUILLFEATHER and 9990000018 were here')
  }
  const { result, events } = await exchange.eventsOf(() =>
    exchange.client('clinician').send('GET', `/v1/cases/${id}`)
  )
  t.match(result, { status: 500, json: { code: 'internal-error' } })
  t.notMatch(result.text, /QUILLFEATHER|9990000018/)
  t.match(events, [{ action: 'case.read', outcome: 'refused', code: 'internal-error' }])
  t.match(exchange.logged(), /"code":"internal-error"/)
  t.match(exchange.logged(), /problems\.test\.ts/, 'where it happened')
  t.notMatch(exchange.logged(), /QUILLFEATHER|9990000018/)
})

t.test('every code has a status, a title and what to do next', async t => {
  for (const code of refusalCodes) {
    const { status, title, next } = publicFace(code)
    t.ok(status >= 400 && status < 600, code)
    t.match(title, /^[A-Z].*[^.]$/, `${code}: ${title}`)
    t.match(next, /^[A-Z].*\.$/, `${code}: ${next}`)
    t.match(code, /^[a-z]+(-[a-z]+)+$/)
  }
})
