import t from 'tap'
import { renewRecoveryCodes } from '../../src/sessions/own-passkeys.ts'
import { Authenticator, withPasskey } from '../helpers/authenticator.ts'
import {
  createCase,
  shareRecords,
  startExchange,
  type TestExchange,
  uploadRecord
} from '../helpers/exchange.ts'
import { signedIn } from '../helpers/signed-in.ts'
import { invite, mailOf } from '../register/scene.ts'
import { callerAs, cookieOf, optionsFrom, optionsIn, stranger } from './scene.ts'

/** Signs somebody in with this passkey, and resolves to a browser with their session. */
async function enter(exchange: TestExchange, device: Authenticator) {
  const browser = stranger(exchange)
  const answer = device.authenticate(await optionsFrom(browser, '/sign-in/options'))
  return stranger(exchange, { cookie: cookieOf(await browser.post('/sign-in', { answer })) })
}

type Browser = ReturnType<typeof stranger>

async function add(browser: Browser, name: string) {
  const device = new Authenticator()
  const options = await optionsFrom(browser, '/account/passkeys/options')
  const answer = device.register(options)
  return {
    device,
    options,
    answer,
    sent: await browser.post('/account/passkeys', { answer, name })
  }
}

t.test('passkeys of one’s own', async t => {
  const exchange = await startExchange(t)
  const first = await withPasskey(exchange, 'clinician')
  const browser = await enter(exchange, first)
  const remove = (id: string, by = browser) => by.post('/account/passkeys/remove', { passkey: id })

  await t.test('the last one stays while there is no recovery code', async t => {
    t.match(await remove(first.id), { status: 409, text: /This is your last way in/ })
  })

  const { device, options, sent } = await add(browser, 'Second <b>device</b>')
  t.match(sent, { status: 303 })
  t.same(
    options.excludeCredentials.map(({ id }: { id: string }) => id),
    [first.id]
  )
  const page = await browser.get('/account')
  t.match(page.text, 'Second &lt;b&gt;device&lt;/b&gt;')
  t.notMatch(page.text, '<b>device')

  await t.test('those of others are none of mine', async t => {
    const other = await withPasskey(exchange, 'colleague')
    t.match(await remove(other.id), { status: 404, text: /No such passkey/ })
    const renamed = { passkey: other.id, name: 'Mine' }
    t.match(await browser.post('/account/passkeys/rename', renamed), { status: 404 })
    const theirs = await enter(exchange, other)
    const { answer } = await add(theirs, 'Theirs')
    t.match(await browser.post('/account/passkeys', { answer, name: 'x' }), { status: 403 })
    const asked = await optionsFrom(theirs, '/account/passkeys/options')
    const stolen = new Authenticator().register(asked)
    t.match(await browser.post('/account/passkeys', { answer: stolen, name: 'x' }), { status: 403 })
  })

  await t.test('of two removed at once one stays, and its sessions with it', async t => {
    const inside = await enter(exchange, device)
    const results = await Promise.all([remove(first.id, inside), remove(device.id, inside)])
    t.same(results.map(({ status }) => status).sort(), [303, 409])
  })
})

t.test('removing a passkey ends the sessions that it began', async t => {
  const exchange = await startExchange(t)
  const first = await withPasskey(exchange, 'clinician')
  const lost = await enter(exchange, first)
  const { device } = await add(lost, 'Second')
  const kept = await enter(exchange, device)
  const { result, events } = await exchange.eventsOf(() =>
    kept.post('/account/passkeys/remove', { passkey: first.id })
  )
  t.match(result, { status: 303 })
  t.match(events, [{ action: 'passkey.remove', details: { sessionsEnded: 1 } }])
  t.match(await lost.get('/v1/account'), { status: 401 })
  t.match(await kept.get('/v1/account'), { status: 200 })
  t.match(await kept.post('/account/sign-out-everywhere'), { status: 303 })
  t.match(await kept.get('/v1/account'), { status: 401 })
})

