import { randomUUID } from 'node:crypto'
import t from 'tap'
import {
  createCase,
  NHS_NUMBER,
  PATIENT_NAME,
  sampleFile,
  startExchange,
  uploadRecord
} from '../helpers/exchange.ts'
import { signedIn } from '../helpers/signed-in.ts'
import { brainSeries } from '../samples/samples.ts'

const PROBE = '"><img src=x onerror=alert(1)>'
const ESCAPED = '&quot;&gt;&lt;img src=x onerror=alert(1)&gt;'

const patientForm = {
  kind: 'nhs-number',
  'patient-identifier-value': '999 000 0018',
  'patient-name': PATIENT_NAME,
  'patient-birthDate-day': '17',
  'patient-birthDate-month': '3',
  'patient-birthDate-year': '1951',
  question: 'Is resection advisable?'
}

t.test('a case is made with a form, and found again', async t => {
  const exchange = await startExchange(t)
  const browser = await signedIn(exchange, 'clinician')

  await t.test('what is wrong is said beside its field, and nothing typed is lost', async t => {
    const answer = await browser.post('/cases/new', {
      ...patientForm,
      'patient-identifier-value': '999 000 0019',
      'patient-name': PROBE
    })
    t.equal(answer.status, 422)
    t.match(answer.text, 'This is not an NHS number')
    t.match(answer.text, 'href="#patient-identifier-value"')
    t.match(answer.text, 'value="999 000 0019"')
    t.match(answer.text, ESCAPED)
    t.notMatch(answer.text, PROBE)
    const empty = await browser.post('/cases/new', {})
    t.equal(empty.status, 400)
    for (const name of ['patient-name', 'patient-birthDate', 'question']) {
      t.match(empty.text, `href="#${name}"`)
      t.match(empty.text, `id="${name}"`)
    }
    const noDay = await browser.post('/cases/new', {
      ...patientForm,
      'patient-birthDate-day': '31',
      'patient-birthDate-month': '2'
    })
    t.match(noDay, { status: 400, text: /Give a date that exists: date of birth/ })
  })

  await t.test('made, it has a page; the address names nobody', async t => {
    const { result, events } = await exchange.eventsOf(() =>
      browser.post('/cases/new', patientForm)
    )
    t.equal(result.status, 303)
    t.match(events, [{ action: 'case.create', outcome: 'success' }])
    const place = result.headers.get('location') ?? ''
    t.match(place, /^\/cases\/[0-9a-f-]{36}$/)
    const page = await browser.get(place)
    t.match(page, { status: 200, text: /999 000 0018/ })
    t.match(page.text, 'Write the request')
    t.match(page.text, `href="${place}/share"`)
    t.match(page.text, `href="${place}/opinions"`)
    t.notMatch(/<title>[^<]*/.exec(page.text)?.[0], /QUILL/, 'its title names nobody')
  })

  await t.test('found by NHS number, which is in no address', async t => {
    const { result, events } = await exchange.eventsOf(() =>
      browser.post('/cases/search', { number: '999 000 0018' })
    )
    t.match(result, { status: 200, text: /QUILLFEATHER/ })
    t.match(events, [{ action: 'case.search', outcome: 'success' }])
    t.match(await browser.post('/cases/search', { number: '9990000026' }), {
      status: 200,
      text: /no case with this/
    })
    t.match(await browser.post('/cases/search', { number: '12' }), {
      status: 422,
      text: /This is not an NHS number/
    })
    t.notMatch((await browser.get('/cases')).text, /\?[^"]*999/)
  })
})

t.test('cases come a page at a time, and only one’s own', async t => {
  const exchange = await startExchange(t)
  const client = exchange.client('clinician')
  for (let n = 0; n < 51; n++) await createCase(client)
  const browser = await signedIn(exchange, 'clinician')
  const first = await browser.get('/cases')
  const idsIn = (text: string) =>
    [...text.matchAll(/href="\/cases\/([0-9a-f-]{36})"/g)].map(m => m[1])
  t.equal(idsIn(first.text).length, 50)
  const next = /href="(\/cases\?after=[0-9a-f-]+)"/.exec(first.text)?.[1] ?? ''
  const second = await browser.get(next)
  t.equal(idsIn(second.text).length, 1)
  t.notOk(idsIn(first.text).includes(idsIn(second.text)[0] ?? ''))
  t.match(await browser.get('/cases?after=1'), { status: 400 })
  const searched = await browser.post('/cases/search', { number: NHS_NUMBER })
  const after = /name="after" value="([^"]+)"/.exec(searched.text)?.[1] ?? ''
  t.equal(
    idsIn((await browser.post('/cases/search', { number: NHS_NUMBER, after })).text).length,
    1
  )

  const other = await signedIn(exchange, 'otherClinician')
  t.match(await other.get('/cases'), { text: /has no cases yet/ })
  const [id = ''] = idsIn(first.text)
  for (const place of ['', '/access']) {
    t.match(await other.get(`/cases/${id}${place}`), { status: 404, text: /No such case/ })
    t.match(await browser.get(`/cases/${randomUUID()}${place}`), { status: 404 })
  }
})

t.test('a case says what is in it and what to see to', async t => {
  const exchange = await startExchange(t)
  const client = exchange.client('clinician')
  const browser = await signedIn(exchange, 'clinician')
  const { id } = await createCase(client)
  const files = brainSeries().slice(1, 3).map(sampleFile)
  await uploadRecord(client, id, { kind: 'scan', title: PROBE, files })
  const { text } = await browser.get(`/cases/${id}`)
  t.match(text, ESCAPED)
  t.notMatch(text, PROBE)
  t.match(text, '1 series, 2 images')
  t.match(text, 'It was not scanned for malware')
  await uploadRecord(client, id, { kind: 'scan', title: 'Again', files })
  t.match((await browser.get(`/cases/${id}`)).text, 'in the case twice')
})
