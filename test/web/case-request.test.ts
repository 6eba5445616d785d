import t from 'tap'
import { noBrowser, startBrowser } from '../helpers/browser.ts'
import {
  createCase,
  numberedText,
  sampleFile,
  shareRecords,
  startExchange,
  uploadRecord
} from '../helpers/exchange.ts'
import { signedIn } from '../helpers/signed-in.ts'
import { referralLetter } from '../samples/samples.ts'

const PROBE = '"><img src=x onerror=alert(1)>'
const ESCAPED = '&quot;&gt;&lt;img src=x onerror=alert(1)&gt;'

/** Everything that a complete request says. */
const requestForm: Record<string, string> = {
  version: '0',
  conditionGroup: 'general',
  'condition-text': PROBE,
  'condition-icd10': 'C71.2',
  diagnosis: `First line\r\n${PROBE}`,
  proposedTreatment: 'Resection',
  'questions-0-number': '',
  'questions-0-text': `Is it right? ${PROBE}`,
  urgency: 'soon',
  'dueDate-day': '1',
  'dueDate-month': '2',
  'dueDate-year': '2027',
  reason: 'The board was divided',
  'referringClinician-name': 'Dr Penelope Crake',
  funding: 'insurer',
  'insurance-insurer': 'Curlew Mutual',
  'insurance-authorisation-code': 'AB-1',
  'insurance-authorisation-from-day': '1',
  'insurance-authorisation-from-month': '1',
  'insurance-authorisation-from-year': '2026',
  'insurance-authorisation-until-day': '1',
  'insurance-authorisation-until-month': '6',
  'insurance-authorisation-until-year': '2027',
  'insurance-authorisation-covers': 'consultation'
}