t.test('recovery', async t => {
  const exchange = await startExchange(t)
  const before = await enter(exchange, await withPasskey(exchange, 'clinician'))
  const made = await before.post('/account/recovery-codes')
  const [code = ''] = made.text.match(/[0-9A-Z]{5}(-[0-9A-Z]{5}){3}/) ?? []
  const caller = callerAs(exchange, 'clinician')
  const browser = stranger(exchange)
  const wrong = await exchange.eventsOf(() => browser.post('/recover', { code: '0' }))
  t.match(wrong.result, { status: 403, text: /This recovery code is wrong or was used/ })
  t.match(wrong.events, [{ action: 'recovery.use', outcome: 'refused' }])
  const ready = await Promise.all([1, 2, 3].map(() => browser.post('/recover', { code })))
  const done = await Promise.all(
    ready.map(({ text }) =>
      browser.post('/recover/passkey', { answer: new Authenticator().register(optionsIn(text)) })
    )
  )
  t.same(done.map(({ status }) => status).sort(), [303, 403, 403], 'one of three with one code')
  t.match(await before.get('/v1/account'), { status: 401 }, 'whoever was signed in is not any more')
  t.match(await browser.post('/recover', { code }), { status: 403 })

  await t.test('is told to its owner and to their administrators, and to no clinician', async t => {
    const { read } = exchange.exchange.database
    const rows = await read.select().from(read.tables.notices)
    const { clinician, administrator } = exchange.people
    t.same(rows.map(({ kind, accountId }) => [kind, accountId]).sort(), [
      ['account-recovered', clinician.accountId],
      ['colleague-recovered', administrator.accountId]
    ])
    t.match(await exchange.client('colleague').json('GET', '/v1/notices'), { notices: [] })
    const people = await (await signedIn(exchange, 'administrator')).get('/administration/people')
    t.match(people.text, /Used a recovery code on/)
  })

  await t.test('removes every other passkey but those kept by name', async t => {
    const [kept, lost] = [
      await withPasskey(exchange, 'clinician'),
      await withPasskey(exchange, 'clinician')
    ]
    const foreign = await withPasskey(exchange, 'colleague')
    const [code = ''] = await renewRecoveryCodes(exchange.exchange, caller)
    const { text } = await browser.post('/recover', { code })
    t.match(text, `value="${kept.id}"`)
    t.notMatch(text, foreign.id)
    const answer = new Authenticator().register(optionsIn(text))
    const { result, events } = await exchange.eventsOf(() =>
      browser.post('/recover/passkey', { answer, keep: kept.id })
    )
    t.match(result, { status: 303 })
    // Beside the lost one the one of the recovery before.
    const details = { passkeysRemoved: 2, passkeysKept: 1 }
    t.match(events[0], { action: 'recovery.use', outcome: 'success', details })
    const signIn = async (device: Authenticator) =>
      browser.post('/sign-in', {
        answer: device.authenticate(await optionsFrom(browser, '/sign-in/options'))
      })
    t.match(await signIn(lost), { status: 403 })
    t.match(await signIn(kept), { status: 303 })
    t.match(await signIn(foreign), { status: 303 })
  })

  const [older = ''] = await renewRecoveryCodes(exchange.exchange, caller)
  const [newer = ''] = await renewRecoveryCodes(exchange.exchange, caller)
  t.match(await browser.post('/recover', { code: older }), { status: 403 })
  t.match(await browser.post('/recover', { code: newer }), { status: 200 })
})

t.test('a fresh proof is asked for where it matters', async t => {
  const exchange = await startExchange(t)
  const { id: caseId } = await createCase(exchange.client('clinician'))
  const record = await uploadRecord(exchange.client('clinician'), caseId, {
    files: [{ name: 'letter.txt', bytes: Buffer.from('Dear colleague'), type: 'text/plain' }]
  })
  const clinician = await signedIn(exchange, 'clinician')
  const auditor = await signedIn(exchange, 'auditor')
  const json = { accept: 'application/json' }
  const share = (who: 'specialistGb' | 'specialistIe') =>
    fetch(`${exchange.url}/v1/cases/${caseId}/shares`, {
      method: 'POST',
      headers: {
        cookie: clinician.cookie,
        'sec-fetch-site': 'same-origin',
        'content-type': 'application/json'
      },
      body: JSON.stringify({
        specialist: exchange.people[who].accountId,
        records: [record.id],
        purpose: 'Second opinion'
      })
    })
  t.equal((await share('specialistIe')).status, 201)
  t.match(await auditor.get('/v1/audit/events/export', json), { status: 200 })
  exchange.clock.advance(11 * 60_000)
  t.equal((await share('specialistGb')).status, 201, 'not at home')
  const abroad = await share('specialistIe')
  t.match(await abroad.json(), { status: 403, code: 'proof-needed' })
  const refused = await auditor.get('/v1/audit/events/export', json)
  t.match(refused, { status: 403, text: /proof-needed/ })
  const machine = await exchange.client('auditor').send('GET', '/v1/audit/events/export')
  t.equal(machine.status, 200, 'a machine is not asked')
  await shareRecords(exchange, caseId, [record.id], { with: 'specialistIe' })

  const page = await clinician.post(
    '/account/recovery-codes',
    {},
    { referer: 'http://localhost:3000/account' }
  )
  t.match(page, { status: 303 })
  t.equal(page.headers.get('location'), '/prove?next=%2Faccount')
  const foreign = { referer: 'http://localhost:3000.evil.example/account' }
  const { headers } = await clinician.post('/account/recovery-codes', {}, foreign)
  t.equal(headers.get('location'), '/prove?next=%2F')
})

