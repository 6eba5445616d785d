import t from 'tap'
import { disableAccount } from '../../src/identity/enrol.ts'
import { Authenticator, withPasskey } from '../helpers/authenticator.ts'
import { startExchange } from '../helpers/exchange.ts'
import { signedIn } from '../helpers/signed-in.ts'
import { cookieOf, optionsFrom, stranger } from './scene.ts'

const OPTIONS = '/sign-in/options'

t.test('signing in with a passkey', async t => {
  const exchange = await startExchange(t)
  const browser = stranger(exchange)
  const device = await withPasskey(exchange, 'clinician')
  const { accountId } = exchange.people.clinician
  const send = (answer: string, next = '') => browser.post('/sign-in', { answer, next })
  const refused = (code: string) => [{ action: 'session.begin', outcome: 'refused', code }]

  await t.test('gives a session, and leads to where one wanted to go', async t => {
    const options = await optionsFrom(browser, OPTIONS)
    t.match(options, { rpId: 'localhost', userVerification: 'required', allowCredentials: [] })
    const { result, events } = await exchange.eventsOf(() =>
      send(device.authenticate(options), '/cases?state=draft')
    )
    t.match(result, { status: 303 })
    t.equal(result.headers.get('location'), '/cases?state=draft')
    t.match(
      result.headers.get('set-cookie'),
      /^__Host-consilium=[\w-]{43}; Path=\/; HttpOnly; Secure; SameSite=Lax$/
    )
    t.match(events, [{ action: 'session.begin', outcome: 'success', actorId: accountId }])
    const account = await stranger(exchange, { cookie: cookieOf(result) }).get('/v1/account')
    t.match(account, { status: 200, text: /Dr Alice Kestrel/ })
  })

  await t.test('gives a new cookie whatever cookie came (session fixation)', async t => {
    const before = `__Host-consilium=${'A'.repeat(43)}`
    const fixed = stranger(exchange, { cookie: before })
    const answer = device.authenticate(await optionsFrom(fixed, OPTIONS))
    const cookie = cookieOf(await fixed.post('/sign-in', { answer }))
    t.match(cookie, /^__Host-consilium=/)
    t.not(cookie, before)
    t.match(await fixed.get('/v1/account'), { status: 401 })
  })

  await t.test('works once for each challenge, and for one of several at once', async t => {
    const answer = device.authenticate(await optionsFrom(browser, OPTIONS))
    const results = await Promise.all(Array.from({ length: 8 }, () => send(answer)))
    t.equal(results.filter(({ status }) => status === 303).length, 1)
    const { result, events } = await exchange.eventsOf(() => send(answer))
    t.match(result, { status: 403, text: /took too long, or was used before/ })
    t.match(events, refused('ceremony-ended'))
  })

  await t.test('works for five minutes', async t => {
    const late = device.authenticate(await optionsFrom(browser, OPTIONS))
    exchange.clock.advance(5 * 60_000)
    t.match(await send(late), { status: 403, text: /took too long/ })
  })

  const twists = {
    'another site': { origin: 'http://evil.example' },
    'another port of this machine': { origin: 'http://localhost:3001' },
    'another host': { host: 'evil.example' },
    'nobody who unlocked it': { isUnverified: true },
    'the name of somebody else': { userHandle: Buffer.from('another').toString('base64url') }
  }
  for (const [what, twist] of Object.entries(twists)) {
    await t.test(`refuses an answer for ${what}`, async t => {
      const answer = device.authenticate(await optionsFrom(browser, OPTIONS), twist)
      const { result, events } = await exchange.eventsOf(() => send(answer))
      t.match(result, { status: 403, text: /This passkey was not accepted/ })
      t.equal(result.headers.get('set-cookie'), null)
      t.match(events, refused('passkey-refused'))
    })
  }

  await t.test('refuses what it does not know, alike', async t => {
    const unknown = new Authenticator()
    const answers = [
      unknown.authenticate(await optionsFrom(browser, OPTIONS)),
      unknown.authenticate({ challenge: 'x'.repeat(43) }),
      '',
      '{}',
      '[',
      'null',
      '{"id":1,"response":{"clientDataJSON":"e30"}}',
      '{"id":"x","response":{"clientDataJSON":7}}',
      'x'.repeat(40_000)
    ]
    for (const answer of answers) t.match(await send(answer), { status: 403 })
    const stolen = new Authenticator()
    Object.assign(stolen, { id: device.id })
    const forged = stolen.authenticate(await optionsFrom(browser, OPTIONS))
    t.match(await send(forged), { status: 403, text: /This passkey was not accepted/ })
  })

  await t.test('a challenge for one thing is none for another', async t => {
    const inside = await signedIn(exchange, 'clinician')
    const answer = device.authenticate(await optionsFrom(inside, '/prove/options'))
    t.match(await send(answer), { status: 403, text: /took too long/ })
  })

  await t.test('refuses forms of other sites', async t => {
    const answer = device.authenticate(await optionsFrom(browser, OPTIONS))
    for (const headers of [{ 'sec-fetch-site': 'cross-site' }, { 'sec-fetch-site': 'same-site' }]) {
      const { result, events } = await exchange.eventsOf(() =>
        browser.post('/sign-in', { answer }, headers)
      )
      t.match(result, { status: 403, text: /from another site/ })
      t.match(events, refused('cross-site-refused'))
    }
    t.match(await send(answer), { status: 303 }, 'and the challenge is still there')
  })

  await t.test('a disabled account is not signed in, nor let on', async t => {
    const cookie = cookieOf(await send(device.authenticate(await optionsFrom(browser, OPTIONS))))
    await disableAccount(exchange.exchange, { accountId })
    const answer = device.authenticate(await optionsFrom(browser, OPTIONS))
    const { result, events } = await exchange.eventsOf(() => send(answer))
    t.match(result, { status: 403, text: /Account is disabled/ })
    t.match(events, [{ code: 'account-disabled', actorId: accountId }])
    t.match(await stranger(exchange, { cookie }).get('/v1/account'), { status: 401 })
  })
})

