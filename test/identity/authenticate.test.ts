import { randomUUID } from 'node:crypto'
import { setImmediate } from 'node:timers/promises'
import { exportSPKI, importJWK, type JWK, SignJWT, UnsecuredJWT } from 'jose'
import t, { type Test } from 'tap'
import { Refusal, type RefusalCode } from '../../src/errors.ts'
import {
  type Authenticate,
  createAuthenticator,
  TOKEN_BYTES_MAX
} from '../../src/identity/authenticate.ts'
import { disableAccount } from '../../src/identity/enrol.ts'
import { EMBEDDED, type PublicJwk } from '../../src/identity/principal.ts'
import { openTestData, PUBLIC_URL } from '../helpers/data.ts'
import { accessToken, enrol, makeKey, startIssuer } from '../helpers/identity.ts'
import { intrude } from '../helpers/intruder.ts'

interface Spoiled {
  claims?: Record<string, unknown>
  header?: Record<string, unknown>
  key?: JWK
}

/** The issuer, one client, and a forger who may or may not have its key. */
async function open(t: Test) {
  const data = await openTestData(t)
  const { at, trusted, signingKey } = await startIssuer(t, data)
  const enrolled = await enrol(data, 'specialist')
  const authenticate = createAuthenticator(data, [trusted])
  const forge = async ({ claims, header, key = signingKey }: Spoiled): Promise<string> => {
    const now = Math.floor(data.clock() / 1000)
    const body = {
      iss: trusted.issuer,
      aud: trusted.audience,
      sub: enrolled.key.client_id,
      client_id: enrolled.key.client_id,
      scope: 'system/exchange',
      jti: randomUUID(),
      iat: now,
      exp: now + 300,
      ...claims
    }
    const protectedHeader = { alg: 'ES256', typ: 'at+jwt', kid: String(signingKey.kid), ...header }
    return new SignJWT(body)
      .setProtectedHeader(protectedHeader)
      .sign(await importJWK({ ...key }, protectedHeader.alg), { crit: { x: true } })
  }
  const token = () => accessToken(at, enrolled.key, data.clock)
  return { data, at, trusted, signingKey, enrolled, authenticate, forge, token }
}

/** The code of the refusal, or 'accepted'. */
async function answer(
  authenticate: Authenticate,
  authorization: string | undefined
): Promise<RefusalCode | 'accepted'> {
  try {
    await authenticate({ authorization })
    return 'accepted'
  } catch (err) {
    if (err instanceof Refusal) return err.code
    throw err
  }
}

const bearer = (token: string): string => `Bearer ${token}`

t.test('a token says who calls', async t => {
  const { authenticate, enrolled, token } = await open(t)
  const authorization = bearer(await token())
  const expected = {
    accountId: enrolled.accountId,
    organisationId: enrolled.organisationId,
    role: 'specialist',
    country: 'GB',
    issuer: EMBEDDED,
    subject: enrolled.key.client_id,
    clientId: enrolled.key.client_id,
    scope: 'system/exchange',
    assurance: 'machine'
  }
  t.same(await authenticate({ authorization }), expected)
  t.same(await authenticate({ authorization }), expected, 'remembered')
  t.same(await authenticate({ authorization: authorization.replace('Bearer', 'bearer') }), expected)
})

t.test('what is not a bearer token', async t => {
  const { authenticate, token } = await open(t)
  const good = await token()
  t.equal(await answer(authenticate, undefined), 'token-missing')
  t.equal(await answer(authenticate, ''), 'token-missing')
  for (const header of [
    'Bearer',
    'Bearer ',
    good,
    `Basic ${good}`,
    `DPoP ${good}`,
    `Bearer ${good},${good}`,
    `Bearer ${good} x`,
    'Bearer a.b',
    'Bearer a.b.c'
  ]) {
    t.equal(await answer(authenticate, header), 'token-invalid', header.slice(0, 20))
  }
  const refusal = await authenticate({}).catch(err => err)
  t.same(refusal.extra.headers, { 'www-authenticate': 'Bearer' })
  const wrong = await authenticate({ authorization: 'Bearer x' }).catch(err => err)
  t.same(wrong.extra.headers, { 'www-authenticate': 'Bearer error="invalid_token"' })
})

