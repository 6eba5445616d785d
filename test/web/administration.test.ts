import t from 'tap'
import { v7 as uuidv7 } from 'uuid'
import { knownCase, openCaseKey } from '../../src/cases/case.ts'
import { openTerms, sealTerms } from '../../src/shares/share.ts'
import { noBrowser, startBrowser } from '../helpers/browser.ts'
import {
  sharedRecord,
  shareRecords,
  startExchange,
  type TestExchange
} from '../helpers/exchange.ts'
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
    const [location = '', again] = [
      result.headers.get('location') ?? '',
      await browser.post('/administration/shares/withdraw', { share: share.id })
    ]
    t.equal(location, '/administration/shares?withdrawn=1&of=1')
    t.match((await browser.get(location)).text, 'One share was withdrawn.')
    const nothing = await browser.get(String(again.headers.get('location')))
    t.match(nothing.text, '0 shares were withdrawn.')
    t.match(nothing.text, 'One of those that were ticked had ended before.')
  })
})

t.test('organisations and the register are for who runs the exchange', async t => {
  const exchange = await startExchange(t)
  const operator = await signedIn(exchange, 'administrator')
  const other = await signedIn(exchange, 'otherAdministrator')
  const { otherClinician, auditor } = exchange.people
  const { id } = await exchange
    .client('administrator')
    .json<{ id: string }>('POST', '/v1/specialists', entry({ email: 'jo@clinic.example' }))
  const entryPath = `/administration/register/${id}`

  for (const path of ['organisations', 'register', 'register/import', `register/${id}`]) {
    const answer = await other.get(`/administration/${path}`)
    t.match(answer, { status: 403, text: /does not run this exchange/ }, path)
  }
  const tries = {
    '/administration/organisations': { name: 'Galway Clinic', country: 'IE' },
    [`${entryPath}/verify`]: { version: '1', evidence: 'I say so' },
    [`${entryPath}/end`]: { version: '1', reason: 'I say so' }
  }
  for (const [path, fields] of Object.entries(tries)) {
    const { result, events } = await exchange.eventsOf(() => other.post(path, fields))
    t.match(result, { status: 403 }, path)
    t.match(events, [{ outcome: 'refused', code: 'operator-only' }])
  }
  const overview = await other.get('/administration')
  t.match(overview, { status: 200, text: /Live shares/ })
  t.notMatch(overview.text, '/administration/register')
  t.match((await operator.get('/administration')).text, '/administration/register')
  const client = exchange.client('otherAdministrator')
  const seen = await client.json('GET', `/v1/specialists/${id}`)
  t.notMatch(JSON.stringify(seen), 'jo@clinic.example', 'nor does it see addresses in the register')

  await t.test('who gives others their administrators, and nobody else', async t => {
    const at = otherClinician.organisationId
    const form = await operator.get(`/administration/people/add?organisation=${at}`)
    t.match(form, { status: 200, text: `value="${at}"` })
    const add = (browser: typeof operator, role: string, organisation = at) =>
      browser.post('/administration/people', { role, name: 'Wyn Wheatear', organisation })
    t.match(await add(operator, 'auditor'), { status: 400, text: /only an administrator/ })
    const { result, events } = await exchange.eventsOf(() => add(operator, 'administrator'))
    t.match(result, { status: 200, text: /Wyn Wheatear was added/ })
    t.match(events, [
      { action: 'account.create', organisationId: at },
      { action: 'enrolment.create', organisationId: at }
    ])
    t.match((await other.get('/administration/people')).text, 'Wyn Wheatear')
    t.notMatch((await operator.get('/administration/people')).text, 'Wyn Wheatear')
    t.match(await add(other, 'administrator', auditor.organisationId), { status: 403 })
    t.match(await add(operator, 'administrator', id), { status: 404 }, 'an id of nothing')
  })
})

t.test('after a while an organisation is added with a fresh proof alone', async t => {
  const exchange = await startExchange(t)
  const operator = await signedIn(exchange, 'administrator')
  const form = { name: 'Galway Clinic', country: 'IE' }
  exchange.clock.advance(11 * 60_000)
  const { result: stale, events } = await exchange.eventsOf(() =>
    operator.post('/administration/organisations', form)
  )
  t.match(stale, { status: 303 })
  t.match(stale.headers.get('location'), '/prove?next=', 'the passkey is asked for again')
  t.match(events, [{ action: 'organisation.create', outcome: 'refused', code: 'proof-needed' }])
})

