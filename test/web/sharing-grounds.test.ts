import t from 'tap'
import {
  createCase,
  numberedText,
  openShare,
  shareRecords,
  startExchange,
  uploadRecord
} from '../helpers/exchange.ts'
import { intrude } from '../helpers/intruder.ts'
import { madeScan, SOMEBODY_ELSE } from '../helpers/made-dicom.ts'
import { dayFrom, wholeRequest, writeRequest } from '../helpers/request.ts'
import { signedIn } from '../helpers/signed-in.ts'

const PROBE = '"><img src=x onerror=alert(1)>'

t.test('what stands against sharing is said, and what to do about it', async t => {
  const exchange = await startExchange(t)
  const clinician = exchange.client('clinician')
  const browser = await signedIn(exchange, 'clinician')
  const { id: caseId } = await createCase(clinician)
  const record = await uploadRecord(clinician, caseId, { files: [numberedText(1000)] })
  const { specialists } = await clinician.json<{ specialists: { id: string; name: string }[] }>(
    'GET',
    '/v1/specialists?limit=200'
  )
  const stepsTo = (name: string) =>
    `/cases/${caseId}/share/${specialists.find(entry => entry.name === name)?.id}`
  const carol = stepsTo('Dr Carol Goldcrest')
  const asha = stepsTo('Dr Asha Bulbul')
  const terms = (...more: [string, string][]): [string, string][] => [
    ['records', record.id],
    ['purpose', 'Second opinion'],
    ['hours', '72'],
    ...more
  ]
  const day = (name: string, offset: number): [string, string][] => {
    const [year = '', month = '', date = ''] = dayFrom(exchange.clock.now(), offset).split('-')
    return [
      [`${name}-day`, date],
      [`${name}-month`, month],
      [`${name}-year`, year]
    ]
  }

  await t.test('a record of somebody else cannot be chosen, or sent', async t => {
    const bytes = madeScan(SOMEBODY_ELSE)
    const wrong = await uploadRecord(clinician, caseId, {
      kind: 'scan',
      title: 'Scan of a stranger',
      files: [{ name: 'ct.dcm', bytes }]
    })
    const { text } = await browser.get(`${carol}/records`)
    t.match(text, 'Cannot be sent: it may be of another patient.')
    t.match(text, new RegExp(`value="${wrong.id}"[^>]* disabled`))
    const sent = await browser.post(`${carol}/review`, terms(['records', wrong.id]))
    t.match(sent, { status: 409, text: /A record may be of another patient/ })
  })

  await t.test(
    'explicit consent covers what the patient was told of, and nothing else',
    async t => {
      const form: [string, string][] = [
        ['who', 'patient'],
        ['how', 'in-person'],
        ['takenBy', 'Dr Kestrel'],
        ['recipient', `Dr Bulbul ${PROBE}`],
        ['why', `Rare ${PROBE}`],
        ['risks', `Nobody to complain to ${PROBE}`],
        ['dataTypes', 'scan'],
        ...day('given', -1)
      ]
      const untold = await browser.post(`${asha}/consent/transfer`, form)
      t.match(untold, { status: 400, text: /Confirm that the patient was told/ })
      t.notMatch(untold.text, '<img src=x')
      const saved = await browser.post(`${asha}/consent/transfer`, [...form, ['told', 'yes']])
      t.equal(saved.status, 303)
      const { text } = await browser.post(`${asha}/terms`, terms(['basis', 'explicit-consent']))
      const [, consent = ''] = /name="consent"[^>]* value="([0-9a-f-]{36})"/.exec(text) ?? []
      const basis: [string, string][] = [
        ['basis', 'explicit-consent'],
        ['consent', consent]
      ]
      const unasked = await browser.post(`${asha}/review`, terms(...basis))
      t.match(unasked, { status: 422, text: /Say below why explicit consent is open to you/ })
      const asked: [string, string][] = [
        ['authority-reason', 'A private patient'],
        ['authority-dpo', 'DPO-2026-31']
      ]
      const unfit = await browser.post(`${asha}/review`, terms(...basis, ...asked))
      t.match(unfit, { status: 422, text: /does not cover records of the kind other/ })
      const wider = [...form, ['dataTypes', 'other'], ['told', 'yes']] as [string, string][]
      await browser.post(`${asha}/consent/transfer`, wider)
      const again = await browser.post(`${asha}/terms`, terms(['basis', 'explicit-consent']))
      const [, newer = ''] = /name="consent"[^>]* value="([0-9a-f-]{36})"/.exec(again.text) ?? []
      t.not(newer, consent)
      const fit = await browser.post(
        `${asha}/review`,
        terms(['basis', 'explicit-consent'], ['consent', newer], ...asked)
      )
      t.match(fit, { status: 200, text: /India: the patient’s explicit consent/ })
    }
  )

  await t.test('nothing goes to India without a ground', async t => {
    const none = await browser.post(`${asha}/review`, terms())
    t.match(none, { status: 400, text: /Choose what makes this transfer lawful/ })
    const empty = await browser.post(`${asha}/review`, terms(['basis', 'vital-interests']))
    t.match(empty, { status: 400, text: /Say why the patient cannot consent/ })
    const risky = await browser.post(
      `${asha}/review`,
      terms(
        ['basis', 'agreement'],
        ['agreement-type', 'idta'],
        ['agreement-reference', PROBE],
        ...day('agreement-date', -10),
        ...day('agreement-expires', 100),
        ['assessment-id', PROBE],
        ...day('assessment-date', -10),
        ['assessment-outcome', 'materially-lower']
      )
    )
    t.match(risky, { status: 422, text: /risk assessment speaks against/ })
    t.notMatch(risky.text, '<img src=x')
  })

  await t.test('which end is nearest, and why, is said before and after', async t => {
    const whole = await browser.post(`${carol}/review`, terms())
    t.match(whole.text, '3 days after you share it')
    t.match(whole.text, 'The specialist is no longer verified')
    t.notMatch(whole.text, 'The safeguard for the transfer is withdrawn')
    const agreed = terms(
      ['basis', 'agreement'],
      ['agreement-type', 'idta'],
      ['agreement-reference', 'IDTA-2026-014'],
      ...day('agreement-date', -10),
      ...day('agreement-expires', 1),
      ['assessment-id', 'TRA-2026-9'],
      ...day('assessment-date', -10),
      ['assessment-outcome', 'not-materially-lower']
    )
    const { text } = await browser.post(`${asha}/review`, agreed)
    t.match(text, 'which is less than 3 days: the safeguard for the transfer runs out then')
    t.match(text, 'The safeguard for the transfer is withdrawn, or runs out')
    const made = await browser.post(`${asha}/confirm`, agreed)
    const path = String(made.headers.get('location')).replace(/\/link$/, '')
    t.match(
      (await browser.get(path)).text,
      'The safeguard for the transfer runs out then. Renew it'
    )
    await exchange.exchange.database.write(async tx => {
      const { specialists: entries } = tx.tables
      await tx.update(entries).set({ verifiedUntil: exchange.clock.now() + 3_600_000 })
    })
    t.match((await browser.get(path)).text, 'The specialist’s verification ends then')
    t.match((await browser.post(`${asha}/review`, agreed)).text, 'ends before that, on')
    await exchange.exchange.database.write(async tx => {
      const { specialists: entries } = tx.tables
      await tx.update(entries).set({ verifiedUntil: exchange.clock.now() + 90 * 86_400_000 })
    })
  })

  await t.test('a case that is not complete needs a reason', async t => {
    await writeRequest(clinician, caseId, wholeRequest(exchange.clock.now()))
    const refused = await browser.post(`${carol}/review`, terms())
    t.match(refused, { status: 422, text: /Why do you share it before it is complete/ })
    const { text } = await browser.post(`${carol}/review`, terms(['override', `Urgent ${PROBE}`]))
    t.match(text, 'It is shared all the same, because: Urgent &quot;')
    t.match(text, 'Is the bittern to be excised at all?')
    t.notMatch(text, '<img src=x')
    t.notMatch(text, 'Shelduck Mutual', 'who pays is not what the specialist sees')
  })

  await t.test('without a name only what has none, or what somebody has looked at', async t => {
    const override: [string, string] = ['override', 'Urgent']
    const nameless = terms(override, ['pseudonymise', 'yes'])
    t.match((await browser.post(`${carol}/review`, nameless)).text, 'they will not see who it is')
    const refused = await browser.post(`${carol}/confirm`, nameless)
    t.match(refused, { status: 422, text: /say below why they may go as they are/ })
    const made = await browser.post(`${carol}/confirm`, [...nameless, ['as-is', 'Only numbers']])
    t.equal(made.status, 303)
  })

  await t.test('a use from an unexpected country is flagged', async t => {
    const share = await shareRecords(exchange, caseId, [record.id], { overrideReason: 'Urgent' })
    await openShare(exchange.client('specialistGb'), share.link)
    const { database } = exchange.exchange
    await database.write(tx =>
      tx.insert(tx.tables.shareSightings).values({
        shareId: share.id,
        country: 'FR',
        firstAt: exchange.clock.now()
      })
    )
    t.match((await browser.get('/shares')).text, 'Used from France, which is not where they work')
  })
})