t.test('tokens that were not issued here, or not for this', async t => {
  const { authenticate, forge, data, trusted, signingKey } = await open(t)
  t.equal(await answer(authenticate, bearer(await forge({}))), 'accepted', 'unspoiled')

  const now = Math.floor(data.clock() / 1000)
  const spoiled: Record<string, Spoiled> = {
    'signed with another key': { key: await makeKey('ES256') },
    'with another key id': { header: { kid: 'other' } },
    'of another algorithm': { key: await makeKey('ES384'), header: { alg: 'ES384' } },
    'of another type': { header: { typ: 'JWT' } },
    'an ID token': { header: { typ: undefined } },
    'with a critical header': { header: { crit: ['x'], x: 1 } },
    'for another audience': { claims: { aud: `${PUBLIC_URL}/v2` } },
    'for nobody': { claims: { aud: undefined } },
    'of another issuer': { claims: { iss: 'https://other.example' } },
    'of an issuer that looks alike': { claims: { iss: `${trusted.issuer}/` } },
    'of the constant issuer': { claims: { iss: EMBEDDED } },
    'of no issuer': { claims: { iss: undefined } },
    'without jti': { claims: { jti: undefined } },
    'without expiry': { claims: { exp: undefined } },
    'without time of issue': { claims: { iat: undefined } },
    'without client': { claims: { client_id: undefined } },
    'without subject': { claims: { sub: undefined } },
    'about another than its client': { claims: { client_id: randomUUID() } },
    'issued in the future': { claims: { iat: now + 60 } },
    'not valid yet': { claims: { nbf: now + 60 } },
    'of another scope': { claims: { scope: 'openid' } },
    'without scope': { claims: { scope: undefined } },
    'bound to a key': { claims: { cnf: { jkt: 'x' } } },
    'bound to nothing, in form': { claims: { cnf: null } },
    'too long': { claims: { padding: 'x'.repeat(TOKEN_BYTES_MAX) } }
  }
  for (const [name, changes] of Object.entries(spoiled)) {
    t.equal(await answer(authenticate, bearer(await forge(changes))), 'token-invalid', name)
  }

  const claims = { iss: trusted.issuer, aud: trusted.audience }
  const unsigned = new UnsecuredJWT(claims).setExpirationTime('5m').encode()
  t.equal(await answer(authenticate, bearer(unsigned)), 'token-invalid', 'alg none')
  t.equal(await answer(authenticate, bearer(`${unsigned}AAAA`)), 'token-invalid', 'alg none')

  const publicKey = await importJWK({ ...trusted.jwks.keys[0] }, 'ES256', { extractable: true })
  if (publicKey instanceof Uint8Array) throw new Error('not a public key')
  for (const secret of [await exportSPKI(publicKey), JSON.stringify(trusted.jwks.keys[0])]) {
    const hmac = await new SignJWT({ ...claims, sub: 'x', client_id: 'x', jti: 'x' })
      .setProtectedHeader({
        alg: 'HS256',
        typ: 'at+jwt',
        ...(signingKey.kid === undefined ? {} : { kid: signingKey.kid })
      })
      .setIssuedAt()
      .setExpirationTime('5m')
      .sign(Buffer.from(secret))
    t.equal(await answer(authenticate, bearer(hmac)), 'token-invalid', 'public key as secret')
  }
})

t.test('one token has one spelling', async t => {
  const { authenticate, token } = await open(t)
  const good = await token()
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  const last = alphabet.indexOf(good.at(-1) ?? '')
  // 64 signature bytes leave four bits of the last character unused.
  const respelled = good.slice(0, -1) + alphabet[last ^ 1]
  t.same(
    Buffer.from(respelled.split('.')[2] ?? '', 'base64url'),
    Buffer.from(good.split('.')[2] ?? '', 'base64url'),
    'decodes to the same bytes'
  )
  for (const known of [false, true]) {
    t.equal(await answer(authenticate, bearer(respelled)), 'token-invalid', `known: ${known}`)
    t.equal(await answer(authenticate, bearer(good)), 'accepted')
  }
  for (const part of [0, 1, 2]) {
    const parts = good.split('.')
    const text = parts[part] ?? ''
    parts[part] = (text.startsWith('e') ? 'f' : 'e') + text.slice(1)
    t.equal(await answer(authenticate, bearer(parts.join('.'))), 'token-invalid', `part ${part}`)
  }
})

t.test('a token ends after five minutes, remembered or not', async t => {
  const { data, authenticate, token, forge, trusted } = await open(t)
  const [used, unused] = [bearer(await token()), bearer(await token())]
  t.equal(await answer(authenticate, used), 'accepted')
  data.advance(299_000)
  t.equal(await answer(authenticate, used), 'accepted')
  data.advance(8_000)
  t.equal(await answer(authenticate, used), 'token-expired', 'remembered')
  t.equal(await answer(authenticate, unused), 'token-expired', 'never seen')
  t.equal(await answer(authenticate, bearer(await token())), 'accepted', 'a new one')

  const now = Math.floor(data.clock() / 1000)
  const long = await forge({ claims: { iat: now - 400, exp: now + 3600 } })
  t.equal(await answer(authenticate, bearer(long)), 'token-expired', 'however long it says')
  const other = createAuthenticator(data, [{ ...trusted, tokenAgeSecondsMax: 600 }])
  t.equal(await answer(other, bearer(long)), 'accepted', 'the limit is the issuer’s')
})

