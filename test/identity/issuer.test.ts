import { decodeJwt, decodeProtectedHeader } from 'jose'
import t from 'tap'
import { Refusal } from '../../src/errors.ts'
import { refusalCounter } from '../../src/http/refusal-counter.ts'
import { openTestData, PUBLIC_URL, readEvents } from '../helpers/data.ts'
import { askToken, assertion, enrol, makeKey, startIssuer } from '../helpers/identity.ts'

/** The provider writes notices on the console when it is left to its defaults. */
const printed = (['info', 'warn', 'error'] as const).map(name => t.capture(console, name))

t.test('a client that signs gets a token for five minutes', async t => {
  const data = await openTestData(t)
  const { at } = await startIssuer(t, data)
  const { key, accountId, organisationId } = await enrol(data)

  const sent = await assertion(key)
  const { status, body, headers } = await askToken(at, sent)

  t.equal(status, 200)
  t.match(body, { token_type: 'Bearer', expires_in: 300, scope: 'system/exchange' })
  const token = String(body.access_token)
  t.match(decodeProtectedHeader(token), { alg: 'ES256', typ: 'at+jwt' })
  const claims = decodeJwt(token)
  t.match(claims, {
    iss: `${PUBLIC_URL}/oidc`,
    aud: `${PUBLIC_URL}/v1`,
    sub: key.client_id,
    client_id: key.client_id,
    scope: 'system/exchange'
  })
  t.equal(Number(claims.exp) - Number(claims.iat), 300)
  t.equal(headers.get('cache-control'), 'no-store')
  t.equal(headers.get('strict-transport-security'), 'max-age=31536000', 'headers of the service')
  t.equal(headers.get('access-control-allow-origin'), null, 'no page of another origin reads it')

  const events = (await readEvents(data)).filter(event => event.action === 'token.issue')
  t.match(events, [{ outcome: 'success', code: null, actorId: accountId, organisationId }])
  t.match(events[0]?.details, { client: key.client_id, proven: true, token: claims.jti })
  t.match(events[0]?.details, { route: '/oidc/token', address: '127.0.0.1' })
  for (const secret of [sent, token]) {
    t.notOk(JSON.stringify(events).includes(secret), 'neither assertion nor token is kept')
    t.notOk(data.logged().includes(secret))
  }
})

t.test('what a client may ask for', async t => {
  const data = await openTestData(t)
  const { at } = await startIssuer(t, data)
  const { key } = await enrol(data)
  const ask = async (more: Record<string, string>) => askToken(at, await assertion(key), more)

  t.match(await ask({ scope: 'system/exchange' }), { status: 200 })
  t.match(await ask({ scope: 'system/exchange offline_access' }), {
    status: 200,
    body: { scope: 'system/exchange' }
  })
  t.match(await ask({ scope: 'openid' }), { status: 400, body: { error: 'invalid_scope' } })
  t.match(await ask({ resource: `${PUBLIC_URL}/v1` }), { status: 200 })
  t.match(await ask({ resource: 'https://other.example/' }), {
    status: 400,
    body: { error: 'invalid_target' }
  })
  for (const grant of ['authorization_code', 'refresh_token', 'password', 'implicit']) {
    t.match(await ask({ grant_type: grant }), { status: 400 }, grant)
  }
  const signed = await assertion(key, { claims: { aud: `${PUBLIC_URL}/oidc` } })
  t.match(await askToken(at, signed), { status: 200 }, 'the issuer is an audience too')
})

