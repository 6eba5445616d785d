import { readFileSync } from 'node:fs'
import t from 'tap'
import { noBrowser, startBrowser } from '../helpers/browser.ts'
import { ctSlice } from '../helpers/dicom.ts'
import {
  createCase,
  type RecordView,
  sampleFile,
  startExchange,
  uploadRecord
} from '../helpers/exchange.ts'
import { signedIn } from '../helpers/signed-in.ts'
import { letter, pathologyReport } from '../samples/samples.ts'
import { beginDraft, beginUpload, offsetOf, sendPatch } from '../uploads/tus.ts'

const PROBE = '"><img src=x onerror=alert(1)>'
const ESCAPED = '&quot;&gt;&lt;img src=x onerror=alert(1)&gt;'

/** A scan whose headers name somebody else, with a probe in what the study is called. */
const othersScan = () => ({
  name: 'scan.dcm',
  bytes: ctSlice([
    ['0010,0010', 'PN', 'DUNNOCK^Hal'],
    ['0010,0020', 'LO', '9990000026'],
    ['0010,0030', 'DA', '19620401'],
    ['0008,1030', 'LO', PROBE]
  ])
})

t.test('a record that names another patient is confirmed with a reason', async t => {
  const exchange = await startExchange(t)
  const client = exchange.client('clinician')
  const browser = await signedIn(exchange, 'clinician')
  const { id } = await createCase(client)
  const record = await uploadRecord(client, id, {
    kind: 'scan',
    title: PROBE,
    files: [othersScan()]
  })
  const here = `/cases/${id}/records/${record.id}`

  const warned = await browser.get(`/cases/${id}`)
  t.match(warned.text, 'may be of another patient')
  t.match(warned.text, `href="${here}#confirm"`)
  const page = await browser.get(here)
  t.match(page, { status: 200, text: /Is it of this patient\?/ })
  t.match(page.text, 'The name is another one')
  for (const { text } of [warned, page]) {
    t.match(text, ESCAPED)
    t.notMatch(text, PROBE)
  }
  t.match(await browser.post(`${here}/patient`, { reason: 'short' }), {
    status: 400,
    text: /href="#reason"/
  })
  const { result, events } = await exchange.eventsOf(() =>
    browser.post(`${here}/patient`, { reason: `Registered under her maiden name ${PROBE}` })
  )
  t.match(result, { status: 303 })
  t.match(
    events.map(({ action }) => action),
    /record.confirm-patient/
  )
  const after = await browser.get(here)
  t.match(after.text, 'Registered under her maiden name')
  t.notMatch(after.text, PROBE)
  t.match(await browser.post(`${here}/patient`, { reason: 'Registered twice over' }), {
    status: 409,
    text: /nothing to confirm/
  })

  await t.test('records of other cases and organisations are not found', async t => {
    const elsewhere = await createCase(client)
    t.match(await browser.get(`/cases/${elsewhere.id}/records/${record.id}`), { status: 404 })
    const other = await signedIn(exchange, 'otherClinician')
    const object = record.objects[0]?.id
    for (const place of [here, `${here}/files/${object}`, `/cases/${id}/upload`]) {
      t.match(await other.get(place), { status: 404 }, place)
    }
    t.match(await other.post(`${here}/patient`, { reason: 'Registered twice over' }), {
      status: 404
    })
  })
})

t.test('a draft is finished or given up without scripts', async t => {
  const exchange = await startExchange(t)
  const client = exchange.client('clinician')
  const browser = await signedIn(exchange, 'clinician')
  const { id } = await createCase(client)
  const fields = { kind: 'letter', title: PROBE, date: '2026-11-02' }
  const draft = await client.json<{ id: string }>('POST', `/v1/cases/${id}/drafts`, fields)
  const here = `/cases/${id}/upload/${draft.id}`
  const list = await browser.get(`/cases/${id}/upload`)
  t.match(list.text, `href="${here}"`)
  t.match(list.text, ESCAPED)
  const page = await browser.get(here)
  t.match(page, { status: 200, text: /Go on with an upload/ })
  t.notMatch(page.text, PROBE)
  t.match(await browser.post(`${here}/complete`), {
    status: 400,
    text: /There is a problem/
  })
  const other = await signedIn(exchange, 'otherClinician')
  for (const act of ['complete', 'discard']) {
    t.match(await other.post(`${here}/${act}`), { status: 404 }, act)
  }
  t.match(await browser.post(`${here}/discard`), { status: 303 })
  t.match(await browser.get(here), { status: 404 })
})

