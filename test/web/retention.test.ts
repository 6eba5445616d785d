import { createLocalJWKSet, type JSONWebKeySet, jwtVerify } from 'jose'
import t from 'tap'
import { looksRight, noBrowser, startBrowser } from '../helpers/browser.ts'
import { PATIENT_NAME, sharedRecord, startExchange } from '../helpers/exchange.ts'
import { signedIn } from '../helpers/signed-in.ts'

const PROBE = '"><img src=x onerror=alert(1)>'
const files = [{ name: 'scan.txt', bytes: Buffer.from('Heron scan.') }]
const PROOF_MINUTES = 11

t.test('a case is held, let go, and erased, by those who may', async t => {
  const exchange = await startExchange(t)
  const { caseId } = await sharedRecord(exchange, files)
  const administrator = await signedIn(exchange, 'administrator')
  const path = `/cases/${caseId}`
  const erasing = { reason: `Asked ${PROBE}`, confirmation: caseId.slice(-6).toUpperCase() }

  await t.test('an administrator goes to a case by its number, and to no other', async t => {
    const other = await signedIn(exchange, 'otherClinician')
    t.match(await other.get(`${path}/retention`), { status: 404 })
    const find = (id: string) => administrator.post('/administration/retention', { case: id })
    const wrong = await find(PROBE)
    t.match(wrong, { status: 400, text: /36 letters, digits and hyphens/ })
    t.notMatch(wrong.text, '<img src=x')
    t.match(await find(exchange.people.auditor.accountId), { status: 404 })
    const found = await find(caseId.toUpperCase())
    t.equal(found.headers.get('location'), `${path}/retention`)
    const page = await administrator.get(`${path}/retention`)
    t.match(page, { status: 200, text: /There is no legal hold/ })
    t.notMatch(page.text, PATIENT_NAME)
  })

  await t.test(
    'a hold needs a reason, which clinicians do not read, and stops an erasure',
    async t => {
      const none = await administrator.post(`${path}/holds`)
      t.match(none, { status: 400, text: /href="#reason"/ })
      for (const nth of ['first', 'second']) {
        const { result, events } = await exchange.eventsOf(() =>
          administrator.post(`${path}/holds`, { reason: `Inquest, ${nth} ${PROBE}` })
        )
        t.equal(result.headers.get('location'), `${path}/retention`)
        t.match(events, [{ action: 'hold.create', outcome: 'success', caseId }])
      }
      for (const who of ['clinician', 'auditor'] as const) {
        const seen = await (await signedIn(exchange, who)).get(`${path}/retention`)
        t.match(seen, { status: 200, text: /2 legal holds keep it/ })
        t.notMatch(seen.text, '<img src=x')
        t.equal(seen.text.includes('Inquest'), who === 'auditor')
        t.notMatch(seen.text, `${path}/erasure`)
      }
      t.match((await administrator.get(`${path}/erasure`)).text, 'Lift each of them first')
      const { result, events } = await exchange.eventsOf(() =>
        administrator.post(`${path}/erasure`, erasing)
      )
      t.match(result, { status: 409, text: /Case is under a legal hold/ })
      t.match(events.at(0), { action: 'case.erase', outcome: 'refused', code: 'case-held' })
    }
  )

  await t.test('each hold is lifted once, with a reason', async t => {
    const { text } = await administrator.get(`${path}/retention`)
    const lifts = [...text.matchAll(/href="([^"]+\/lift)"/g)].map(([, href]) => String(href))
    t.equal(lifts.length, 2)
    const [first = '', second = ''] = lifts
    t.match((await administrator.get(first)).text, 'One other hold stays')
    t.match(await administrator.post(first), { status: 400, text: /href="#reason"/ })
    t.match(await administrator.post(first, { reason: PROBE }), { status: 303 })
    t.match(await administrator.post(first, { reason: 'again' }), { status: 409 })
    t.match((await administrator.get(second)).text, 'It is the last hold')
    t.match(await administrator.post(second, { reason: 'Settled' }), { status: 303 })
    const after = await administrator.get(`${path}/retention`)
    t.match(after.text, 'Lifted on')
    t.notMatch(after.text, '<img src=x')
    t.match(await administrator.get(`${path}/holds/${caseId}/lift`), { status: 404 })
  })

  await t.test('an erasure says what goes, and wants to be meant', async t => {
    const page = await administrator.get(`${path}/erasure`)
    t.match(page.text, '1 record: 1 file, 11 bytes')
    t.match(page.text, 'One live share: it ends first')
    t.match(page.text, 'What the access log tells of the case')
    const wrong = await administrator.post(`${path}/erasure`, { ...erasing, confirmation: 'yes' })
    t.match(wrong, { status: 400, text: /href="#confirmation"/ })
    t.notMatch(wrong.text, '<img src=x')
    t.match(await administrator.post(`${path}/erasure`, { confirmation: erasing.confirmation }), {
      status: 400,
      text: /href="#reason"/
    })
    exchange.clock.advance(PROOF_MINUTES * 60_000)
    for (const stale of [
      await administrator.get(`${path}/erasure`),
      await administrator.post(`${path}/erasure`, erasing)
    ]) {
      t.match(stale.headers.get('location'), '/prove?next=', 'the passkey is asked for again')
    }
    const proven = await signedIn(exchange, 'administrator')
    const both = await Promise.all(
      [1, 2].map(() => proven.post(`${path}/erasure`, erasing).then(({ status }) => status))
    )
    t.same(both.sort(), [303, 410], 'pressed twice, it is erased once')
    t.equal((await exchange.auditEvents({ action: 'case.erase', outcome: 'success' })).length, 1)
  })

  await t.test('its receipt can be read by all of the organisation, and verifies', async t => {
    const { text } = await administrator.get(`${path}/retention`)
    t.match(text, 'This case was erased')
    t.notMatch(text, 'Put on hold')
    const [, receipt = ''] = /href="(\/erasures\/[^"]+)"/.exec(text) ?? []
    for (const who of ['clinician', 'auditor', 'administrator'] as const) {
      const browser = await signedIn(exchange, who)
      const page = await browser.get(receipt)
      t.match(page, { status: 200, text: /The whole case was erased for good/ })
      t.notMatch(page.text, PATIENT_NAME)
      t.equal(page.text.includes('See its event'), who === 'auditor')
      const [, signed = ''] = /<pre class="log-note">([^<]+)</.exec(page.text) ?? []
      const jwks = await exchange.client().json<JSONWebKeySet>('GET', '/.well-known/jwks.json')
      const { payload } = await jwtVerify(signed, createLocalJWKSet(jwks))
      t.match(payload, { case: caseId, scope: 'case' })
    }
    const other = await signedIn(exchange, 'otherAuditor')
    t.match(await other.get(receipt), { status: 404 })
    const proven = await signedIn(exchange, 'administrator')
    t.match(await proven.get(`${path}/erasure`), { status: 200, text: /was erased/ })
    t.match(await (await signedIn(exchange, 'clinician')).get(path), { status: 410 })
  })
})

