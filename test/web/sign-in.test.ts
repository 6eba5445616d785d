import type { Page } from 'playwright-core'
import t from 'tap'
import { addStaff } from '../../src/identity/staff.ts'
import { firstAdministratorCode } from '../../src/sessions/first-administrator.ts'
import { looksRight, noBrowser, startBrowser } from '../helpers/browser.ts'
import { startExchange } from '../helpers/exchange.ts'
import { issuerSettings, startOpenidIssuer } from '../helpers/openid-issuer.ts'
import { signedIn } from '../helpers/signed-in.ts'
import { invite, mailOf } from '../register/scene.ts'
import { callerAs } from '../sessions/scene.ts'

const PROBE = '"><img src=x onerror=alert(1)>'

/** A device that is unlocked by its owner, plugged into this window: `unplug` takes it away. */
async function deviceOf(window: Page) {
  const session = await window.context().newCDPSession(window)
  await session.send('WebAuthn.enable')
  const { authenticatorId } = await session.send('WebAuthn.addVirtualAuthenticator', {
    options: {
      protocol: 'ctap2',
      transport: 'internal',
      hasResidentKey: true,
      hasUserVerification: true,
      isUserVerified: true,
      automaticPresenceSimulation: true
    }
  })
  return {
    unplug: () => session.send('WebAuthn.removeVirtualAuthenticator', { authenticatorId })
  }
}

const press = (window: Page, name: string) => window.getByRole('button', { name }).click()
const heading = (window: Page, name: string | RegExp) =>
  window.getByRole('heading', { level: 1, name }).waitFor()

t.test(
  'from the console to a clinician who has lost her device',
  { skip: noBrowser() },
  async t => {
    const exchange = await startExchange(t)
    const { database } = exchange.exchange
    await database.write(tx => tx.update(tx.tables.clients).set({ disabledAt: 1 }))
    const code = String(await firstAdministratorCode(exchange.exchange))
    const { page } = await startBrowser(t, exchange)

    const administrator = await page()
    await deviceOf(administrator)
    await administrator.goto('/enrol/first')
    await administrator.getByLabel('Your code').fill(code)
    await administrator.getByLabel('Name of the organisation').fill('Heron Trust')
    await administrator.getByLabel('ODS code').fill('RX9')
    await administrator.getByLabel('Your name').fill('Nell Nightjar')
    await press(administrator, 'Continue')
    await heading(administrator, 'Make your passkey')
    await looksRight(t, administrator, 'make-passkey')
    await press(administrator, 'Make a passkey')
    await heading(administrator, 'Keep your recovery codes')

    await administrator.goto('/administration/people')
    await administrator.getByRole('button', { name: 'Add a person' }).click()
    await press(administrator, 'Add and make an enrolment code')
    await heading(administrator, 'Add a person')
    await administrator.getByLabel('Clinician').check()
    await administrator.getByLabel('Full name').fill('Dr Wren Whinchat')
    await administrator.getByLabel('Professional body').fill('GMC')
    await administrator.getByLabel('Registration number').fill('1234567')
    await press(administrator, 'Add and make an enrolment code')
    await heading(administrator, 'Pass these on by two different ways')
    const link = await administrator.locator('[data-link]').innerText()
    const enrolmentCode = await administrator.locator('[data-code]').innerText()

    await administrator.goto('/administration/people')
    await administrator.getByRole('link', { name: 'Dr Wren Whinchat' }).click()
    await looksRight(t, administrator, 'people-person')
    await administrator.goto('/administration/people/codes')
    await looksRight(t, administrator, 'people-codes')

    const wren = await page()
    const first = await deviceOf(wren)
    await wren.goto(link)
    await wren.getByLabel('Your code').fill('00000-00000')
    await press(wren, 'Continue')
    await wren.getByLabel('Your code').fill(enrolmentCode)
    await press(wren, 'Continue')
    await press(wren, 'Make a passkey')
    await heading(wren, 'Keep your recovery codes')
    const recovery = await wren.locator('[data-codes] code').first().innerText()

    await wren.goto('/account')
    await press(wren, 'Sign out everywhere')
    await wren.goto('/sign-in?next=/account')
    await press(wren, 'Sign in with a passkey')
    await heading(wren, 'Your account')

    await first.unplug()
    const second = await deviceOf(wren)
    // So long ago that adding a passkey asks who is there; her second device cannot say.
    await wren.getByLabel('What to call it').fill('Second device')
    await press(wren, 'Add a passkey')
    await wren.getByText('The passkey was added.').waitFor()
    await wren
      .getByText(/Rename or remove/)
      .first()
      .click()
    await wren.getByRole('button', { name: 'Remove this passkey' }).first().click()
    await wren.goto('/sign-in')
    await press(wren, 'Sign in with a passkey')
    await wren.waitForURL(/\/cases/)
    await wren.goto('/account')
    t.same(await wren.locator('main h3').allInnerTexts(), ['Second device', 'Add another passkey'])

    exchange.clock.advance(11 * 60_000)
    await press(wren, 'Make new recovery codes')
    await heading(wren, 'Show again that it is you')
    await press(wren, 'Use your passkey')
    await heading(wren, 'Your account')

    await second.unplug()
    const lost = await page()
    await deviceOf(lost)
    await lost.goto('/sign-in')
    await lost.getByRole('link', { name: /recovery code/ }).click()
    await lost.getByLabel('Recovery code').fill(recovery)
    await press(lost, 'Continue')
    await lost.getByLabel('Second device').waitFor()
    await looksRight(t, lost, 'recover-keep')
    await press(lost, 'Make a passkey')
    await lost.getByText(/You have a new passkey/).waitFor()
    await looksRight(t, lost, 'account-recovered')
    t.match(await lost.locator('main').innerText(), /You have 9 unused codes left/)
    await wren.goto('/account')
    await heading(wren, 'Sign in')
  }
)