t.test('assertions that are refused', async t => {
  const data = await openTestData(t)
  const { at } = await startIssuer(t, data)
  const { key, organisationId } = await enrol(data)
  const other = await enrol(data)
  const now = Math.floor(Date.now() / 1000)
  const unknown = { iss: 'nobody', sub: 'nobody' }
  // What is no text, which the type of claims does not allow.
  const naming = (sub: unknown) => ({ claims: { iss: sub, sub } as Record<string, string> })

  const refused: Record<string, [sent: string, known: boolean]> = {
    'lives too long': [await assertion(key, { claims: { exp: now + 3600 } }), true],
    expired: [await assertion(key, { claims: { iat: now - 100, exp: now - 20 } }), true],
    'without jti': [await assertion(key, { claims: { jti: undefined } }), true],
    'for another server': [await assertion(key, { claims: { aud: 'https://x.example' } }), true],
    'for the address we listen on': [
      await assertion(key, { claims: { aud: `${at}/oidc/token` } }),
      true
    ],
    'signed by another client': [await assertion(key, { key: other.key }), true],
    'signed by nobody here': [await assertion(key, { key: await makeKey('ES384') }), true],
    'of another algorithm': [
      await assertion(key, { key: await makeKey('ES256'), header: { alg: 'ES256' } }),
      true
    ],
    'issued for another client': [
      await assertion(key, { claims: { iss: other.key.client_id } }),
      true
    ],
    'of an unknown client': [await assertion(key, { claims: unknown }), false],
    'that names a number': [await assertion(key, naming(5)), false],
    'that names an object': [await assertion(key, naming({ client: key.client_id })), false],
    'that names a list': [await assertion(key, naming([key.client_id])), false]
  }
  for (const [name, [sent, known]] of Object.entries(refused)) {
    const { status, body, text } = await askToken(at, sent)
    t.match({ status, body }, { status: 401, body: { error: 'invalid_client' } }, name)
    t.notOk(text.includes('access_token'), name)
    const event = (await readEvents(data)).at(-1)
    t.match(event, { action: 'token.issue', outcome: 'refused', code: 'invalid_client' }, name)
    t.match(event, { actorId: null, organisationId: known ? organisationId : null }, name)
    t.equal(event?.details.proven, false, name)
    t.type(event?.details.reason, 'string', name)
    t.notOk(JSON.stringify(event).includes(sent), name)
  }

  const spoofed = await assertion(key, { claims: { aud: 'http://evil.example/oidc/token' } })
  const proxied = { 'x-forwarded-host': 'evil.example', 'x-forwarded-proto': 'https' }
  t.match(await askToken(at, spoofed, {}, proxied), { status: 401 }, 'forwarded headers')
  t.match(await askWithHost(at, 'evil.example', spoofed), { status: 401 }, 'the Host header')
})

t.test('requests without a proper assertion', async t => {
  const data = await openTestData(t)
  const { at } = await startIssuer(t, data)
  const { key } = await enrol(data)
  const sent = await assertion(key)
  const form = (fields: Record<string, string>) => new URLSearchParams(fields)
  const basic = { authorization: `Basic ${btoa(`${key.client_id}:x`)}` }
  const bad: Record<string, RequestInit> = {
    'no body': {},
    'not a form': { body: '{}', headers: { 'content-type': 'application/json' } },
    'no client': { body: form({ grant_type: 'client_credentials' }) },
    'only a client id': {
      body: form({ grant_type: 'client_credentials', client_id: key.client_id })
    },
    'a secret': { body: form({ grant_type: 'client_credentials' }), headers: basic },
    'an assertion that is none': { body: form({ client_assertion: 'x.y.z' }) },
    'an assertion in the query': { body: form({ grant_type: 'client_credentials' }) },
    'too long': { body: form({ client_assertion: 'x'.repeat(100_000) }) },
    'from a page of another origin': {
      body: form({
        client_assertion: sent,
        client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
        grant_type: 'client_credentials'
      }),
      headers: { origin: 'https://evil.example' }
    },
    'asking for a page': { headers: { accept: 'text/html' } }
  }
  for (const [name, init] of Object.entries(bad)) {
    const query = name.includes('query') ? `?client_assertion=${sent}` : ''
    const response = await fetch(`${at}/oidc/token${query}`, { method: 'POST', ...init })
    t.ok([400, 401].includes(response.status), `${name}: ${response.status}`)
    t.match(response.headers.get('content-type'), /^application\/json/, name)
    t.equal(response.headers.get('cache-control'), 'no-store', name)
    t.notOk((await response.text()).includes('access_token'), name)
    t.match((await readEvents(data)).at(-1), { action: 'token.issue', outcome: 'refused' }, name)
  }
})