t.test('a share abroad asks for a fresh proof and keeps what was typed', async t => {
  const exchange = await startExchange(t)
  const clinician = exchange.client('clinician')
  const browser = await signedIn(exchange, 'clinician')
  const { id: caseId } = await createCase(clinician)
  const record = await uploadRecord(clinician, caseId, { files: [numberedText(1000)] })
  const { specialists } = await clinician.json<{ specialists: { id: string; name: string }[] }>(
    'GET',
    '/v1/specialists?limit=200'
  )
  const niamh = specialists.find(({ name }) => name === 'Dr Niamh Redstart')?.id
  const steps = `/cases/${caseId}/share/${niamh}`
  const terms = {
    records: record.id,
    purpose: 'Second opinion',
    hours: '72',
    openings: '7',
    override: 'She asked for it before the request was written'
  }
  exchange.clock.advance(11 * 60_000)
  t.match(await browser.post(`${steps}/review`, terms), { status: 200 })
  // No way leads back to the page that was just shown: it came in answer to a form.
  const referer = `${exchange.exchange.publicUrl}${steps}/review`
  const { result, events } = await exchange.eventsOf(() =>
    browser.post(`${steps}/confirm`, terms, { referer })
  )
  t.match(result, { status: 403, text: /what you typed is still there/ })
  t.match(result.text, /href="\/prove" target="_blank"/)
  t.match(result.text, /name="openings"[^>]* value="7"/)
  const refused = events.filter(({ outcome }) => outcome === 'refused')
  t.match(refused, [{ action: 'share.create', code: 'proof-needed' }])
})

