import type { Page } from 'playwright-core'
import t from 'tap'
import { firstAdministratorCode } from '../../src/sessions/first-administrator.ts'
import { looksRight, noBrowser, startBrowser } from '../helpers/browser.ts'
import { startExchange } from '../helpers/exchange.ts'
import { signedIn } from '../helpers/signed-in.ts'
import { invite, mailOf } from '../register/scene.ts'

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
  for (const act of ['code', 'disable']) {
    const { accountId } = exchange.people.otherClinician
    const answer = await browser.post(`/administration/people/${accountId}/${act}`)
    t.match(answer, { status: 404, text: /No such account/ })
  }
  const { accountId } = exchange.people.clinician
  const disabled = await exchange.eventsOf(() =>
    browser.post(`/administration/people/${accountId}/disable`)
  )
  t.match(disabled, { result: { status: 303 }, events: [{ action: 'account.disable' }] })
})