t.test('an authenticator that counts must count on', async t => {
  const exchange = await startExchange(t)
  const browser = stranger(exchange)
  const device = await withPasskey(exchange, 'clinician')
  const send = async (counter: number) =>
    browser.post('/sign-in', {
      answer: device.authenticate(await optionsFrom(browser, OPTIONS), { counter })
    })
  t.match(await send(0), { status: 303 })
  t.match(await send(0), { status: 303 }, 'many never count')
  t.match(await send(7), { status: 303 })
  for (const counter of [7, 6, 0]) {
    const { result, events } = await exchange.eventsOf(() => send(counter))
    t.match(result, { status: 403, text: /seems to have been copied/ })
    t.match(events, [{ action: 'session.begin', code: 'passkey-copied' }])
  }
  const all = await Promise.all(Array.from({ length: 6 }, () => send(8)))
  t.equal(all.filter(({ status }) => status === 303).length, 1, 'of the same count one passes')
})

t.test('where one wanted to go is a page of this service', async t => {
  const exchange = await startExchange(t)
  const browser = stranger(exchange)
  const device = await withPasskey(exchange, 'clinician')
  const elsewhere = [
    'https://evil.example/',
    '//evil.example',
    '/\\evil.example',
    '\\\\evil.example',
    '/\t/evil.example',
    '\t//evil.example',
    '/.//evil.example',
    '/..//evil.example',
    'javascript:alert(1)',
    'evil.example',
    '/cases\r\nset-cookie: a=b',
    ''
  ]
  for (const next of elsewhere) {
    const answer = device.authenticate(await optionsFrom(browser, OPTIONS))
    const { status, headers } = await browser.post('/sign-in', { answer, next })
    t.equal(status, 303)
    const location = String(headers.get('location'))
    const { origin } = new URL(location, 'http://localhost:3000')
    t.equal(origin, 'http://localhost:3000', `${JSON.stringify(next)}: ${location}`)
  }
  const { text } = await browser.get(
    `/sign-in?next=${encodeURIComponent('/x"><img src=x onerror=alert(1)>')}`
  )
  t.notMatch(text, '<img src=x')
  for (const next of ['/%2F%2Fevil.example', '/%5Cevil.example', '/cases/1?a=b']) {
    const { text } = await browser.get(`/sign-in?next=${encodeURIComponent(next)}`)
    t.match(text, `value="${next}"`, 'stays a path here')
  }
})

t.test('showing again who one is', async t => {
  const exchange = await startExchange(t)
  const own = await withPasskey(exchange, 'clinician')
  const other = await withPasskey(exchange, 'colleague')
  const browser = await signedIn(exchange, 'clinician')
  const prove = async (device: Authenticator) =>
    browser.post('/prove', {
      answer: device.authenticate(await optionsFrom(browser, '/prove/options')),
      next: '/cases'
    })
  const options = await optionsFrom(browser, '/prove/options')
  t.same(
    options.allowCredentials.map(({ id }: { id: string }) => id),
    [own.id]
  )
  const { result, events } = await exchange.eventsOf(() => prove(own))
  t.match(result, { status: 303 })
  t.equal(result.headers.get('location'), '/cases')
  t.match(events, [{ action: 'session.prove', outcome: 'success' }])
  t.match(
    await prove(other),
    { status: 403, text: /not accepted/ },
    'with a passkey of somebody else'
  )
  const foreign = await signedIn(exchange, 'colleague')
  const answer = own.authenticate(await optionsFrom(foreign, '/prove/options'))
  t.match(await browser.post('/prove', { answer }), { status: 403 }, 'nor with their challenge')
})