t.test('an assertion counts once', async t => {
  const data = await openTestData(t)
  const { at } = await startIssuer(t, data)
  const { key } = await enrol(data)

  t.test('one after the other', async t => {
    const sent = await assertion(key)
    t.equal((await askToken(at, sent)).status, 200)
    t.match(await askToken(at, sent), { status: 401, body: { error: 'invalid_client' } })
  })

  t.test('signed anew with the same jti', async t => {
    const claims = { jti: 'chosen-by-the-client' }
    t.equal((await askToken(at, await assertion(key, { claims }))).status, 200)
    t.equal((await askToken(at, await assertion(key, { claims }))).status, 401)
  })

  t.test('ten at once', async t => {
    const sent = await assertion(key)
    const answers = await Promise.all(Array.from({ length: 10 }, () => askToken(at, sent)))
    const statuses = answers.map(({ status }) => status).sort()
    t.same(statuses, [200, ...Array(9).fill(401)])
  })

  t.test('another client may choose the same jti', async t => {
    const claims = { jti: 'not-a-good-choice' }
    const other = await enrol(data)
    t.equal((await askToken(at, await assertion(key, { claims }))).status, 200)
    t.equal((await askToken(at, await assertion(other.key, { claims }))).status, 200)
  })

  t.test('what is stored of it names no jti', async t => {
    const rows = await data.database.read.select().from(data.database.read.tables.oidcPayloads)
    t.ok(rows.length >= 4)
    t.notMatch(JSON.stringify(rows), /chosen-by-the-client|not-a-good-choice/)
  })
})

t.test('disabled clients and accounts get no token', async t => {
  const data = await openTestData(t)
  const { at } = await startIssuer(t, data)
  for (const table of ['clients', 'accounts'] as const) {
    const { key, organisationId } = await enrol(data)
    t.equal((await askToken(at, await assertion(key))).status, 200)
    await data.database.write(async tx => {
      await tx.update(tx.tables[table]).set({ disabledAt: data.clock() })
    })
    t.match(await askToken(at, await assertion(key)), { status: 401 }, table)
    const event = (await readEvents(data)).at(-1)
    t.match(event, { outcome: 'refused', organisationId }, 'the log still says whose it was')
  }
})

t.test('no token leaves without its event', async t => {
  const broken = async (): Promise<never> => {
    throw new Refusal('storage-unavailable')
  }
  const down = { error: 'temporarily_unavailable' }

  t.test('when the event cannot be appended', async t => {
    const data = await openTestData(t)
    const { key } = await enrol(data)
    const audit = { ...data.audit, append: broken, add: broken }
    const { at } = await startIssuer(t, { ...data, audit })
    const { status, text, body } = await askToken(at, await assertion(key))
    t.match({ status, body }, { status: 503, body: down })
    t.notOk(text.includes('access_token'))
    const refusal = await askToken(at, 'x.y.z')
    t.match(refusal, { status: 503, body: down }, 'nor does a refusal')
  })

  t.test('when nothing can be written', async t => {
    const data = await openTestData(t)
    const { key } = await enrol(data)
    const { at } = await startIssuer(t, { ...data, database: { ...data.database, write: broken } })
    const sent = await assertion(key)
    const { status, text, body } = await askToken(at, sent)
    t.match({ status, body }, { status: 503, body: down })
    t.notOk(text.includes('access_token'))
    t.notOk(data.logged().includes(sent))
    t.match(data.logged(), /storage-unavailable/)
  })

  t.test('when the event is written but not on the disk', async t => {
    const data = await openTestData(t)
    const { key } = await enrol(data)
    const write: typeof data.database.write = async work => {
      await data.database.write(work)
      throw new Refusal('storage-unavailable')
    }
    const { at } = await startIssuer(t, { ...data, database: { ...data.database, write } })
    t.match(await askToken(at, await assertion(key)), { status: 503, body: down })
  })
})