t.test('disabling applies to tokens that are out', async t => {
  t.test('of an account', async t => {
    const { data, authenticate, token, enrolled } = await open(t)
    const authorization = bearer(await token())
    t.equal(await answer(authenticate, authorization), 'accepted')
    t.equal(await disableAccount(data, { accountId: enrolled.accountId }), true)
    const refusal = await authenticate({ authorization }).catch(err => err)
    t.equal(refusal.code, 'account-disabled')
    const { accountId, organisationId } = enrolled
    const about = refusal instanceof Refusal ? refusal.extra.about : undefined
    t.match(about, { actorId: accountId, organisationId }, 'the log can say whose it is')
  })

  t.test('of a client', async t => {
    const { data, authenticate, token } = await open(t)
    const authorization = bearer(await token())
    t.equal(await answer(authenticate, authorization), 'accepted')
    await data.database.write(async tx => {
      await tx.update(tx.tables.clients).set({ disabledAt: data.clock() })
    })
    t.equal(await answer(authenticate, authorization), 'account-disabled')
  })

  t.test('of an identity or a client that is gone', async t => {
    for (const table of ['clients', 'identities'] as const) {
      const { data, authenticate, token } = await open(t)
      const authorization = bearer(await token())
      t.equal(await answer(authenticate, authorization), 'accepted')
      const intruder = await intrude(t, data.stored)
      const on = intruder.kind === 'postgres' ? ' ON identities' : ''
      await intruder.run(`DROP TRIGGER identities_embedded_kept${on}`)
      await intruder.run(`DELETE FROM ${table}`)
      // Requests of one turn of the event loop share one look.
      await setImmediate()
      t.equal(await answer(authenticate, authorization), 'account-unknown', table)
    }
  })
})

t.test('a changed role or organisation applies at once', async t => {
  const { data, authenticate, token } = await open(t)
  const authorization = bearer(await token())
  t.match(await authenticate({ authorization }), { role: 'specialist' })
  const { write } = await intrude(t, data.stored)
  await write(async tx => {
    await tx.update(tx.tables.accounts).set({ role: 'auditor', country: 'IE' })
  })
  t.match(await authenticate({ authorization }), { role: 'auditor', country: 'IE' })
})

/** An issuer elsewhere, with one key for each algorithm. */
async function makeExternal() {
  const url = 'https://login.example'
  const [key, otherKey] = [await makeKey('ES256'), await makeKey('ES384')]
  const keys = [key, otherKey].map(({ d: _, ...publicKey }) => publicKey as PublicJwk)
  const trusted = {
    issuer: url,
    identityIssuer: url,
    audience: 'consilium',
    jwks: { keys },
    tokenAgeSecondsMax: 3600
  }
  const claims = { iss: url, aud: 'consilium', sub: 'ada', client_id: 'pacs' }
  return { url, key, otherKey, trusted, claims }
}

t.test('an external issuer', async t => {
  const { data, authenticate, enrolled, forge, trusted } = await open(t)
  const { url, key, otherKey, claims, ...external } = await makeExternal()
  const both = createAuthenticator(data, [trusted, external.trusted])
  const sign = async (changes: Record<string, unknown>) =>
    bearer(await forge({ key, header: { kid: key.kid }, claims: { ...claims, ...changes } }))
  const theirs = await sign({})

  t.equal(await answer(authenticate, theirs), 'token-invalid', 'not on the list')
  t.equal(await answer(both, theirs), 'account-unknown', 'nobody enrolled that identity')
  await data.database.write(async tx => {
    const identity = { issuer: url, subject: 'ada', accountId: enrolled.accountId, createdAt: 0 }
    await tx.insert(tx.tables.identities).values(identity)
  })
  t.match(await both({ authorization: theirs }), { accountId: enrolled.accountId, issuer: url })

  const subject = enrolled.key.client_id
  const asOurs = await sign({ iss: trusted.issuer, aud: trusted.audience, sub: subject })
  t.equal(await answer(both, asOurs), 'token-invalid', 'its key signs only for itself')
  const borrowed = await sign({ sub: subject })
  t.equal(await answer(both, borrowed), 'account-unknown', 'equal subject, other issuer')

  const header = { alg: 'ES384', kid: otherKey.kid }
  const otherwise = await forge({ key: otherKey, header, claims })
  t.equal(await answer(both, bearer(otherwise)), 'token-invalid', 'an algorithm not allowed here')
})

t.test('remembering saves signature checks and has an end', async t => {
  const { data, trusted, forge } = await open(t)
  const authenticate = createAuthenticator(data, [trusted], 2)
  const tokens = [bearer(await forge({})), bearer(await forge({})), bearer(await forge({}))]
  const { subtle } = globalThis.crypto
  const checked = t.capture(subtle, 'verify', subtle.verify)
  const use = async (index: number) => {
    t.equal(await answer(authenticate, tokens[index]), 'accepted')
    return checked().length
  }
  t.equal(await use(0), 1)
  t.equal(await use(0), 0, 'remembered')
  t.equal(await use(1), 1)
  t.equal(await use(2), 1, 'the first is forgotten for this one')
  t.equal(await use(1), 0)
  t.equal(await use(0), 1)
})
