import { cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import t, { type Test } from 'tap'
import { looksRight, noBrowser, startBrowser } from '../helpers/browser.ts'
import { createCase, startExchange } from '../helpers/exchange.ts'
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
    await window.locator('#folder').setInputFiles(mixed)
    await window.getByLabel('When was it made?').fill('2026-11-02')
    await window.getByRole('button', { name: 'Upload', exact: true }).click()
    await window.getByRole('link', { name: 'See the record' }).waitFor()
    t.match(await window.locator('#upload-not-taken').textContent(), /not-a-picture\.png/)
    await looksRight(t, window, 'upload-not-taken')
    await window.getByRole('link', { name: 'See the record' }).click()
    await window.getByText('1 image').waitFor()
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
