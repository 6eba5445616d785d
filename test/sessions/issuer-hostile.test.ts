import t from 'tap'
import { startExchange } from '../helpers/exchange.ts'
import { CLIENT_SECRET, issuerSettings } from '../helpers/openid-issuer.ts'
import { scriptedIssuer, type TokenTwist } from '../helpers/scripted-issuer.ts'
import { visitor } from './issuer-scene.ts'

const DISCOVERY = '/.well-known/openid-configuration'
const hour = 3600
const now = () => Math.floor(Date.now() / 1000)

t.test('an issuer, or whoever stands in its way, that means harm', async t => {
  const city = await scriptedIssuer(t, CLIENT_SECRET)
  const valley = await scriptedIssuer(t, CLIENT_SECRET)
  const entries = [
    { name: 'city', issuer: city.url },
    { name: 'valley', issuer: valley.url }
  ]
  const exchange = await startExchange(t, { env: issuerSettings(t, entries) })
  const { database } = exchange.exchange
  const { accountId } = exchange.people.clinician
  await database.write(async tx => {
    const row = { issuer: city.url, subject: 'alice', accountId, createdAt: 1 }
    await tx.insert(tx.tables.identities).values(row)
  })
  /** Out to the city, and the path that leads back from there. */
  const wayBack = async (here: ReturnType<typeof visitor>, twist?: TokenTwist) => {
    const out = await here.get('/sign-in/with/city')
    if (out.status !== 303) throw new Error(`${out.status} ${out.text}`)
    return city.signIn(String(out.headers.get('location')), 'alice', twist)
  }
  const refusedWith = async (path: string, here: ReturnType<typeof visitor>) => {
    const { result, events } = await exchange.eventsOf(() => here.get(path))
    if (here.cookies.has('__Host-consilium')) throw new Error('Somebody was let in.')
    if (events.length !== 1) throw new Error(`${events.length} events`)
    const [event] = events
    return [result.status, event?.action, event?.code]
  }
  const NOT_ACCEPTED = [403, 'session.begin', 'issuer-answer-refused']

  await t.test('one that does as it should lets them in', async t => {
    const here = visitor(exchange)
    const done = await here.get(await wayBack(here))
    t.match(done, { status: 303 })
    t.ok(here.cookies.has('__Host-consilium'))
  })

  await t.test('one that asks nobody again vouches for no fresh proof', async t => {
    const here = visitor(exchange)
    await here.get(await wayBack(here))
    const { sessions } = database.read.tables
    await database.write(tx => tx.update(sessions).set({ provenAt: 1 }))
    const prove = async (twist: TokenTwist) => {
      const out = await here.get('/prove/elsewhere?next=/account')
      const url = String(out.headers.get('location'))
      const { searchParams } = new URL(url)
      t.same([searchParams.get('prompt'), searchParams.get('max_age')], ['login', '0'])
      return exchange.eventsOf(() => here.get(city.signIn(url, 'alice', twist)))
    }
    for (const twist of [{ claims: { auth_time: now() - 60 } }, { without: ['auth_time'] }]) {
      const { result, events } = await prove(twist)
      t.match(result, { status: 403, text: /You were not asked again who you are/ })
      t.match(events, [{ action: 'session.prove', code: 'proof-refused' }])
    }
    t.match((await here.post('/account/recovery-codes')).headers.get('location'), /^\/prove/)
    t.match(await prove({}), { result: { status: 303 }, events: [{ action: 'session.prove' }] })
    t.match(await here.post('/account/recovery-codes'), { status: 200 })
  })

  const twists: Record<string, TokenTwist> = {
    'for another try': { claims: { nonce: 'another' } },
    'for no try': { without: ['nonce'] },
    'for another client': { claims: { aud: 'another' } },
    'for several clients, of which another asked': {
      claims: { aud: ['consilium', 'another'], azp: 'another' }
    },
    'of another issuer': { claims: { iss: valley.url } },
    expired: { claims: { exp: now() - 60, iat: now() - hour } },
    'that begins later': { claims: { nbf: now() + hour } },
    'without an end': { without: ['exp'] },
    'that names nobody': { without: ['sub'] },
    'that names somebody with a line break': { claims: { sub: 'alice\n' } },
    'that is not signed': { signed: 'not' },
    'signed by the shared secret': { signed: 'by the secret' },
    'signed by another key': { signed: 'by another' },
    'that is no token': {
      answer: { status: 200, body: '{"access_token":"x","id_token":"x.y.z"}' }
    },
    'that is missing': {
      answer: { status: 200, body: '{"access_token":"x","token_type":"Bearer"}' }
    },
    'that is no JSON': { answer: { status: 200, body: '<html>' } },
    'that is a refusal': { answer: { status: 400, body: '{"error":"invalid_grant"}' } },
    'somewhere else': { answer: { status: 302, body: '', headers: { location: valley.url } } }
  }
  for (const [what, twist] of Object.entries(twists)) {
    await t.test(`a token ${what} is refused`, async t => {
      const here = visitor(exchange)
      t.same(await refusedWith(await wayBack(here, twist), here), NOT_ACCEPTED)
    })
  }

  await t.test('weakly, or as it does not say, is refused', async t => {
    for (const twist of [{ claims: { acr: 'pwd' } }, { without: ['acr'] }]) {
      const here = visitor(exchange)
      const expected = [403, 'session.begin', 'assurance-refused']
      t.same(await refusedWith(await wayBack(here, twist), here), expected)
    }
  })

  await t.test('an answer of another issuer is refused (mix-up)', async t => {
    const asked = () => valley.asked.get('/token') ?? 0
    const elsewhere = (path: string) => path.replace('/from/city', '/from/valley')
    const named = (path: string) =>
      path.replace(/iss=[^&]+/, `iss=${encodeURIComponent(valley.url)}`)
    const unnamed = (path: string) => path.replace(/&iss=[^&]+/, '')
    const twice = (path: string) => `${path}&code=another`
    // It need not even say that answers name their issuer: its way back is not that of the other.
    const metadata = { authorization_response_iss_parameter_supported: false }
    Object.assign(valley.habits, { metadata })
    const both = (path: string) => elsewhere(unnamed(path))
    for (const twist of [elsewhere, both, named, unnamed, twice]) {
      const here = visitor(exchange)
      t.same(await refusedWith(twist(await wayBack(here)), here), NOT_ACCEPTED)
    }
    t.equal(asked(), 0, 'and its code is shown to nobody')
  })

  await t.test('a code of somebody else is refused (PKCE)', async t => {
    const here = visitor(exchange)
    const theirs = new URL(await wayBack(visitor(exchange)), 'http://x').searchParams.get('code')
    const mixed = (await wayBack(here)).replace(/code=[^&]+/, `code=${theirs}`)
    t.same(await refusedWith(mixed, here), NOT_ACCEPTED)
  })

  await t.test('a way back ends after a quarter of an hour', async t => {
    const here = visitor(exchange)
    const late = await wayBack(here)
    exchange.clock.advance(15 * 60_000)
    t.same(await refusedWith(late, here), [403, 'session.begin', 'ceremony-ended'])
  })

  const DOWN = [503, 'session.begin', 'issuer-unavailable']

  await t.test('one that fails half-way is told as not answering', async t => {
    const much = JSON.stringify({ access_token: 'x'.repeat(300_000) })
    const body = '{"error":"server_error"}'
    for (const answer of [
      { status: 500, body },
      { status: 200, body: much },
      { status: 401, body: '{"error":"invalid_client"}' }
    ]) {
      const here = visitor(exchange)
      t.same(await refusedWith(await wayBack(here, { answer }), here), DOWN, String(answer.status))
    }
    t.match(exchange.logged(), /"issuer":"city","code":"issuer-unavailable","reason":"status 500"/)
  })

  await t.test('one that is slow or down is told, and given a rest', async t => {
    exchange.clock.advance(hour * 1000)
    const here = visitor(exchange)
    Object.assign(city.habits, { silent: [DISCOVERY] })
    t.same(await refusedWith('/sign-in/with/city', here), DOWN)
    Object.assign(city.habits, { silent: [], broken: [DISCOVERY] })
    const asked = city.asked.get(DISCOVERY)
    const page = await here.get('/sign-in/with/city')
    t.match(page.text, /Try again in a few minutes\. If you have a passkey here, sign in with it/)
    t.equal(city.asked.get(DISCOVERY), asked, 'it is not asked at once again')
    t.match(await here.get('/sign-in'), { status: 200 }, 'and the way in by passkey is there')
    exchange.clock.advance(10_000)
    t.same(await refusedWith('/sign-in/with/city', here), DOWN)
    t.equal(city.asked.get(DISCOVERY), Number(asked) + 1)
    exchange.clock.advance(10_000)
    Object.assign(city.habits, { broken: [] })
    const several = await Promise.all(
      Array.from({ length: 5 }, () => here.get('/sign-in/with/city'))
    )
    t.ok(several.every(({ status }) => status === 303))
    t.equal(city.asked.get(DISCOVERY), Number(asked) + 2, 'by one for all')
  })

  await t.test('one that calls itself otherwise is none', async t => {
    const here = visitor(exchange)
    const issuers = [
      valley.url,
      `${city.url}/`,
      'https://login.microsoftonline.com/{tenantid}/v2.0'
    ]
    for (const issuer of issuers) {
      exchange.clock.advance(hour * 1000)
      Object.assign(city.habits, { metadata: { issuer } })
      t.same(await refusedWith('/sign-in/with/city', here), DOWN, issuer)
    }
  })
})
