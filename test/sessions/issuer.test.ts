import t from 'tap'
import { eq } from '../../schemas/drizzle.ts'
import { addStaff, newStaffCode } from '../../src/identity/staff.ts'
import { Authenticator, withPasskey } from '../helpers/authenticator.ts'
import { startExchange } from '../helpers/exchange.ts'
import { browserAtIssuer, issuerSettings, startOpenidIssuer } from '../helpers/openid-issuer.ts'
import { invite, mailOf } from '../register/scene.ts'
import { goAndSignIn, hrefIn, joined, PERSON, visitor } from './issuer-scene.ts'
import { callerAs, optionsFrom, optionsIn } from './scene.ts'

const UNKNOWN = /nobody here is known by that sign-in yet/

t.test('people of a hospital, through an issuer in a process of its own', async t => {
  const city = await startOpenidIssuer(t, ['city', 'valley'])
  const entries = [{ name: 'city', issuer: city.url }]
  const exchange = await startExchange(t, { env: issuerSettings(t, entries) })
  const { database } = exchange.exchange
  const actions = (events: { action: string; outcome: string; code: string | null }[]) =>
    events.map(({ action, outcome, code }) => [action, code ?? outcome].join(' '))

  await t.test('join with link and code, beside a passkey', async t => {
    const { here, chosen, back, id, code } = await joined(exchange, 'wren')
    t.match(chosen.text, /Choose how you sign in/)
    t.match(chosen.text, /Make a passkey/)
    t.equal(new URL(hrefIn(chosen.text)).searchParams.get('acr_values'), 'mfa')
    const { result: done, events } = await exchange.eventsOf(() => here.get(back))
    t.match(done, { status: 303 })
    t.equal(done.headers.get('location'), '/account?done=joined')
    t.same(actions(events), ['enrolment.use success', 'session.begin success'])
    t.match(events[1]?.details, { assurance: 'external', issuer: city.url })
    t.match((await here.get('/account?done=joined')).text, /the account of city/)
    t.match((await here.get('/v1/account')).text, /Dr Wren Whinchat/)
    t.match(await here.post(`/enrol/${id}`, { code }), { status: 403 }, 'the code is used')
    t.match((await here.get('/account')).text, /You have 0 unused codes left/)
  })

  await t.test('sign in from then on, and land where they wanted to go', async t => {
    const here = visitor(exchange)
    t.match((await here.get('/sign-in?next=/cases')).text, 'href="/sign-in/with/city?next=')
    const out = await here.get('/sign-in/with/city?next=/cases?state=draft')
    t.match(out.headers.getSetCookie(), [
      /^__Host-consilium-errand=[\w-]{43}; Max-Age=900; Path=\/; HttpOnly; Secure; SameSite=Lax$/
    ])
    const asked = new URL(String(out.headers.get('location'))).searchParams
    t.equal(asked.get('code_challenge_method'), 'S256')
    t.equal(asked.get('prompt'), null)
    const there = browserAtIssuer()
    const back = await there.signIn(String(out.headers.get('location')), { name: 'wren' })
    const { result, events } = await exchange.eventsOf(() => here.get(back))
    t.match(result, { status: 303 })
    t.equal(result.headers.get('location'), '/cases?state=draft')
    t.same(actions(events), ['session.begin success'])
    const first = here.cookies.get('__Host-consilium')
    await here.get(await goAndSignIn(here, { name: 'wren' }, '/sign-in/with/city', there))
    t.equal(there.asked, 1, 'who is signed in there is not asked again')
    t.not(here.cookies.get('__Host-consilium'), first, 'each time by a new cookie')
  })

  await t.test('nobody is led to another site', async t => {
    const here = visitor(exchange)
    for (const next of ['https://evil.example/', '//evil.example', '/\\evil.example', '/.//e']) {
      const path = `/sign-in/with/city?next=${encodeURIComponent(next)}`
      const done = await here.get(await goAndSignIn(here, { name: 'wren' }, path))
      t.equal(done.headers.get('location'), '/cases', next)
    }
  })

  await t.test('somebody whom nobody here knows is told what to do', async t => {
    const here = visitor(exchange)
    const back = await goAndSignIn(here, { name: 'stranger' })
    const { result, events } = await exchange.eventsOf(() => here.get(back))
    t.match(result, { status: 403, text: UNKNOWN })
    t.match(result.text, /You were sent a link and a code\?/)
    t.notOk(here.cookies.has('__Host-consilium'))
    t.same(actions(events), ['session.begin account-unknown'])
    t.notMatch(JSON.stringify(events), /stranger|somebody@/, 'whoever it was is not on the log')
  })

  await t.test('an identity is nobody’s twice, and the code is still good then', async t => {
    const { here, back, id, code } = await joined(exchange, 'wren')
    const { result, events } = await exchange.eventsOf(() => here.get(back))
    t.match(result, { status: 409, text: /This identity has an account already/ })
    t.match(result.text, `/enrol/${id}`)
    t.same(actions(events), ['enrolment.use identity-taken'])
    t.match(await here.post(`/enrol/${id}`, { code }), { status: 200 })
  })

  await t.test('who signed in too weakly is refused', async t => {
    const here = visitor(exchange)
    const back = await goAndSignIn(here, { name: 'wren', acr: 'pwd' })
    const { result, events } = await exchange.eventsOf(() => here.get(back))
    t.match(result, { status: 403, text: /You signed in too weakly there/ })
    t.same(actions(events), ['session.begin assurance-refused'])
  })

  await t.test('who goes away there is told so', async t => {
    const here = visitor(exchange)
    const back = await goAndSignIn(here, { name: '' })
    const { result, events } = await exchange.eventsOf(() => here.get(back))
    t.match(result, { status: 403, text: /did not let you through/ })
    t.same(actions(events), ['session.begin issuer-declined'])
  })

  await t.test('what comes back is good once, in one browser, for a while', async t => {
    const here = visitor(exchange)
    const back = await goAndSignIn(here, { name: 'wren' })
    const other = visitor(exchange)
    t.match(await other.get(back), { status: 403, text: /was not accepted/ }, 'login CSRF')
    t.match(await here.get(back), { status: 403, text: /used before/ }, 'and it is spent by that')
    const again = await goAndSignIn(here, { name: 'wren' })
    t.match(await here.get(again), { status: 303 })
    const { result, events } = await exchange.eventsOf(() => here.get(again))
    t.match(result, { status: 403, text: /used before/ })
    t.same(actions(events), ['session.begin ceremony-ended'])
    const [own, foreign] = [await goAndSignIn(here, { name: 'wren' }), await othersWay()]
    t.match(await here.get(foreign), { status: 403 }, 'an address of somebody else')
    const state = new URL(foreign, 'http://x').searchParams.get('state') ?? ''
    t.match(await here.get(own.replace(/state=[^&]+/, `state=${state}`)), { status: 403 })
    t.match(await here.get(own), { status: 303 }, 'what was not touched is still good')
    t.match(await here.get('/sign-in/from/city'), { status: 403 })

    async function othersWay() {
      return goAndSignIn(visitor(exchange), { name: 'stranger' })
    }
  })

  await t.test('a disabled account is not let in', async t => {
    const { accountId } = exchange.people.auditor
    await bind('nightjar', accountId)
    const { accounts } = database.read.tables
    await database.write(tx => tx.update(accounts).set({ disabledAt: 1 }).where(is(accountId)))
    const here = visitor(exchange)
    const back = await goAndSignIn(here, { name: 'nightjar' })
    const { result, events } = await exchange.eventsOf(() => here.get(back))
    t.match(result, { status: 403, text: /Account is disabled/ })
    t.match(events, [{ action: 'session.begin', code: 'account-disabled', actorId: accountId }])
  })

  await t.test('show again that it is they, where they signed in', async t => {
    const here = visitor(exchange)
    const there = browserAtIssuer()
    await here.get(await goAndSignIn(here, { name: 'wren' }, '/sign-in/with/city', there))
    const { sessions } = database.read.tables
    const goStale = () => database.write(tx => tx.update(sessions).set({ provenAt: 1 }))
    const renew = () => here.post('/account/recovery-codes')
    await goStale()
    t.match((await renew()).headers.get('location'), /^\/prove/)
    const page = await here.get('/prove?next=/account')
    t.match(page.text, /Continue with the account of city/)
    t.notMatch(page.text, /Use your passkey/, 'of which they have none')
    const way = '/prove/elsewhere?next=/account'
    const back = await goAndSignIn(here, { name: 'wren' }, way, there)
    t.equal(there.asked, 2, 'also whoever is signed in there')
    const { result, events } = await exchange.eventsOf(() => here.get(back))
    t.equal(result.headers.get('location'), '/account')
    t.same(actions(events), ['session.prove success'])
    t.match(await renew(), { status: 200 })

    await goStale()
    const asAnother = await goAndSignIn(here, { name: 'stranger' }, way)
    const refused = await exchange.eventsOf(() => here.get(asAnother))
    t.match(refused.result, { status: 403, text: /signed in there as somebody else/ })
    t.same(actions(refused.events), ['session.prove identity-other'])
    const weak = await goAndSignIn(here, { name: 'wren', acr: 'pwd' }, way)
    t.match(await here.get(weak), { status: 403, text: /too weakly/ })
    const lost = await goAndSignIn(here, { name: 'wren' }, way)
    here.cookies.delete('__Host-consilium')
    t.match(await here.get(lost), { status: 403, text: /took too long/ }, 'in no session')
    const signedInOnly = await goAndSignIn(here, { name: 'wren' })
    await here.get(signedInOnly)
    t.match((await here.get('/prove/elsewhere')).status, 303)
  })

  await t.test('sign out here, and are led to sign out there', async t => {
    const here = visitor(exchange)
    await here.get(await goAndSignIn(here, { name: 'wren' }))
    const out = await here.post('/sign-out')
    t.equal(out.headers.get('location'), '/signed-out/city')
    t.match(await here.get('/v1/account'), { status: 401 })
    const page = await here.get('/signed-out/city')
    t.match(page, { status: 200, text: /You are signed out here/ })
    const there = new URL(hrefIn(page.text))
    t.equal(there.origin, city.url)
    t.same(Object.fromEntries(there.searchParams), {
      client_id: 'consilium',
      post_logout_redirect_uri: 'http://localhost:3000/'
    })
    t.match(await fetch(there), { status: 200 })
    t.match(await here.get('/signed-out/nobody'), { status: 404 })
  })

  await t.test('a new code takes the place of the identity, too', async t => {
    const { here, back } = await joined(exchange, 'robin')
    await here.get(back)
    const { identities } = database.read.tables
    const rows = await database.read.select().from(identities)
    const { accountId = '' } = rows.find(({ subject }) => subject === 'robin') ?? {}
    const by = callerAs(exchange, 'administrator')
    const renewed = await newStaffCode(exchange.exchange, by, accountId)
    const ofHere = eq(identities.issuer, 'embedded')
    const taking = database.write(async tx => void (await tx.delete(identities).where(ofHere)))
    await t.rejects(taking, 'those of this service itself stay')
    const chosen = await here.post(`/enrol/${renewed.id}`, { code: renewed.code })
    const again = await browserAtIssuer().signIn(hrefIn(chosen.text), { name: 'robin-2' })
    t.match(await here.get(again), { status: 303 })
    t.match(await here.get(await goAndSignIn(here, { name: 'robin' })), { text: UNKNOWN })
    t.match(await here.get(await goAndSignIn(here, { name: 'robin-2' })), { status: 303 })
  })

  await t.test('and of the recovery codes from before', async t => {
    const { id, code } = await addStaff(
      exchange.exchange,
      callerAs(exchange, 'administrator'),
      PERSON
    )
    const here = visitor(exchange)
    const { text } = await here.post(`/enrol/${id}`, { code })
    const answer = new Authenticator().register(optionsIn(text))
    const arrived = await here.post(`/enrol/${id}/passkey`, { answer })
    const [old = ''] = /[0-9A-Z]{5}(-[0-9A-Z]{5}){3}/.exec(arrived.text) ?? []
    t.match(await visitor(exchange).post('/recover', { code: old }), { status: 200 })
    const { id: accountId } = JSON.parse((await here.get('/v1/account')).text)
    const by = callerAs(exchange, 'administrator')
    const renewed = await newStaffCode(exchange.exchange, by, accountId)
    const chosen = await here.post(`/enrol/${renewed.id}`, { code: renewed.code })
    const back = await browserAtIssuer().signIn(hrefIn(chosen.text), { name: 'siskin' })
    t.match(await here.get(back), { status: 303 })
    t.match(await visitor(exchange).post('/recover', { code: old }), { status: 403 })
  })

  await t.test('an invited specialist joins with it as well', async t => {
    const { invitation, code } = await invite(exchange)
    const link = String((await mailOf(exchange, invitation.id)).link)
    const here = visitor(exchange)
    const chosen = await here.post('/i', { link: String(link.split('#')[1]), code })
    const back = await browserAtIssuer().signIn(hrefIn(chosen.text), { name: 'maya' })
    const { result, events } = await exchange.eventsOf(() => here.get(back))
    t.equal(result.headers.get('location'), '/account?done=accepted')
    t.same(actions(events).slice(-2), ['invitation.accept success', 'session.begin success'])
    t.match((await here.get('/account?done=accepted')).text, /an administrator looks you up/)
  })

  await t.test('somebody with a passkey and an identity may use either', async t => {
    const { accountId } = exchange.people.clinician
    const device = await withPasskey(exchange, 'clinician')
    await bind('alice', accountId)
    const here = visitor(exchange)
    await here.get(await goAndSignIn(here, { name: 'alice' }))
    t.match((await here.get('/prove')).text, /Use your passkey/)
    const answer = device.authenticate(await optionsFrom(here, '/prove/options'))
    t.match(await here.post('/prove', { answer }), { status: 303 })
  })

  await t.test('an issuer that is taken away vouches for nobody any more', async t => {
    const here = visitor(exchange)
    await here.get(await goAndSignIn(here, { name: 'alice' }))
    t.match(await here.get('/v1/account'), { status: 200 })
    const byKey = {
      name: 'valley',
      issuer: city.url,
      by: 'key',
      subject: 'oid',
      acr: 'not-checked'
    }
    await exchange.restart({ CONSILIUM_SIGN_IN_ISSUERS: '' })
    t.match(await here.get('/v1/account'), { status: 401 })
    t.match(await here.get('/sign-in/with/city'), { status: 404, text: /No such way to sign in/ })
    t.notMatch((await here.get('/sign-in')).text, /Continue with/)
    await exchange.restart(issuerSettings(t, [byKey]))
  })

  await t.test('another claim names people, and a key proves who we are', async t => {
    const by = callerAs(exchange, 'administrator')
    const { id, code } = await addStaff(exchange.exchange, by, { ...PERSON, role: 'auditor' })
    const here = visitor(exchange)
    const chosen = await here.post(`/enrol/${id}`, { code })
    const back = await browserAtIssuer().signIn(hrefIn(chosen.text), { name: 'sora', acr: 'pwd' })
    t.match(await here.get(back), { status: 303 })
    const { read } = exchange.exchange.database
    const rows = await read.select().from(read.tables.identities)
    t.ok(rows.some(({ issuer, subject }) => issuer === city.url && subject === 'oid-of-sora'))
  })

  function is(id: string) {
    return eq(database.read.tables.accounts.id, id)
  }

  async function bind(subject: string, accountId: string) {
    const row = { issuer: city.url, subject, accountId, createdAt: 1 }
    await database.write(async tx => void (await tx.insert(tx.tables.identities).values(row)))
  }
})
