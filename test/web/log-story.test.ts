import { readFile } from 'node:fs/promises'
import t from 'tap'
import { openCheckpoint } from '../../src/audit/tlog/checkpoint.ts'
import { parseProofFile } from '../../src/audit/tlog/proof-file.ts'
import { leafHash, verifyInclusion } from '../../src/audit/tlog/tree.ts'
import { noBrowser, startBrowser } from '../helpers/browser.ts'
import {
  attestation,
  NHS_NUMBER,
  openShare,
  sharedPath,
  sharedRecord,
  shareRecords,
  startExchange
} from '../helpers/exchange.ts'

const DAY = 86_400_000

t.test('an auditor answers: who saw this patient’s scan?', { skip: noBrowser() }, async t => {
  const exchange = await startExchange(t)
  const files = [{ name: 'scan.txt', bytes: Buffer.from('Heron scan.') }]
  const { caseId, record, path, share } = await sharedRecord(exchange, files, {
    with: 'specialistIe'
  })
  const boston = await shareRecords(exchange, caseId, [record.id], {
    with: 'specialistUs',
    safeguard: attestation(exchange.clock.now())
  })
  await openShare(exchange.client('specialistUs'), boston.link)
  for (let day = 0; day < 3; day += 1) {
    // Each day a new opening, so that there is something to see over time.
    if (day > 0) {
      exchange.clock.advance(DAY)
      await openShare(exchange.client('specialistUs'), boston.link)
      await openShare(exchange.client('specialistIe'), share.link)
    }
    await exchange.client('specialistIe').send('GET', path)
    await exchange.client('specialistUs').send('GET', sharedPath(boston.id, record.id))
  }
  await exchange.client('stranger').send('GET', sharedPath(boston.id, record.id))
  const { page } = await startBrowser(t, exchange)
  const window = await page('auditor', { acceptDownloads: true, javaScriptEnabled: false })

  await window.goto('/log')
  await window.getByLabel('Patient’s NHS number').fill('123')
  await window.getByRole('button', { name: 'Find events' }).click()
  await window.getByLabel('Patient’s NHS number').fill(NHS_NUMBER)
  await window.getByLabel('What happened').selectOption('access')
  await window.getByRole('button', { name: 'Find events' }).click()
  t.equal(new URL(window.url()).search, '', 'nothing of the question is in the address')
  const [csv] = await Promise.all([
    window.waitForEvent('download'),
    window.getByRole('button', { name: 'Download' }).click()
  ])
  t.match(await readFile(await csv.path(), 'utf8'), /Dr Niamh Redstart/)

  await window.goto('/log/answer?group=access&country=US')
  await window.getByLabel('Name for this question').fill('Opened in the United States')
  await window.getByRole('button', { name: 'Save the question' }).click()
  await window.getByRole('heading', { name: 'Your saved questions' }).waitFor()
  await window.getByRole('link', { name: 'Opened in the United States' }).click()

  await window
    .getByRole('link', { name: 'Dr Dan Whimbrel (United States) opened a document.' })
    .first()
    .click()
  await exchange.exchange.tree.settle()
  const [download] = await Promise.all([
    window.waitForEvent('download'),
    window.getByRole('button', { name: 'Download the proof' }).click()
  ])
  t.match(download.suggestedFilename(), /\.tlog-proof$/)
  const proof = parseProofFile(await readFile(await download.path()))
  const { keys } = exchange.exchange.tree
  const head = openCheckpoint(proof.checkpoint, keys.origin, keys.verifiers)
  const leaf = proof.extra ?? Buffer.alloc(0)
  t.ok(verifyInclusion(leafHash(leaf), proof.index, head.size, proof.proof, head.root))
  t.match(JSON.parse(leaf.toString()), { action: 'content.read', share: boston.id })

  await window.getByRole('link', { name: 'Integrity' }).click()
  await window.getByRole('button', { name: 'Verify now' }).click()
  await window.getByText('Nothing is wrong.').waitFor()

  const [checkpoint] = await Promise.all([
    window.waitForEvent('download'),
    window.getByRole('link', { name: 'Download the checkpoint' }).click()
  ])
  const kept = await readFile(await checkpoint.path(), 'utf8')
  t.ok(openCheckpoint(kept, keys.origin, keys.verifiers).size > 0)
  await window.getByLabel('Events in the checkpoint that you kept').fill('5')
  const [growth] = await Promise.all([
    window.waitForEvent('download'),
    window.getByRole('button', { name: 'Download the proof of consistency' }).click()
  ])
  t.match(growth.suggestedFilename(), /^consistency-5-\d+\.txt$/)

  await window.goto('/log/report')
  await window.getByLabel('Patient’s NHS number').fill(NHS_NUMBER)
  await window.getByRole('button', { name: 'Make the report' }).click()
  await window.getByRole('heading', { name: 'Who saw what' }).waitFor()
  await window.getByText('Openings over time').first().waitFor()
  const [pdf] = await Promise.all([
    window.waitForEvent('download'),
    window.getByRole('button', { name: 'Download as PDF' }).click()
  ])
  t.match((await readFile(await pdf.path())).subarray(0, 5).toString(), '%PDF-')

  await window.goto('/log/live-shares')
  await window.goto('/log/answer?question=refused')
})