t.test('an invited specialist, from the link in the mail', { skip: noBrowser() }, async t => {
  const exchange = await startExchange(t)
  const { invitation, code } = await invite(exchange)
  const { link } = await mailOf(exchange, invitation.id)
  const { page } = await startBrowser(t, exchange)
  const window = await page()
  await deviceOf(window)
  const asked: string[] = []
  window.on('request', request => void asked.push(request.url()))
  await window.goto('/i')
  await window.getByText(/The link is not complete/).waitFor()
  await window.goto('about:blank')
  await window.goto(link)
  await looksRight(t, window, 'invitation')
  await window.getByLabel('Your code').fill(code)
  await press(window, 'Continue')
  await press(window, 'Make a passkey')
  await heading(window, 'Keep your recovery codes')
  await looksRight(t, window, 'invitation-accepted')
  t.notOk(
    asked.some(url => url.includes(String(link.split('.')[1]))),
    'no address holds the token'
  )
  await window.goto('/account')
  t.match(await window.locator('main').innerText(), /Specialist/)
})

t.test('through the issuer of a hospital, by links alone', { skip: noBrowser() }, async t => {
  const city = await startOpenidIssuer(t)
  const down = { name: 'valley', issuer: 'http://127.0.0.1:1' }
  const entries = [{ name: 'city', issuer: city.url, label: 'your City Hospital account' }, down]
  const exchange = await startExchange(t, { env: issuerSettings(t, entries) })
  const by = callerAs(exchange, 'administrator')
  const person = { role: 'auditor', name: 'Sora Crake' }
  const { id, code } = await addStaff(exchange.exchange, by, person)
  const { page } = await startBrowser(t, exchange)
  const window = await page(undefined, { javaScriptEnabled: false })
  const follow = (name: RegExp) => window.getByRole('button', { name }).click()
  const CITY = /Continue with your City Hospital account/
  const signInThere = async (name: string) => {
    await window.getByLabel('Name').fill(name)
    await follow(/Sign in/)
  }
  // Scripts are off for the whole window: what has to look right is looked at in another.
  const withScripts = await page()
  await withScripts.goto('/sign-in?next=/log')
  await looksRight(t, withScripts, 'sign-in-elsewhere')

  await window.goto('/sign-in?next=/log')
  await follow(CITY)
  await signInThere('sora')
  await heading(window, 'You did not get in')
  t.match(await window.locator('main').innerText(), /You were sent a link and a code/)

  await window.goto(`/enrol/${id}`)
  await window.getByLabel('Your code').fill(code)
  await press(window, 'Continue')
  await heading(window, 'Choose how you sign in')
  t.match(await window.locator('main').innerText(), /the account of valley does not answer/)
  await follow(CITY)
  await window.getByText(/From now on you sign in with/).waitFor()

  const { sessions } = exchange.exchange.database.read.tables
  await exchange.exchange.database.write(tx => tx.update(sessions).set({ provenAt: 1 }))
  await press(window, 'Make new recovery codes')
  await heading(window, 'Show again that it is you')
  await follow(CITY)
  await signInThere('sora')
  await heading(window, 'Your account')

  // The answer to a form leads on to the issuer by a page: browsers let no form lead there.
  await press(window, 'Sign out everywhere')
  await heading(window, 'You are signed out here')
  await window.getByRole('button', { name: /Sign out of your City Hospital account too/ }).click()
  await follow(/Sign out/)
  await window.waitForURL('http://localhost:3000/')

  await withScripts.goto('/signed-out/city')
  await looksRight(t, withScripts, 'signed-out-elsewhere')
  await withScripts.goto('/sign-in/with/city')
  await withScripts.getByLabel('Name').fill('nobody')
  await withScripts.getByRole('button', { name: 'Sign in' }).click()
  await heading(withScripts, 'You did not get in')
  await looksRight(t, withScripts, 'sign-in-elsewhere-unknown')
  const again = await addStaff(exchange.exchange, by, person)
  await withScripts.goto(`/enrol/${again.id}`)
  await withScripts.getByLabel('Your code').fill(again.code)
  await press(withScripts, 'Continue')
  await looksRight(t, withScripts, 'enrol-elsewhere')
})

