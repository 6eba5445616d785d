import { appendFileSync, cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import t, { type Test } from 'tap'
import type { DraftView } from '../../schemas/draft.ts'
import { dropFiles, looksRight, noBrowser, startBrowser } from '../helpers/browser.ts'
import { createCase, eventually, startExchange } from '../helpers/exchange.ts'
import { rawCall } from '../helpers/raw.ts'
import { signedIn } from '../helpers/signed-in.ts'
import { brainSeries, pathologyReport } from '../samples/samples.ts'

/** A folder of this test's own: the one of tap is the service's. */
function newFolder(t: Test): string {
  const folder = mkdtempSync(join(tmpdir(), 'consilium-upload-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

t.test(
  'a folder is uploaded, cut half-way, and goes on after a reload',
  { skip: noBrowser() },
  async t => {
    const disc = join(newFolder(t), 'disc')
    mkdirSync(join(disc, 'DICOM'), { recursive: true })
    for (const file of brainSeries()) cpSync(file, join(disc, 'DICOM', basename(file)))
    const exchange = await startExchange(t)
    const client = exchange.client('clinician')
    const { id } = await createCase(client)
    const { page } = await startBrowser(t, exchange)
    const window = await page('clinician')
    await window.goto(`/cases/${id}/upload`)

    // The line breaks after some files.
    let begun = 0
    await window.route('**/v1/uploads', route => (++begun > 8 ? route.abort() : route.continue()))
    await window.locator('#folder').setInputFiles(disc)
    t.equal(await window.getByLabel('Title').inputValue(), 'disc', 'the folder names it')
    await window.getByLabel('When was it made?').fill('2026-11-02')
    await window.getByRole('button', { name: 'Upload', exact: true }).click()
    await window.getByText('The line is down').waitFor()
    await looksRight(t, window, 'upload-line-down')
    t.match(window.url(), new RegExp(`/cases/${id}/upload/[0-9a-f-]{36}$`))
    const kept = String(await window.evaluate('JSON.stringify({ ...localStorage })'))
    t.notMatch(kept, /brain|disc|dcm/i, 'nothing that is kept names a file')
    // Those that had begun may still be on their way, and leaving the page would cut them too.
    const draft = `/v1/drafts/${window.url().split('/').at(-1)}`
    await eventually('eight files have come', async () => {
      const { uploads } = await client.json<DraftView>('GET', draft)
      return uploads.filter(({ state }) => state === 'stored').length === 8 || undefined
    })

    await window.unroute('**/v1/uploads')
    await window.goto('/cases')
    let again = 0
    window.on('request', request => {
      if (request.method() === 'POST' && request.url().endsWith('/v1/uploads')) again += 1
    })
    await window.goto(`/cases/${id}/upload`)
    await looksRight(t, window, 'upload-under-way')
    await window.getByRole('link', { name: 'disc' }).click()
    await window.getByText(/8 files have arrived/).waitFor()
    await window.locator('#folder').setInputFiles(disc)
    await window.waitForURL(new RegExp(`/cases/${id}#record-`), { timeout: 60_000 })
    await window.getByText('1 series, 20 images').waitFor()
    t.equal(again, 12, 'what had come was not sent again')
    const { records } = await client.json<{ records: { objectCount: number }[] }>(
      'GET',
      `/v1/cases/${id}/records`
    )
    t.match(records, [{ objectCount: 20 }])
  }
)

t.test(
  'a mislabelled file is told of, and the others are taken',
  { skip: noBrowser() },
  async t => {
    const mixed = join(newFolder(t), 'mixed')
    mkdirSync(mixed, { recursive: true })
    cpSync(brainSeries()[3] ?? '', join(mixed, 'scan.dcm'))
    cpSync(pathologyReport, join(mixed, 'not-a-picture.png'))
    const exchange = await startExchange(t)
    const { id } = await createCase(exchange.client('clinician'))
    const { page } = await startBrowser(t, exchange)
    const window = await page('clinician')
    await window.goto(`/cases/${id}/upload`)
    await dropFiles(window, [mixed, pathologyReport])
    await window.getByText('Chosen files: 3, from folders: 2.').waitFor()
    t.equal(await window.getByLabel('Title').inputValue(), 'mixed', 'the folder names it')
    await window.getByLabel('When was it made?').fill('2026-11-02')
    await window.getByRole('button', { name: 'Upload', exact: true }).click()
    await window.getByRole('link', { name: 'See the record' }).waitFor()
    t.match(await window.locator('#upload-not-taken').textContent(), /not-a-picture\.png/)
    await looksRight(t, window, 'upload-not-taken')
    await window.getByRole('link', { name: 'See the record' }).click()
    await window.getByText('1 image').waitFor()
  }
)

t.test(
  'what changes after it was chosen is told of, and chosen again',
  { skip: noBrowser() },
  async t => {
    const folder = join(newFolder(t), 'written')
    mkdirSync(folder)
    for (const file of brainSeries().slice(0, 3)) cpSync(file, join(folder, basename(file)))
    const exchange = await startExchange(t)
    const client = exchange.client('clinician')
    const { id } = await createCase(client)
    const { page } = await startBrowser(t, exchange)
    const window = await page('clinician')
    await window.goto(`/cases/${id}/upload`)
    await window.locator('#folder').setInputFiles(folder)
    await window.getByLabel('When was it made?').fill('2026-11-02')
    // As an export leaves it that is still being written.
    appendFileSync(join(folder, basename(brainSeries()[1] ?? '')), Buffer.alloc(2))
    await window.getByRole('button', { name: 'Upload', exact: true }).press('Enter')
    await window.getByText('2 of 3 files have arrived').waitFor()
    t.equal(await window.getByText('or is gone: choose it again').count(), 1)
    await looksRight(t, window, 'upload-gone')
    t.ok(await window.getByRole('button', { name: 'Finish with the files' }).isVisible())
    await window.locator('#folder').setInputFiles(folder)
    await window.waitForURL(new RegExp(`/cases/${id}#record-`), { timeout: 60_000 })
    const { records } = await client.json<{ records: object[] }>('GET', `/v1/cases/${id}/records`)
    t.match(records, [{ objectCount: 3 }])
  }
)

t.test(
  'a file that is not even begun is told of at the end too',
  { skip: noBrowser() },
  async t => {
    const folder = newFolder(t)
    writeFileSync(join(folder, 'short.txt'), 'Dear colleague,\n')
    writeFileSync(join(folder, 'long.txt'), 'Dear colleague,\n'.repeat(1000))
    const exchange = await startExchange(t, { limits: { objectBytesMax: 1000 } })
    const { id } = await createCase(exchange.client('clinician'))
    const { page } = await startBrowser(t, exchange)
    const window = await page('clinician')
    await window.goto(`/cases/${id}/upload`)
    await window.locator('#folder').setInputFiles(folder)
    await window.getByLabel('When was it made?').fill('2026-11-02')
    await window.getByRole('button', { name: 'Upload', exact: true }).click()
    await window.getByRole('link', { name: 'See the record' }).waitFor()
    t.match(await window.locator('#upload-not-taken').textContent(), /long\.txt/)
  }
)

t.test('an upload is paused, resumed and given up', { skip: noBrowser() }, async t => {
  const folder = join(newFolder(t), 'slow')
  mkdirSync(folder)
  for (const file of brainSeries().slice(1)) cpSync(file, join(folder, basename(file)))
  const exchange = await startExchange(t)
  const client = exchange.client('clinician')
  const { id } = await createCase(client)
  const { page } = await startBrowser(t, exchange)
  const window = await page('clinician')
  // So many files get through; the others wait for good.
  let through = 4
  await window.route('**/v1/uploads', async route => {
    if (through-- > 0) await route.continue()
  })
  await window.goto(`/cases/${id}/upload`)
  await window.locator('#folder').setInputFiles(folder)
  await window.getByLabel('When was it made?').fill('2026-11-02')
  await window.getByRole('button', { name: 'Upload', exact: true }).click()
  await window.getByText('slow: 4 of 19 files').waitFor()
  await window.getByRole('button', { name: 'Pause' }).press('Enter')
  await window.getByText('Paused. Nothing that arrived is lost.').waitFor()
  const focused = await window.evaluate('document.activeElement.id')
  t.equal(focused, 'upload-resume', 'the keyboard is where it goes on')
  through = 5
  await window.keyboard.press('Enter')
  await window.getByText('slow: 9 of 19 files').waitFor()
  await window.getByRole('button', { name: 'Give this upload up' }).click()
  await window.waitForURL(`**/cases/${id}/upload`)
  t.same(await client.json('GET', `/v1/cases/${id}/drafts`), { drafts: [] })
})

t.test('an upload outlives its session, and is one in two tabs', { skip: noBrowser() }, async t => {
  const folder = join(newFolder(t), 'twice')
  mkdirSync(folder)
  for (const file of brainSeries().slice(0, 12)) cpSync(file, join(folder, basename(file)))
  const exchange = await startExchange(t)
  const client = exchange.client('clinician')
  const { id } = await createCase(client)
  const { page, signIn } = await startBrowser(t, exchange)
  const window = await page('clinician')
  const drafts = async () => {
    const { drafts } = await client.json<{ drafts: { uploads: { state: string }[] }[] }>(
      'GET',
      `/v1/cases/${id}/drafts`
    )
    return drafts.map(({ uploads }) => uploads.filter(({ state }) => state === 'stored').length)
  }
  const signOut = async () =>
    t.equal(
      (await (await signedIn(exchange, 'clinician')).post('/account/sign-out-everywhere')).status,
      303
    )
  const other = await window.context().newPage()
  for (const tab of [window, other]) {
    await tab.bringToFront()
    await tab.goto(`/cases/${id}/upload`)
    await tab.locator('#folder').setInputFiles(folder)
    await tab.getByLabel('When was it made?').fill('2026-11-02')
  }
  // The fifth file is the last that comes in this session.
  let begun = 0
  await window.route('**/v1/uploads', async route => {
    if (++begun === 6) await signOut()
    await route.continue()
  })
  await signOut()
  await window.getByRole('button', { name: 'Upload', exact: true }).click()
  await window.getByText('signed out. Sign in again in another tab, then press Upload').waitFor()
  t.same(await drafts(), [])
  await signIn(window, 'clinician')

  await window.bringToFront()
  await window.locator('#upload-start').dblclick()
  await window.getByText('then press Resume; nothing that arrived is lost').waitFor()
  await looksRight(t, window, 'upload-signed-out')
  const [came = 0, ...more] = await drafts()
  t.ok(came > 0 && came < 12 && more.length === 0, `one draft with ${came} files`)

  await signIn(window, 'clinician')
  await other.locator('#title').press('Enter')
  await other.getByText('open in another tab or window').waitFor()
  t.equal(other.url(), window.url(), 'which found the draft of the first')
  await looksRight(t, other, 'upload-elsewhere')
  t.equal((await drafts()).length, 1)
  await window.getByRole('button', { name: 'Resume' }).click()
  await window.waitForURL(new RegExp(`/cases/${id}#record-`), { timeout: 60_000 })
  const { records } = await client.json<{ records: object[] }>('GET', `/v1/cases/${id}/records`)
  t.match(records, [{ objectCount: 12 }])
  t.equal(records.length, 1)
})

t.test('a form that is refused is answered while its file still comes', async t => {
  // Given a browser that is sending a large file, which it does to the end before it shows an answer
  const exchange = await startExchange(t)
  const { id } = await createCase(exchange.client('clinician'))
  const { cookie } = await signedIn(exchange, 'clinician')
  const headers = {
    cookie,
    accept: 'text/html',
    connection: 'keep-alive',
    'sec-fetch-site': 'same-origin',
    'content-type': 'multipart/form-data; boundary=cut',
    'content-length': String(64 * 1024 * 1024)
  }
  const part = (name: string) => `--cut\r\ncontent-disposition: form-data; name="${name}"`
  const form = `${part('title')}\r\n\r\n\r\n${part('file')}; filename="a.pdf"\r\n\r\n`

  // When the form turns out to be wrong before all of it has come
  const call = rawCall(
    exchange.url,
    `POST /cases/${id}/upload`,
    headers,
    form + '-'.repeat(200_000)
  )
  const answer = await call.head()

  // Then the connection ends with the answer: nobody waits for what nobody reads
  t.match(answer, { status: 400, headers: { connection: 'close' } })
  t.match((await call.rest()).toString(), 'There is a problem')
})