t.test('a draft is finished with the files that have arrived, whatever came of others', async t => {
  const exchange = await startExchange(t)
  const client = exchange.client('clinician')
  const browser = await signedIn(exchange, 'clinician')
  const { id } = await createCase(client)
  const { id: draft } = await beginDraft(client, id)
  const bytes = readFileSync(pathologyReport)
  const whole = await beginUpload(client, bytes.length, { draft, position: 1 })
  const half = await beginUpload(client, bytes.length, { draft, position: 2 })
  await sendPatch(client, half, 0, bytes.subarray(0, 2000))
  const here = `/cases/${id}/upload/${draft}`
  t.match(await browser.post(`${here}/complete`), { status: 409 })
  t.equal(await offsetOf(client, half), 2000, 'while there is none, nothing is ended')
  await sendPatch(client, whole, 0, bytes)
  t.match((await browser.get(here)).text, 'Finish with')
  t.match(await browser.post(`${here}/complete`), { status: 303 })
  t.match(await browser.post(`${here}/complete`), { status: 303 }, 'pressed twice')
  const { objects } = await client.json<RecordView>('GET', `/v1/records/${draft}`)
  t.equal(objects.length, 1)
})

t.test('without scripts: a new case and a plain upload', { skip: noBrowser() }, async t => {
  const exchange = await startExchange(t)
  const { page } = await startBrowser(t, exchange)
  const window = await page('clinician', { javaScriptEnabled: false })
  await window.goto('/cases')
  await window.getByRole('button', { name: 'New case' }).click()
  await window.getByLabel('Number', { exact: true }).fill('999 000 0018')
  await window.getByLabel('Name').fill('QUILLFEATHER, Ottoline')
  await window.getByLabel('Day').fill('17')
  await window.getByLabel('Month').fill('3')
  await window.getByLabel('Year').fill('1951')
  await window.getByLabel('Clinical question').fill('Is resection advisable?')
  await window.getByRole('button', { name: 'Make the case' }).click()
  await window.getByRole('link', { name: 'Add records' }).click()
  await window.getByLabel('What is it?').selectOption('pathology-report')
  await window.getByLabel('Title').fill('Pathology report')
  await window.getByLabel('When was it made?').fill('2026-11-02')
  await window.getByLabel('Files', { exact: true }).setInputFiles({
    name: 'report.png',
    mimeType: 'application/pdf',
    buffer: readFileSync(pathologyReport)
  })
  await window.getByRole('button', { name: 'Upload' }).click()
  await window.getByText('There is a problem').waitFor()
  t.equal(
    await window.getByLabel('Title').inputValue(),
    'Pathology report',
    'what was typed is kept'
  )
  await window.getByLabel('Files', { exact: true }).setInputFiles(pathologyReport)
  await window.getByRole('button', { name: 'Upload' }).click()
  await window.waitForURL(/#record-/)
  await window.getByRole('link', { name: 'Pathology report' }).click()
  await window.getByText('Download').first().waitFor()
})

t.test('records are read in place', { skip: noBrowser() }, async t => {
  const exchange = await startExchange(t)
  const client = exchange.client('clinician')
  const { id } = await createCase(client)
  const files = [sampleFile(pathologyReport), sampleFile(letter)]
  const record = await uploadRecord(client, id, { kind: 'letter', title: 'Letters', files })
  const doubtful = await uploadRecord(client, id, {
    kind: 'scan',
    title: 'CT',
    files: [othersScan()]
  })
  const { page } = await startBrowser(t, exchange)
  const window = await page('clinician')
  await window.goto(`/cases/${id}/records/${record.id}`)
  await window.getByRole('link', { name: 'Show letter.txt' }).click()
  await window.locator('pre').waitFor()
  t.equal((await window.locator('pre').textContent())?.trim(), readFileSync(letter, 'utf8').trim())
  await window.goBack()
  await window.getByRole('link', { name: 'Show pathology-report.pdf' }).click()
  await window.locator('iframe').waitFor()
  t.match(await window.locator('iframe').getAttribute('src'), /^blob:/)
  const reads = await exchange.auditEvents({ action: 'content.read', outcome: 'complete' })
  t.equal(reads.length, 2, 'each look is on the log')
  await window.goto(`/cases/${id}/records/${doubtful.id}`)
})