t.test('without JavaScript the way in says why it needs it', { skip: noBrowser() }, async t => {
  const exchange = await startExchange(t)
  const { page } = await startBrowser(t, exchange)
  const window = await page(undefined, { javaScriptEnabled: false })
  await window.goto('/sign-in')
  t.match(await window.locator('main').innerText(), /Passkeys need JavaScript/)
})

t.test('people, to other eyes', async t => {
  const exchange = await startExchange(t)
  const browser = await signedIn(exchange, 'administrator')
  const list = await browser.get('/administration/people')
  t.match(list.text, /Dr Alice Kestrel/)
  t.notMatch(list.text, exchange.people.otherClinician.name, 'nobody of another trust')
  const fields = ['role', 'name', 'professionalBody', 'registrationNumber', 'country', 'email']
  for (const field of fields) {
    const { status, text } = await browser.post('/administration/people', { [field]: PROBE })
    t.equal(status, 400)
    t.notMatch(text, '<img src=x', field)
  }
  const named = { role: 'auditor', name: PROBE }
  const { text } = await browser.post('/administration/people', named)
  t.notMatch(text, '<img src=x')
  t.notMatch((await browser.get('/administration/people')).text, '<img src=x')
  for (const act of ['code', 'code/withdraw', 'role', 'disable', 'enable']) {
    const { accountId } = exchange.people.otherClinician
    const answer = await browser.post(`/administration/people/${accountId}/${act}`)
    t.match(answer, { status: 404, text: /No such account/ })
  }
  const foreign = await browser.get(
    `/administration/people/${exchange.people.otherClinician.accountId}`
  )
  t.match(foreign, { status: 404, text: /No such account/ })
  const { accountId } = exchange.people.clinician
  const disabled = await exchange.eventsOf(() =>
    browser.post(`/administration/people/${accountId}/disable`)
  )
  t.match(disabled, { result: { status: 303 }, events: [{ action: 'account.disable' }] })
  const person = `/administration/people/${accountId}`
  t.match(await browser.get(person), { status: 200, text: /Let them in again/ })
  const enabled = await exchange.eventsOf(() => browser.post(`${person}/enable`))
  t.match(enabled, { result: { status: 303 }, events: [{ action: 'account.enable' }] })

  await t.test('roles are changed, and whoever has one is signed out', async t => {
    const theirs = await signedIn(exchange, 'clinician')
    const send = (fields: Record<string, string>) => browser.post(`${person}/role`, fields)
    for (const role of ['', PROBE, 'clinician']) t.match(await send({ role }), { status: 400 })
    t.notMatch((await send({ role: PROBE, professionalBody: PROBE })).text, '<img src=x')
    t.match(await send({ role: 'specialist' }), { status: 409, text: /specialist stays/ })
    const { result, events } = await exchange.eventsOf(() => send({ role: 'auditor' }))
    t.match(result, { status: 303 })
    const details = { account: accountId, from: 'clinician', to: 'auditor', sessionsEnded: 1 }
    t.match(events, [{ action: 'account.role', outcome: 'success', details }])
    t.match(await theirs.get('/v1/account'), { status: 401 })
    const again = await signedIn(exchange, 'clinician')
    t.match(await again.get('/v1/account'), { status: 200, text: /"role":"auditor"/ })
    t.match(await exchange.client('clinician').send('GET', '/v1/cases'), { status: 403 })
    t.match(await send({ role: 'clinician' }), { status: 303 }, 'her registration is known')
    const { auditor, administrator } = exchange.people
    const to = (id: string, role: string) =>
      browser.post(`/administration/people/${id}/role`, { role })
    const unregistered = await to(auditor.accountId, 'clinician')
    t.match(unregistered, { status: 400, text: /professional body is missing/ })
    t.match(await to(administrator.accountId, 'auditor'), { status: 409, text: /your own account/ })
  })

  await t.test('what can undo a person wants a fresh proof', async t => {
    exchange.clock.advance(11 * 60_000)
    for (const act of ['code', 'role', 'disable', 'enable']) {
      const { status, headers } = await browser.post(`${person}/${act}`, { role: 'auditor' })
      t.equal(status, 303, act)
      t.match(headers.get('location'), /^\/prove/)
    }
    const headers = { cookie: browser.cookie, 'sec-fetch-site': 'same-origin' }
    const path = `${exchange.url}/v1/accounts/${accountId}/disable`
    const asked = await fetch(path, { method: 'POST', headers })
    t.match(await asked.json(), { code: 'proof-needed' }, 'of the API too')
  })
})