t.test('every live share is ended, however many, and none that was made since', async t => {
  const exchange = await startExchange(t)
  const { caseId, record, share } = await sharedRecord(exchange, [
    { name: 'a.txt', bytes: Buffer.from('Heron.') }
  ])
  await copyShare(exchange, share.id, 560)
  const browser = await signedIn(exchange, 'administrator')
  const path = '/administration/shares/every'
  const asked = await browser.get(path)
  t.match(asked.text, 'End all 561 live shares?')
  const [, since = ''] = /name="since" value="(\d+)"/.exec(asked.text) ?? []
  exchange.clock.advance(60_000)
  await shareRecords(exchange, caseId, [record.id])

  for (const wrong of ['', PROBE, '0', String(exchange.clock.now() + 60_000)]) {
    t.match(await browser.post(path, { since: wrong }), { status: 400, text: /too old/ })
  }
  const long = await browser.post(path, { since, reason: 'x'.repeat(1001) })
  t.match(long, { status: 400, text: /too long/ })
  const first = await browser.post(path, { since, reason: 'A laptop was lost' })
  t.equal(first.headers.get('location'), `${path}?since=${since}`)
  const cut = await browser.get(`${path}?since=${since}`)
  t.match(cut.text, 'You have ended 500 shares')
  t.match(cut.text, '61 of them are still live.')
  t.match(cut.text, 'One share was made since, and is live.')

  const twice = await Promise.all([1, 2].map(() => browser.post(path, { since })))
  for (const { status } of twice) t.equal(status, 303, 'pressed twice')
  const done = await browser.get(`${path}?since=${since}`)
  t.match(done.text, 'You have ended 561 shares')
  t.match(done.text, 'None of them is left.')
  const events = await exchange.auditEvents({ action: 'share.revoke', outcome: 'success' })
  t.equal(events.length, 561, 'each was ended once')
  t.match(events[0]?.details, { reason: 'A laptop was lost' })
  const left = await browser.get('/administration/shares')
  t.match(left.text, 'End the one live share')
  t.match(
    await browser.post(path, { since }),
    { status: 303 },
    'nothing is left, and that is no fault'
  )
})

t.test('shares of the last page of a long list are ended too', async t => {
  const exchange = await startExchange(t)
  const { share } = await sharedRecord(exchange, [{ name: 'a.txt', bytes: Buffer.from('Heron.') }])
  const ids = await copyShare(exchange, share.id, 210)
  const browser = await signedIn(exchange, 'clinician')
  const last = ids.at(-1) ?? ''
  const look = await browser.post('/shares/end', { shares: last })
  t.match(look.text, `value="${last}"`)
  const done = await browser.post('/shares/end/confirm', { shares: last })
  t.equal(done.headers.get('location'), '/shares?ended=1&of=1')
  const many = ids.slice(0, 101).map((id): [string, string] => ['shares', id])
  t.match(await browser.post('/shares/end', many), { status: 400, text: /100 at most/ })
})

/** Makes shares like this one, each to end a little later, and returns their ids in that order. */
async function copyShare({ exchange }: TestExchange, id: string, times: number) {
  const ids: string[] = []
  await exchange.database.write(async tx => {
    const { shares } = tx.tables
    const row = (await tx.select().from(shares)).find(share => share.id === id)
    if (row === undefined) throw new Error('There is no such share.')
    const key = await openCaseKey(exchange.keyring, await knownCase(tx, row.caseId))
    const terms = openTerms(key, row)
    for (let n = 1; n <= times; n += 1) {
      const copyId = uuidv7({ msecs: row.createdAt })
      const termsSealed = sealTerms(key, copyId, terms)
      const copy = { ...row, id: copyId, termsSealed, expiresAt: row.expiresAt + n }
      await tx.insert(shares).values(copy)
      ids.push(copy.id)
    }
  })
  return ids
}

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

  await sharedRecord(exchange, files)
  await window.goto('/administration/shares')
  await window.getByRole('link', { name: 'End the one live share' }).click()
  await window.getByRole('button', { name: 'End it' }).click()
  await window.getByText('None of them is left.').waitFor()
})
