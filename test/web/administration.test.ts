import t from 'tap'
import { noBrowser, startBrowser } from '../helpers/browser.ts'
import { sharedRecord, startExchange } from '../helpers/exchange.ts'
import { signedIn } from '../helpers/signed-in.ts'

const PROBE = '"><img src=x onerror=alert(1)>'

const entry = (change: object) => ({
  name: `Dr Jo ${PROBE}`,
  country: 'GB',
  organisation: `Clinic ${PROBE}`,
  specialty: 'Cardiology',
  languages: ['en-GB'],
  professionalBody: 'GMC',
  registrationNumber: '7012345',
  ...change
})

t.test('an administrator sees to the register and to live shares', async t => {
  const exchange = await startExchange(t)
  const { share } = await sharedRecord(exchange, [{ name: 'a.txt', bytes: Buffer.from('Heron.') }])
  const { id } = await exchange
    .client('administrator')
    .json<{ id: string }>('POST', '/v1/specialists', entry({}))
  const browser = await signedIn(exchange, 'administrator')

  await t.test('how things stand', async t => {
    const overview = await browser.get('/administration')
    t.match(overview, { status: 200, text: /Live shares/ })
    t.notMatch(overview.text, 'Heron')
    t.match(await browser.get('/administration/policy'), { status: 200, text: /72 hours/ })
  })

  await t.test('organisations are listed, and one is added by the rules of enrolment', async t => {
    const wrong = await browser.post('/administration/organisations', {
      name: PROBE,
      country: 'UK'
    })
    t.match(wrong, { status: 400, text: /The United Kingdom is GB/ })
    t.notMatch(wrong.text, '<img src=x')
    const { result, events } = await exchange.eventsOf(() =>
      browser.post('/administration/organisations', { name: PROBE, country: 'IE' })
    )
    t.match(result, { status: 303 })
    t.match(events, [
      { action: 'organisation.create', actorId: exchange.people.administrator.accountId }
    ])
    const list = await browser.get('/administration/organisations')
    t.match(list, { status: 200, text: /Dublin Clinic/ })
    t.notMatch(list.text, '<img src=x')
  })

  await t.test('an entry is verified with evidence, and that is ended', async t => {
    const list = await browser.post('/administration/register', { q: 'jo', state: 'unverified' })
    t.match(list.text, `/administration/register/${id}`)
    t.notMatch(list.text, '<img src=x')
    const path = `/administration/register/${id}`
    const page = await browser.get(path)
    t.notMatch(page.text, '<img src=x')
    const version = () =>
      browser.get(path).then(({ text }) => /name="version" value="(\d+)"/.exec(text)?.[1] ?? '')
    const again = await browser.post(`${path}/verify`, { version: await version(), until: PROBE })
    t.match(again, { status: 400, text: /Say what you looked at/ })
    t.notMatch(again.text, '<img src=x')
    const { result, events } = await exchange.eventsOf(async () =>
      browser.post(`${path}/verify`, { version: '1', evidence: 'GMC register, looked up' })
    )
    t.match(result, { status: 303 })
    t.match(events, [{ action: 'specialist.verify', outcome: 'success' }])
    const stale = await browser.post(`${path}/verify`, { version: '1', evidence: 'again' })
    t.match(stale, { status: 412, text: /There is a problem/ })
    const ended = await browser.post(`${path}/end`, { version: await version(), reason: 'left' })
    t.match(ended, { status: 303 })
    t.match((await browser.get(path)).text, /Verification over/)
  })

  await t.test('a file is tried before it is imported', async t => {
    const send = (mode: string, csv: string) => {
      const form = new FormData()
      form.append('mode', mode)
      form.append('file', new Blob([csv], { type: 'text/csv' }), 'people.csv')
      return fetch(`${exchange.url}/administration/register/import`, {
        method: 'POST',
        body: form,
        headers: { cookie: browser.cookie, accept: 'text/html', 'sec-fetch-site': 'same-origin' }
      }).then(async answer => ({ status: answer.status, text: await answer.text() }))
    }
    const csv =
      'name,country,organisation,specialty,languages\nDr New,GB,Clinic,Surgery,en-GB\nDr Bad,XX,Clinic,Surgery,en-GB\n'
    t.match(await send('try', csv), { status: 200, text: /New: 1\..*Refused: 1\./ })
    t.match(await send('import', csv), { status: 200, text: /Done\. New: 1\./ })
    t.match(await send('import', PROBE), { status: 422, text: /There is a problem/ })
  })

  await t.test('shares are withdrawn in one go, after a second question', async t => {
    t.match(await browser.post('/administration/shares/chosen'), { status: 400 })
    const wrong = await browser.post('/administration/shares/chosen', { share: PROBE })
    t.match(wrong, { status: 400, text: /Tick at least one share/ })
    t.notMatch(wrong.text, '<img src=x')
    const asked = await browser.post('/administration/shares/chosen', { share: share.id })
    t.match(asked, { status: 200, text: /Withdraw one share\?/ })
    const { result, events } = await exchange.eventsOf(() =>
      browser.post('/administration/shares/withdraw', { share: share.id })
    )
    t.match(result, { status: 303 })
    t.match(events, [{ action: 'share.revoke', outcome: 'success' }])
    t.equal(result.headers.get('location'), '/administration/shares?withdrawn=1')
  })
})

t.test('an administrator, in a browser without JavaScript', { skip: noBrowser() }, async t => {
  const exchange = await startExchange(t)
  const files = [{ name: 'a.txt', bytes: Buffer.from('Heron.') }]
  await sharedRecord(exchange, files)
  await sharedRecord(exchange, files, { with: 'specialistIe' })
  await exchange
    .client('administrator')
    .json('POST', '/v1/specialists', entry({ name: 'Dr Jo Wren' }))
  const { page } = await startBrowser(t, exchange)
  const window = await page('administrator', { javaScriptEnabled: false })
  await window.goto('/administration/register')
  await window.getByRole('link', { name: 'Dr Jo Wren' }).click()
  await window.getByRole('button', { name: 'I have looked: verify' }).click()
  await window.getByLabel('What did you look at?').fill('GMC register, looked up today')
  await window.getByRole('button', { name: 'I have looked: verify' }).click()
  await window.getByText('Verify again').waitFor()
  await window.goto('/administration/register/import')

  await window.goto('/administration/shares')
  for (const box of await window.getByRole('checkbox').all()) await box.check()
  await window.getByRole('button', { name: 'Withdraw those that are ticked' }).click()
  await window.getByRole('button', { name: 'Yes, withdraw' }).click()
  await window.getByText('2 shares were withdrawn.').waitFor()
})