t.test('a request is written with a form', async t => {
  const exchange = await startExchange(t)
  exchange.clock.set('2027-01-10T12:00:00Z')
  const client = exchange.client('clinician')
  const browser = await signedIn(exchange, 'clinician')
  const { id } = await createCase(client)
  const here = `/cases/${id}/request`

  await t.test('questions are added and removed without saving anything', async t => {
    const added = await browser.post(here, { ...requestForm, do: 'add' })
    t.match(added, { status: 200, text: /name="questions-1-text"/ })
    t.match(added.text, ESCAPED)
    t.notMatch(added.text, PROBE)
    const two = { ...requestForm, 'questions-1-number': '', 'questions-1-text': 'And then?' }
    const removed = await browser.post(here, { ...two, do: 'remove-0' })
    t.match(removed.text, /name="questions-0-text"[^>]*>And then\?/)
    t.notMatch(removed.text, 'name="questions-1-text"')
    t.match(await client.json('GET', `/v1/cases/${id}/request`), { version: 0 })
  })

  await t.test('the question that is taken away is the one beside the button', async t => {
    // Given three new questions, the second of which somebody has emptied
    const three = {
      ...requestForm,
      'questions-1-number': '',
      'questions-1-text': ' ',
      'questions-2-number': '',
      'questions-2-text': 'And what then?'
    }

    // When they press the button beside the empty one
    const removed = await browser.post(here, { ...three, do: 'remove-1' })

    // Then the other two are still there
    t.match(removed.text, /name="questions-0-text"[^>]*>Is it right\?/)
    t.match(removed.text, /name="questions-1-text"[^>]*>And what then\?/)
    t.notMatch(removed.text, 'name="questions-2-text"')
    const last = await browser.post(here, { ...three, do: 'remove-2' })
    t.notMatch(last.text, 'And what then?', 'beside the last it is the last')
  })

  await t.test('what is wrong is said beside its field', async t => {
    const wrong = {
      ...requestForm,
      conditionGroup: 'nonsense',
      'dueDate-month': '13',
      'insurance-insurer': ''
    }
    const answer = await browser.post(here, wrong)
    t.equal(answer.status, 400)
    for (const name of ['conditionGroup', 'dueDate', 'insurance-insurer']) {
      t.match(answer.text, `href="#${name}"`)
      t.match(answer.text, `id="${name}"`)
    }
    const past = await browser.post(here, { ...requestForm, 'dueDate-year': '2025' })
    t.match(past, { status: 422, text: /href="#dueDate"/ })
    t.match(await browser.post(here, { ...requestForm, 'condition-icd10': 'x' }), {
      status: 422,
      text: /href="#condition-icd10"/
    })
  })

  await t.test('saved, it reads as it was typed', async t => {
    const saved = await browser.post(here, requestForm)
    t.equal(saved.status, 303, saved.text)
    t.match(await client.json('GET', `/v1/cases/${id}/request`), {
      version: 1,
      diagnosis: `First line\n${PROBE}`,
      dueDate: '2027-02-01',
      insurance: { insurer: 'Curlew Mutual', authorisation: { covers: ['consultation'] } },
      questions: [{ number: 1 }]
    })
    const page = await browser.get(here)
    t.match(page.text, ESCAPED)
    t.notMatch(page.text, PROBE)
    t.match(page.text, 'name="version" value="1"')
  })

  await t.test('two who change it at once lose nothing', async t => {
    const mine = { ...requestForm, version: '1', 'questions-0-number': '1', diagnosis: 'Mine' }
    t.match(await browser.post(here, { ...mine, diagnosis: 'Theirs' }), { status: 303 })
    const late = await browser.post(here, mine)
    t.equal(late.status, 412)
    t.match(late.text, /name="diagnosis"[^>]*>Mine</)
    t.match(late.text, '<dd class="app-typed">Theirs</dd>')
    t.match(late.text, 'name="version" value="2"')
    t.match(await browser.post(here, { ...mine, version: '2' }), { status: 303 })
    t.match(await client.json('GET', `/v1/cases/${id}/request`), { diagnosis: 'Mine' })
  })

  await t.test('a question that went to a specialist meanwhile is no dead end', async t => {
    // Given a window that knows one question, and another in which a second was added and shared
    const mine = { ...requestForm, version: '3', 'questions-0-number': '1', diagnosis: 'Last' }
    const second = { 'questions-1-number': '', 'questions-1-text': 'Will it last?' }
    t.match(await browser.post(here, { ...mine, ...second }), { status: 303 })
    const letter = await uploadRecord(client, id, { files: [numberedText(100)] })
    await shareRecords(exchange, id, [letter.id], { overrideReason: 'It cannot wait' })

    // When the first is saved, and saved once more knowing of the other
    t.match(await browser.post(here, mine), { status: 412 })
    const refused = await browser.post(here, { ...mine, version: '4' })

    // Then the form has the question again, and is taken as it stands there
    t.equal(refused.status, 409)
    t.match(refused.text, /name="questions-1-number" value="2"/)
    t.match(refused.text, /name="questions-1-text"[^>]*>Will it last\?</)
    const whole = { 'questions-1-number': '2', 'questions-1-text': 'Will it last?' }
    t.match(await browser.post(here, { ...mine, ...whole, version: '4' }), { status: 303 })
  })

  await t.test('another organisation finds nothing', async t => {
    const other = await signedIn(exchange, 'otherClinician')
    for (const place of ['request', 'checklist', 'close', 'reopen']) {
      t.match(await other.get(`/cases/${id}/${place}`), { status: 404 }, place)
      t.match(await other.post(`/cases/${id}/${place}`, requestForm), { status: 404 }, place)
    }
    t.match(await other.post(`/cases/${id}/complete`), { status: 404 })
  })
})

