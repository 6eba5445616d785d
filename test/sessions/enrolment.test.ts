import t from 'tap'
import { addAccount } from '../../src/identity/enrol.ts'
import { addStaff, disableStaff, listStaff, newStaffCode } from '../../src/identity/staff.ts'
import { firstAdministratorCode } from '../../src/sessions/first-administrator.ts'
import { Authenticator } from '../helpers/authenticator.ts'
import { startExchange } from '../helpers/exchange.ts'
import { callerAs, cookieOf, optionsFrom, optionsIn, stranger } from './scene.ts'

const PERSON = {
  role: 'clinician',
  name: 'Dr Wren Whinchat',
  professionalBody: 'GMC',
  registrationNumber: '1234567'
}
const REFUSED = /This code is wrong, or not good any more/
const CODE = /^[0-9A-HJKMNP-TV-Z]{5}-[0-9A-HJKMNP-TV-Z]{5}$/

t.test('somebody is added, and makes their first passkey', async t => {
  const exchange = await startExchange(t)
  const browser = stranger(exchange)
  const administrator = callerAs(exchange, 'administrator')
  const { result: added, events } = await exchange.eventsOf(() =>
    addStaff(exchange.exchange, administrator, PERSON)
  )
  t.match(added.code, CODE)
  t.same(
    events.map(({ action, actorId }) => [action, actorId]),
    [
      ['account.create', administrator.accountId],
      ['enrolment.create', administrator.accountId]
    ]
  )
  const page = `/enrol/${added.id}`
  t.match(await browser.get(page), { status: 200, text: /Your code/ })
  t.match(await browser.post(page, { code: '00000-00000' }), { status: 403, text: REFUSED })
  const heard = added.code.toLowerCase().replace('-', ' ')
  const ready = await browser.post(page, { code: heard })
  t.match(ready, { status: 200, text: /Dr Wren Whinchat/ })
  const options = optionsIn(ready.text)
  t.match(options, {
    rp: { id: 'localhost' },
    authenticatorSelection: { residentKey: 'required', userVerification: 'required' }
  })
  const device = new Authenticator()
  const answer = device.register(options)
  const { result: done, events: left } = await exchange.eventsOf(() =>
    browser.post(`${page}/passkey`, { answer })
  )
  t.match(done, { status: 200, text: /You see them only this once/ })
  t.equal(done.text.match(/<code>[0-9A-Z-]{23}<\/code>/g)?.length, 10)
  t.same(
    left.map(({ action }) => action),
    ['enrolment.use', 'passkey.add', 'session.begin']
  )
  const inside = stranger(exchange, { cookie: cookieOf(done) })
  t.match(await inside.get('/v1/account'), { status: 200, text: /Dr Wren Whinchat/ })
  t.match(await browser.post(page, { code: added.code }), { status: 403 }, 'a code is used once')
  t.match(await browser.post(`${page}/passkey`, { answer }), { status: 403 })

  const signing = device.authenticate(await optionsFrom(browser, '/sign-in/options'))
  t.match(await browser.post('/sign-in', { answer: signing }), { status: 303 })

  const { accounts: people } = await listStaff(exchange.exchange, administrator, {})
  t.match(people[0], { name: 'Dr Wren Whinchat', passkeys: 1 })
  t.notOk(people[0]?.codeUntil)

  await t.test('a new code takes the place of all they had', async t => {
    const { id = '' } = people[0] ?? {}
    const renewed = await newStaffCode(exchange.exchange, administrator, id)
    t.match(await inside.get('/v1/account'), { status: 401 }, 'a lost device is out at once')
    const again = await browser.post(`/enrol/${renewed.id}`, { code: renewed.code })
    const next = new Authenticator().register(optionsIn(again.text))
    t.match(await browser.post(`/enrol/${renewed.id}/passkey`, { answer: next }), { status: 200 })
    const old = device.authenticate(await optionsFrom(browser, '/sign-in/options'))
    t.match(await browser.post('/sign-in', { answer: old }), { status: 403 })
  })

  await t.test('a specialist whom an administrator adds is verified by nobody yet', async t => {
    const { events } = await exchange.eventsOf(() =>
      addStaff(exchange.exchange, administrator, { ...PERSON, role: 'specialist' })
    )
    const created = events.find(({ action }) => action === 'specialist.create')
    t.match(created, { actorId: administrator.accountId, details: { verified: false } })
    const id = String(created?.details['specialist'])
    const entry = await exchange.client('clinician').json('GET', `/v1/specialists/${id}`)
    t.match(entry, { state: 'unverified' })
  })

  await t.test('only people of one’s own organisation, and not oneself', async t => {
    const { otherClinician } = exchange.people
    for (const act of [newStaffCode, disableStaff]) {
      const on = async (id: string): Promise<unknown> => act(exchange.exchange, administrator, id)
      await t.rejects(on(otherClinician.accountId), { code: 'account-not-found' })
      await t.rejects(on('nobody'), { code: 'account-not-found' })
      await t.rejects(on(administrator.accountId), { code: 'account-own' })
    }
  })
})