t.test('whoever proves who they are comes back to a page that is there', async t => {
  // Given pages that were shown again where their forms were sent, and a proof that is too old
  const exchange = await startExchange(t)
  const clinician = await signedIn(exchange, 'clinician')
  const administrator = await signedIn(exchange, 'administrator')
  const person = `/administration/people/${exchange.people.colleague.accountId}`
  t.match(await clinician.post('/account/passkeys', { name: '' }), { status: 400 })
  t.match(await administrator.post(`${person}/role`, { role: '' }), { status: 400 })
  exchange.clock.advance(11 * 60_000)
  for (const { browser, shownAt, form, comesBackTo } of [
    {
      browser: clinician,
      shownAt: '/account/passkeys',
      form: '/account/recovery-codes',
      comesBackTo: '/account'
    },
    {
      browser: administrator,
      shownAt: `${person}/role`,
      form: `${person}/disable`,
      comesBackTo: person
    },
    {
      browser: administrator,
      shownAt: '/administration/people?before=x',
      form: `${person}/disable`,
      comesBackTo: '/administration/people?before=x'
    }
  ]) {
    // When another of their forms is sent from there
    const referer = `http://localhost:3000${shownAt}`
    const { status, headers } = await browser.post(form, {}, { referer })
    t.equal(status, 303)
    const { text } = await browser.get(String(headers.get('location')))
    // Then the proof leads back to a page
    const next = /name="next" value="([^"]*)"/.exec(text)?.[1]
    t.equal(next, comesBackTo)
    t.match(await browser.get(String(next)), { status: 200 })
  }
})

t.test('an invitation is accepted with a passkey', async t => {
  const exchange = await startExchange(t)
  const { invitation, code } = await invite(exchange, { message: 'We met in <i>Lyon</i>.' })
  const { link } = await mailOf(exchange, invitation.id)
  const token = String(link.split('#')[1])
  const browser = stranger(exchange)
  t.match(await browser.get('/i'), { status: 200, text: /You are invited/ })
  const wrong = await browser.post('/i', { link: token, code: '00000-00000' })
  t.match(wrong, { status: 403, text: /Enrolment code is wrong/ })
  t.match(wrong.text, `value="${token}"`, 'the link is still there')
  t.match(await browser.post('/i', { link: '', code }), { status: 400, text: /Link is incomplete/ })
  const ready = await Promise.all([1, 2].map(() => browser.post('/i', { link: token, code })))
  const devices = ready.map(() => new Authenticator())
  const { result: done, events } = await exchange.eventsOf(() =>
    Promise.all(
      ready.map(({ text }, n) =>
        browser.post('/i/passkey', { answer: String(devices[n]?.register(optionsIn(text))) })
      )
    )
  )
  const won = done.findIndex(({ status }) => status === 200)
  t.equal(done.filter(({ status }) => status === 200).length, 1, 'of two at once one is enrolled')
  t.match(done[won]?.text, /Dr Alice Kestrel of City Hospital invited you/)
  t.match(done[won]?.text, 'We met in &lt;i&gt;Lyon&lt;/i&gt;.')
  t.same(
    events.filter(({ outcome }) => outcome === 'success').map(({ action }) => action),
    ['organisation.create', 'passkey.add', 'account.create', 'invitation.accept', 'session.begin']
  )
  const device = devices[won]
  if (device === undefined) throw new Error('Nobody got in.')
  const inside = await enter(exchange, device)
  t.match(await inside.get('/v1/account'), { status: 200, text: /Dr Maya Phalarope/ })
})

t.test('what decides who may be sent records asks for a proof', async t => {
  const exchange = await startExchange(t)
  const administrator = await signedIn(exchange, 'administrator')
  const stale = async () => {
    const { database } = exchange.exchange
    await database.write(tx => tx.update(tx.tables.sessions).set({ provenAt: 1 }))
  }
  await stale()
  const id = '0190a5b0-0000-7000-8000-00000000000f'
  const { get, post } = administrator
  for (const answer of [
    await post(`/administration/register/${id}/verify`, { evidence: 'Seen' }),
    await get('/administration/register/import'),
    await post('/administration/register/import')
  ]) {
    t.match(answer, { status: 303 })
    t.match(answer.headers.get('location'), /^\/prove\?next=/)
  }
  for (const path of ['/v1/webhooks', `/v1/specialists/${id}/verify`]) {
    const { status, text } = await administrator.send('POST', path)
    t.match({ status, text }, { status: 403, text: /proof-needed/ }, path)
  }
})