t.test('holds and an erasure, in a browser', { skip: noBrowser() }, async t => {
  const exchange = await startExchange(t)
  const { caseId } = await sharedRecord(exchange, files)
  const { page } = await startBrowser(t, exchange)
  const clinician = await page('clinician')
  await clinician.goto(`/cases/${caseId}`)
  await clinician.getByRole('link', { name: 'How long this case is kept' }).click()
  await looksRight(t, clinician, 'retention-clinician')

  const window = await page('administrator', { acceptDownloads: true })
  await window.goto('/administration')
  await window.getByRole('link', { name: 'Holds and erasures' }).click()
  await looksRight(t, window, 'retention-find')
  await window.getByRole('button', { name: 'Find the case' }).click()
  await looksRight(t, window, 'retention-find-wrong')
  await window.getByLabel('Number of the case').fill(caseId)
  await window.getByRole('button', { name: 'Find the case' }).click()
  await window.getByLabel('Why is it held?').fill('Inquest of 3 May, letter of the coroner')
  await window.getByRole('button', { name: 'Put on hold' }).click()
  await window.getByText('One legal hold keeps it').waitFor()
  await looksRight(t, window, 'retention-held')
  await window.getByRole('link', { name: 'Erase this case before its time' }).click()
  await looksRight(t, window, 'retention-erase-held')
  await window.getByRole('link', { name: 'See the holds' }).click()
  await window.getByRole('link', { name: /Lift this hold/ }).click()
  await looksRight(t, window, 'retention-lift')
  await window.getByLabel('Why is it lifted?').fill('The inquest is over')
  await window.getByRole('button', { name: 'Lift the hold' }).click()
  await window.getByText('Lifted on').waitFor()
  await window.getByRole('link', { name: 'Erase this case before its time' }).click()
  await looksRight(t, window, 'retention-erase')
  await window.getByRole('button', { name: 'Erase for good' }).click()
  await looksRight(t, window, 'retention-erase-wrong')
  await window.getByLabel('Why is it erased?').fill('The patient asked on 4 May')
  await window.getByLabel('to show that you mean this case').fill(caseId.slice(-6))
  await window.getByRole('button', { name: 'Erase for good' }).click()
  await looksRight(t, window, 'retention-receipt')
  const [download] = await Promise.all([
    window.waitForEvent('download'),
    window.getByRole('button', { name: 'Download the receipt' }).click()
  ])
  t.match(download.suggestedFilename(), /^erasure-.*\.json$/)
  await window.goto(`/cases/${caseId}/retention`)
  await looksRight(t, window, 'retention-erased')
})
