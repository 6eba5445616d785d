import t from 'tap'
import { endAccess } from '../../src/sessions/end-access.ts'
import { looksRight, noBrowser, startBrowser } from '../helpers/browser.ts'
import { startExchange } from '../helpers/exchange.ts'
import { signedIn } from '../helpers/signed-in.ts'

t.test('a page is strict with its browser, and kept by nobody', async t => {
  const exchange = await startExchange(t)
  const { status, headers } = await fetch(exchange.url, { headers: { accept: 'text/html' } })
  t.equal(status, 200)
  t.equal(headers.get('cache-control'), 'no-store')
  t.match(headers.get('content-security-policy'), /^default-src 'none'; script-src 'self' 'nonce-/)
  t.notMatch(headers.get('content-security-policy'), /unsafe|https?:/)
  t.equal(headers.get('x-frame-options'), 'DENY')
})

t.test('a session lets in until it ends', async t => {
  const exchange = await startExchange(t)
  const browser = await signedIn(exchange, 'clinician')
  const account = () => browser.get('/v1/account')
  t.match(await account(), { status: 200, text: /Dr Alice Kestrel/ }, 'it is good for the API too')
  t.match(await browser.get('/v1/account', { 'sec-fetch-site': 'cross-site' }), { status: 403 })

  await t.test('when its owner signs out', async t => {
    const other = await signedIn(exchange, 'clinician')
    const { result, events } = await exchange.eventsOf(() => other.post('/sign-out'))
    t.match(result, { status: 303 })
    t.match(result.headers.get('set-cookie'), /Max-Age=0/)
    t.match(events, [{ action: 'session.end', outcome: 'success' }])
    t.match(await other.get('/v1/account'), { status: 401, text: /session-ended/ })
    t.match(await account(), { status: 200 }, 'and no other session of theirs')
  })

  await t.test('when nothing was done for too long', async t => {
    const idle = await signedIn(exchange, 'clinician')
    for (let minutes = 0; minutes < 60; minutes += 20) {
      exchange.clock.advance(20 * 60_000)
      t.match(await account(), { status: 200 })
    }
    t.match(await idle.get('/v1/account'), { status: 401, text: /session-ended/ })
  })

  await t.test('after twelve hours, whatever was done', async t => {
    for (let minutes = 60; minutes < 12 * 60; minutes += 20) {
      t.match(await account(), { status: 200 })
      exchange.clock.advance(20 * 60_000)
    }
    t.match(await account(), { status: 401, text: /session-ended/ })
  })

  await t.test('when a backup is restored that holds it', async t => {
    const restored = await signedIn(exchange, 'colleague')
    const mine = await signedIn(exchange, 'clinician')
    await exchange.exchange.database.write(endAccess)
    for (const { get } of [restored, mine]) t.match(await get('/v1/account'), { status: 401 })
  })
})

t.test('the way in, in a browser', { skip: noBrowser() }, async t => {
  const exchange = await startExchange(t)
  const { page } = await startBrowser(t, exchange)
  const window = await page()
  const foreign: string[] = []
  window.on('request', request => {
    if (!request.url().startsWith('http://localhost:3000/')) foreign.push(request.url())
  })
  await window.goto('/')
  t.same(foreign, [], 'nothing comes from elsewhere')
  await window.goto('/nowhere')
  await looksRight(t, window, 'not-found')
})