t.test('codes at their limits', async t => {
  const exchange = await startExchange(t)
  const browser = stranger(exchange)
  const administrator = callerAs(exchange, 'administrator')
  const add = () => addStaff(exchange.exchange, administrator, PERSON)
  const tries = async () => {
    const { read } = exchange.exchange.database
    return (await read.select().from(read.tables.enrolments)).map(row => row.tries)
  }

  await t.test('five tries, however many at once', async t => {
    const { id, code } = await add()
    await Promise.all(Array.from({ length: 20 }, () => browser.post(`/enrol/${id}`, { code: '0' })))
    t.same(await tries(), [5])
    t.match(await browser.post(`/enrol/${id}`, { code }), { status: 403, text: REFUSED })
  })

  await t.test('of several with the right code and a passkey each, one', async t => {
    const { id, code } = await add()
    const ready = await Promise.all(
      Array.from({ length: 5 }, () => browser.post(`/enrol/${id}`, { code }))
    )
    const done = await Promise.all(
      ready.map(({ text }) =>
        browser.post(`/enrol/${id}/passkey`, {
          answer: new Authenticator().register(optionsIn(text))
        })
      )
    )
    t.equal(done.filter(({ status }) => status === 200).length, 1)
  })

  await t.test('for 72 hours, and until there is a newer one', async t => {
    const { id, code } = await add()
    exchange.clock.advance(72 * 3_600_000)
    t.match(await browser.post(`/enrol/${id}`, { code }), { status: 403 })
  })

  await t.test('a passkey made for one link is none for another way in', async t => {
    const { id, code } = await add()
    const { text } = await browser.post(`/enrol/${id}`, { code })
    const answer = new Authenticator().register(optionsIn(text))
    t.match(await browser.post('/enrol/first/passkey', { answer }), { status: 403 })
    t.match(
      await browser.post(`/enrol/${id}/passkey`, { answer }),
      { status: 403 },
      'nor a second time'
    )
  })
})

const FORM = {
  organisation: 'Heron Trust',
  odsCode: 'RX9',
  country: 'GB',
  timeZone: 'Europe/London',
  name: 'Nell Nightjar'
}