t.test('what a patient said yesterday was said at noon there, wherever that is', async t => {
  const exchange = await startExchange(t)
  const timeZone = 'Pacific/Auckland'
  const intruder = await intrude(t, exchange.config)
  await intruder.write(tx => tx.update(tx.tables.organisations).set({ timeZone }))
  // Half an hour past midnight: yesterday has no noon of UTC yet.
  exchange.clock.set('2027-01-05T11:30:00Z')
  const clinician = exchange.client('clinician')
  const browser = await signedIn(exchange, 'clinician')
  const { id: caseId } = await createCase(clinician)
  const { specialists } = await clinician.json<{ specialists: { id: string }[] }>(
    'GET',
    '/v1/specialists'
  )
  const page = `/cases/${caseId}/share/${specialists[0]?.id}/consent/second-opinion`
  const said = { who: 'patient', how: 'in-person', takenBy: 'Dr Kestrel' }
  const yesterday = { 'given-day': '5', 'given-month': '1', 'given-year': '2027' }
  t.match(await browser.post(page, { ...said, ...yesterday }), { status: 303 })
  const { json } = await clinician.send('GET', `/v1/cases/${caseId}/consents`)
  t.match(json.consents, [{ givenAt: '2027-01-04T23:00:00.000Z' }])
  const tomorrow = { ...yesterday, 'given-day': '7' }
  t.equal((await browser.post(page, { ...said, ...tomorrow })).status, 422)
})