t.test('a case is complete when its checklist is, and closed for a reason', async t => {
  const exchange = await startExchange(t)
  const client = exchange.client('clinician')
  const browser = await signedIn(exchange, 'clinician')
  const { id } = await createCase(client)
  const letter = await uploadRecord(client, id, {
    kind: 'referral',
    title: PROBE,
    files: [sampleFile(referralLetter)]
  })
  const here = `/cases/${id}/checklist`

  const refused = await browser.post(`/cases/${id}/complete`)
  t.equal(refused.status, 422)
  t.match(refused.text, 'Missing: Referral letter')
  t.match(refused.text, 'The request does not say: anything yet')
  await browser.post(`/cases/${id}/request`, { ...requestForm, version: '0' })

  const page = await browser.get(here)
  t.match(page.text, ESCAPED)
  t.notMatch(page.text, PROBE)
  const items = [...page.text.matchAll(/name="status-([a-z-]+)"/g)].map(found => found[1] ?? '')
  t.ok(items.includes('referral-letter'), items.join())
  const answers: Record<string, string> = { version: '0' }
  for (const item of items) {
    answers[`status-${item}`] = 'not-applicable'
    answers[`reason-${item}`] = `None ${PROBE}`
  }
  Object.assign(answers, { 'status-referral-letter': 'present' })
  const unshown = await browser.post(here, answers)
  t.equal(unshown.status, 400)
  t.match(unshown.text, 'href="#status-referral-letter"')
  t.match(unshown.text, ESCAPED, 'what was typed is kept')
  answers['records-referral-letter'] = letter.id
  t.match(await browser.post(here, answers), { status: 303 })
  t.match(await browser.post(here, answers), { status: 412, text: /Somebody else changed/ })
  t.match((await browser.get(`/cases/${id}`)).text, 'Check and complete')
  t.match(await browser.post(`/cases/${id}/complete`), { status: 303 })
  t.match((await browser.get(`/cases/${id}`)).text, /Ready to share[\s\S]*Share with a specialist/)

  await client.json('POST', `/v1/cases/${id}/shares`, {
    specialist: exchange.people.specialistGb.accountId,
    records: [letter.id],
    purpose: 'Second opinion'
  })
  t.match(await browser.post(`/cases/${id}/close`, { reason: '' }), {
    status: 400,
    text: /Fill in: why the case is closed/
  })
  t.match(await browser.post(`/cases/${id}/close`, { reason: PROBE }), {
    status: 409,
    text: /still live/
  })
  t.match(await browser.post(`/cases/${id}/close`, { reason: PROBE, revoke: 'yes' }), {
    status: 303
  })
  const closed = await browser.get(`/cases/${id}`)
  t.match(closed.text, 'Reopen the case')
  t.match(closed.text, `Reason: ${ESCAPED}`)
  t.match(await browser.post(`/cases/${id}/request`, { ...requestForm, version: '1' }), {
    status: 409,
    text: /Reopen it first/
  })
  t.match(await browser.post(`/cases/${id}/reopen`), {
    status: 400,
    text: /Fill in: why the case is reopened/
  })
  t.match(await browser.post(`/cases/${id}/reopen`, { reason: 'Too early' }), { status: 303 })
})

t.test(
  'the request and the checklist in a browser without JavaScript',
  { skip: noBrowser() },
  async t => {
    const exchange = await startExchange(t)
    const client = exchange.client('clinician')
    const { id } = await createCase(client)
    await uploadRecord(client, id, { kind: 'referral', files: [sampleFile(referralLetter)] })
    const { page } = await startBrowser(t, exchange)
    const window = await page('clinician', { javaScriptEnabled: false })
    await window.goto(`/cases/${id}/request`)
    await window.getByRole('button', { name: 'Add another question' }).click()
    await window.getByLabel('Question 2').fill('And the second?')
    await window.getByLabel('Condition', { exact: true }).fill('Glioma')
    await window.getByLabel('ICD-10').fill('brain')
    await window.getByRole('button', { name: 'Save the request' }).last().click()
    await window.getByText('There is a problem').waitFor()
    await window.getByLabel('ICD-10').fill('C71.2')
    await window.getByRole('button', { name: 'Save the request' }).last().click()
    await window.getByText('Where it stands').waitFor()
    await window.goto(`/cases/${id}/checklist`)
    await window.getByRole('button', { name: 'The case is complete' }).click()
    await window.getByText('There is a problem').waitFor()
    await window.goto(`/cases/${id}/close`)
  }
)