t.test('only what is on answers', async t => {
  const data = await openTestData(t)
  const { at, jwks, issuer } = await startIssuer(t, data)
  const read = async (path: string) => (await fetch(at + path)).json()

  const expected = {
    issuer,
    token_endpoint: `${PUBLIC_URL}/oidc/token`,
    jwks_uri: `${PUBLIC_URL}/oidc/jwks`,
    scopes_supported: ['system/exchange'],
    response_types_supported: [],
    grant_types_supported: ['client_credentials'],
    token_endpoint_auth_methods_supported: ['private_key_jwt'],
    token_endpoint_auth_signing_alg_values_supported: ['ES384']
  }
  t.same(await read('/oidc/.well-known/openid-configuration'), expected)
  t.same(await read('/.well-known/oauth-authorization-server/oidc'), expected)
  t.same(await read('/oidc/jwks'), jwks)
  t.same(Object.keys(jwks.keys[0] ?? {}).sort(), ['alg', 'crv', 'kid', 'kty', 'use', 'x', 'y'])

  const off = `/oidc /oidc/ /oidc/auth /oidc/me /oidc/reg /oidc/request /oidc/device
    /oidc/device/auth /oidc/session/end /oidc/session/end/confirm /oidc/token/introspection
    /oidc/token/revocation /oidc/challenge /oidc/interaction/x /oidc/TOKEN /oidc/token/ /oidc//token
    /oidc/auth/x /oidc/%74oken/x /oidc/.well-known/oauth-authorization-server`.split(/\s+/)
  for (const path of off) {
    for (const method of ['GET', 'POST', 'OPTIONS', 'PUT', 'DELETE']) {
      const { status } = await fetch(at + path, { method })
      t.equal(status, 404, `${method} ${path}`)
    }
  }
  t.equal((await fetch(`${at}/oidc/token`)).status, 404, 'GET of the token endpoint')
})

t.test('a key that cannot sign ES256 stops the start', async t => {
  const data = await openTestData(t)
  const { embeddedIssuer } = await import('../../src/identity/issuer.ts')
  const { d, ...publicOnly } = await makeKey('ES256')
  t.type(d, 'string')
  for (const key of [publicOnly, await makeKey('ES384')]) {
    t.throws(() => embeddedIssuer(data, { keys: [key] }), /P-256/)
  }
  t.throws(() => embeddedIssuer(data, { keys: [] }), /no key/)
})

t.test('the provider printed nothing', async t => {
  for (const calls of printed) t.same(calls(), [])
})

/** fetch does not let a caller choose the Host header. */
async function askWithHost(at: string, host: string, sent: string): Promise<{ status: number }> {
  const { request } = await import('node:http')
  const body = new URLSearchParams({
    grant_type: 'client_credentials',
    client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    client_assertion: sent
  }).toString()
  return new Promise((resolve, reject) => {
    const headers = { host, 'content-type': 'application/x-www-form-urlencoded' }
    const call = request(`${at}/oidc/token`, { method: 'POST', headers }, response => {
      response.resume()
      resolve({ status: response.statusCode ?? 0 })
    })
    call.on('error', reject).end(body)
  })
}

t.test('refused tokens are recorded up to a limit, and then told to wait', async t => {
  const data = await openTestData(t)
  const { at } = await startIssuer(t, { ...data, refusals: refusalCounter(3, data.clock) })
  const { key } = await enrol(data)
  const wrong = async () => askToken(at, await assertion(key, { claims: { aud: 'elsewhere' } }))
  const statuses = []
  for (let i = 0; i < 6; i += 1) statuses.push((await wrong()).status)
  t.same(statuses, [401, 401, 401, 429, 429, 429])
  const codes = (await readEvents(data)).filter(event => event.outcome === 'refused')
  t.same(
    codes.map(event => event.code),
    ['invalid_client', 'invalid_client', 'invalid_client', 'too-many-attempts']
  )
  t.equal((await askToken(at, await assertion(key))).status, 200, 'a right assertion still passes')
})
