import type { Page } from 'playwright-core'
import t from 'tap'
import { looksRight, noBrowser, startBrowser } from '../helpers/browser.ts'
import { createCase, numberedText, startExchange, uploadRecord } from '../helpers/exchange.ts'

const days = { checked: -10, ends: 300 }

/** Types a day, so many days from now, into three fields. */
async function typeDay(page: Page, name: string, offset: number, now: number): Promise<void> {
  const [year = '', month = '', day = ''] = new Date(now + offset * 86_400_000)
    .toISOString()
    .slice(0, 10)
    .split('-')
  await page.fill(`[name="${name}-day"]`, day)
  await page.fill(`[name="${name}-month"]`, month)
  await page.fill(`[name="${name}-year"]`, year)
}

const press = (page: Page, name: string) => page.getByRole('button', { name }).click()

t.test('a clinician shares, in a browser', { skip: noBrowser() }, async t => {
  const exchange = await startExchange(t)
  const clinician = exchange.client('clinician')
  const { id: caseId } = await createCase(clinician)
  await uploadRecord(clinician, caseId, { title: 'Clinic letter', files: [numberedText(1000)] })
  const { page } = await startBrowser(t, exchange)
  const window = await page('clinician')
  window.setDefaultTimeout(8000)
  const now = exchange.clock.now()

  await t.test('at home', async t => {
    await window.goto(`/cases/${caseId}/share`)
    await press(window, 'Choose Dr Carol Goldcrest')
    await press(window, 'Record the patient’s consent')
    await window.check('text=In person')
    await press(window, 'Record this consent')
    await press(window, 'Continue')
    await window.check('text=Clinic letter')
    await press(window, 'Continue')
    await press(window, 'Continue and check everything')
    await press(window, 'Change')
    t.match(await window.textContent('h1'), 'How long, and what for?')
    await press(window, 'Continue and check everything')
    await press(window, 'Share with Dr Carol Goldcrest')
    await looksRight(t, window, 'share-link')
    await press(window, 'Copy the link')
    t.match(await window.textContent('#copied'), /Copied|selected/)
    const link = (await window.textContent('#link')) ?? ''
    const opened = await exchange.client('specialistGb').send('POST', '/v1/links/open', { link })
    t.equal(opened.status, 200, 'the specialist opens it')
  })

  await t.test('with the United States, with an attestation', async t => {
    await window.goto(`/cases/${caseId}/share`)
    await press(window, 'Choose Dr Dan Whimbrel')
    await press(window, 'Continue to the records')
    await window.check('text=Clinic letter')
    await press(window, 'Continue')
    await press(window, 'Continue and check everything')
    await window.fill('[name="condition-reference"]', 'DPF-UK-44871')
    await typeDay(window, 'condition-date', days.checked, now)
    await typeDay(window, 'condition-expires', days.ends, now)
    await window.check('text=I told the recipient')
    await press(window, 'Continue and check everything')
    t.match(await window.textContent('main'), 'United States: adequate on a condition')
    await press(window, 'Share with Dr Dan Whimbrel')
    t.match(await window.textContent('h1'), 'Shared')
  })

  await t.test('with India, by an agreement', async t => {
    await window.goto(`/cases/${caseId}/share`)
    await window.selectOption('[name=country]', 'IN')
    await press(window, 'Search')
    await press(window, 'Choose Dr Asha Bulbul')
    await window.check('text=An agreement with a transfer risk assessment')
    await press(window, 'Continue to the records')
    await window.check('text=Clinic letter')
    await press(window, 'Continue')
    await window.check('text=International data transfer agreement (IDTA)')
    await window.fill('[name="agreement-reference"]', 'IDTA-2026-014')
    await typeDay(window, 'agreement-date', days.checked, now)
    await typeDay(window, 'agreement-expires', days.ends, now)
    await window.fill('[name="assessment-id"]', 'TRA-2026-9')
    await typeDay(window, 'assessment-date', days.checked, now)
    await window.check('text="Protection is not materially lower"')
    await press(window, 'Continue and check everything')
    t.match(await window.textContent('main'), 'IDTA-2026-014')
    await press(window, 'Share with Dr Asha Bulbul')
    t.match(await window.textContent('h1'), 'Shared')
  })
})

t.test('sharing with JavaScript off', { skip: noBrowser() }, async t => {
  const exchange = await startExchange(t)
  const clinician = exchange.client('clinician')
  const { id: caseId } = await createCase(clinician)
  await uploadRecord(clinician, caseId, { title: 'Clinic letter', files: [numberedText(1000)] })
  const { page } = await startBrowser(t, exchange)
  const window = await page('clinician', { javaScriptEnabled: false })
  window.setDefaultTimeout(8000)
  await window.goto(`/cases/${caseId}/share`)
  await press(window, 'Choose Dr Niamh Redstart')
  await press(window, 'Continue to the records')
  await window.getByLabel('Clinic letter').check()
  await press(window, 'Continue')
  await press(window, 'Continue and check everything')
  await press(window, 'Share with Dr Niamh Redstart')
  t.match(await window.textContent('h1'), 'Shared')
  t.match(await window.textContent('#link'), 'http://localhost:3000/s#')
  t.notOk(await window.isVisible('text=Copy the link'), 'a button that does nothing is not there')
})