t.test('codes and invitations under way', async t => {
  const exchange = await startExchange(t)
  const browser = await signedIn(exchange, 'administrator')
  const administrator = exchange.client('administrator')
  const add = async (name: string) => {
    const person = { role: 'auditor', name }
    return administrator.json<{ account: string; link: string; code: string }>(
      'POST',
      '/v1/accounts',
      person
    )
  }
  const states = async () => {
    const { enrolments } = await administrator.json<{
      enrolments: { name: string; state: string }[]
    }>('GET', '/v1/enrolments')
    return enrolments.map(({ state }) => state)
  }
  const wyn = await add('Wyn Wheatear')
  const { account } = await add(PROBE)
  t.same(await states(), ['open', 'open'])
  const page = '/administration/people/codes'
  const list = await browser.get(page)
  t.match(list, { status: 200, text: /Wyn Wheatear/ })
  t.notMatch(list.text, '<img src=x')
  t.notMatch(list.text, wyn.code, 'a code is told once')

  const send = (code: string, link = wyn.link) =>
    fetch(exchange.url + new URL(link).pathname, {
      method: 'POST',
      body: new URLSearchParams({ code }),
      headers: { accept: 'text/html', 'sec-fetch-site': 'same-origin' }
    })
  const withdraw = () => browser.post(`/administration/people/${wyn.account}/code/withdraw`)
  const { result, events } = await exchange.eventsOf(withdraw)
  t.match(result, { status: 303 })
  t.match(events, [{ action: 'enrolment.withdraw', details: { account: wyn.account } }])
  t.match(await withdraw(), { status: 404, text: /no code to withdraw/ })
  t.equal((await send(wyn.code)).status, 403)
  t.same(await states(), ['open', 'withdrawn'])

  const again = await administrator.json<typeof wyn>('POST', `/v1/accounts/${account}/enrolment`)
  t.same(await states(), ['open', 'replaced', 'withdrawn'])
  for (let tries = 0; tries < 5; tries++) await send('00000-00000', again.link)
  t.same(await states(), ['locked', 'replaced', 'withdrawn'])
  await administrator.send('POST', `/v1/accounts/${account}/enrolment`)
  exchange.clock.advance(72 * 3_600_000)
  t.equal((await states())[0], 'expired')

  await t.test('an administrator withdraws what a clinician sent', async t => {
    const { invitation } = await invite(exchange)
    const inside = await signedIn(exchange, 'administrator')
    t.match(await inside.get(page), { status: 200, text: invitation.name })
    const path = `/administration/people/invitations/${invitation.id}/withdraw`
    const withdrawn = await exchange.eventsOf(() => inside.post(path))
    t.match(withdrawn, { result: { status: 303 }, events: [{ action: 'invitation.withdraw' }] })
    const other = await signedIn(exchange, 'otherAdministrator')
    t.match(await other.post(path), { status: 404, text: /No such invitation/ })
    t.notMatch((await other.get(page)).text, invitation.name)
  })
})