t.test('the first administrator', async t => {
  const exchange = await startExchange(t)
  t.equal(await firstAdministratorCode(exchange.exchange), undefined, 'there is one with a client')
  const { database } = exchange.exchange
  const { clients } = database.read.tables
  await database.write(tx => tx.update(clients).set({ disabledAt: 1 }))
  // An account without a way in is nobody who could let others in.
  await addAccount(exchange.exchange, {
    organisation: 'RX2',
    role: 'administrator',
    name: 'Nobody Yet'
  })
  const browser = stranger(exchange)
  const page = '/enrol/first'
  const older = String(await firstAdministratorCode(exchange.exchange))
  const code = String(await firstAdministratorCode(exchange.exchange))
  t.match(code, /^([0-9A-HJKMNP-TV-Z]{5}-){5}[0-9A-HJKMNP-TV-Z]{5}$/, 'of 150 bits')
  t.match(await browser.post(page, { ...FORM, code: older }), { status: 403, text: REFUSED })

  const wrong = await browser.post(page, { ...FORM, odsCode: '', name: ' ', code })
  t.match(wrong, { status: 400, text: /The ODS code is missing/ })
  t.match(wrong.text, 'value="Heron Trust"', 'what was typed is still there')
  const probe = await browser.post(page, { ...FORM, odsCode: '', organisation: '"><img src=x>' })
  t.notMatch(probe.text, '<img src=x>')

  const guesses = Array.from({ length: 12 }, (_, guess) =>
    browser.post(page, { ...FORM, code: `0000${guess}-00000-00000-00000-00000-00000` })
  )
  for (const { status } of await Promise.all(guesses)) t.equal(status, 403)
  const spoken = code.toLowerCase().replaceAll('-', ' ')
  const late = await browser.post(page, { ...FORM, code: spoken })
  t.match(late, { status: 200 }, 'strangers who guess lock nobody out')

  const ready = await Promise.all(
    Array.from({ length: 3 }, () => browser.post(page, { ...FORM, code }))
  )
  const { result: done, events } = await exchange.eventsOf(() =>
    Promise.all(
      ready.map(({ text }) =>
        browser.post(`${page}/passkey`, { answer: new Authenticator().register(optionsIn(text)) })
      )
    )
  )
  const won = done.filter(({ status }) => status === 200)
  t.equal(won.length, 1, 'of three at once one is made')
  t.same(
    events.filter(({ outcome }) => outcome === 'success').map(({ action }) => action),
    [
      'organisation.create',
      'organisation.operate',
      'account.create',
      'enrolment.use',
      'passkey.add',
      'session.begin'
    ]
  )
  const [first] = won
  if (first === undefined) throw new Error('Nobody got in.')
  const account = await stranger(exchange, { cookie: cookieOf(first) }).get('/v1/account')
  t.match(JSON.parse(account.text), {
    role: 'administrator',
    name: 'Nell Nightjar',
    organisation: { name: 'Heron Trust', odsCode: 'RX9' }
  })
  t.equal(await firstAdministratorCode(exchange.exchange), undefined)
  const answer = new Authenticator().register(optionsIn(late.text))
  t.match(await browser.post(`${page}/passkey`, { answer }), { status: 403 }, 'nor later')
  const { operatingOrganisation } = database.read.tables
  t.match(
    await database.read.select().from(operatingOrganisation),
    [{ organisationId: JSON.parse(account.text).organisation.id }],
    'whoever reads the console runs this exchange'
  )
  t.notMatch(exchange.logged(), code)
})

t.test('the code of the first administrator ends', async t => {
  const exchange = await startExchange(t)
  const { database } = exchange.exchange
  const { clients } = database.read.tables
  const without = (disabledAt: number | null) =>
    database.write(tx => tx.update(clients).set({ disabledAt }))
  const browser = stranger(exchange)
  const begin = (code: string) => browser.post('/enrol/first', { ...FORM, code })

  await t.test('once there is an administrator, made by whatever means', async t => {
    await without(1)
    const code = String(await firstAdministratorCode(exchange.exchange))
    const { text } = await begin(code)
    await without(null)
    t.match(await begin(code), { status: 409, text: /There is an administrator already/ })
    const answer = new Authenticator().register(optionsIn(text))
    const { result, events } = await exchange.eventsOf(() =>
      browser.post('/enrol/first/passkey', { answer })
    )
    t.match(result, { status: 409, text: /There is an administrator already/ })
    t.match(events, [{ action: 'enrolment.use', code: 'enrolment-not-needed' }])
  })

  await t.test('after three days', async t => {
    await without(1)
    const code = String(await firstAdministratorCode(exchange.exchange))
    exchange.clock.advance(72 * 3_600_000)
    t.match(await begin(code), { status: 403, text: REFUSED })
  })
})
