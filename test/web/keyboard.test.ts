import type { Page } from 'playwright-core'
import t from 'tap'
import { noBrowser, startBrowser } from '../helpers/browser.ts'
import { startExchange } from '../helpers/exchange.ts'
import { referralLetter } from '../samples/samples.ts'

const TABS_MAX = 120

/** Presses Tab until what has the focus has this name or id. Nothing is clicked in this story. */
async function tabTo(window: Page, wanted: string): Promise<void> {
  for (let n = 0; n < TABS_MAX; n++) {
    await window.keyboard.press('Tab')
    const found = await window.evaluate(
      `(() => { const e = document.activeElement; return [e.id, e.name, e.textContent.trim()] })()`
    )
    if ((found as string[]).includes(wanted)) return
  }
  throw new Error(`The keyboard does not lead to ${wanted}.`)
}

async function press(window: Page, wanted: string): Promise<void> {
  await tabTo(window, wanted)
  await window.keyboard.press('Enter')
}

async function type(window: Page, field: string, text: string): Promise<void> {
  await tabTo(window, field)
  await window.keyboard.type(text)
}

t.test('from nothing to ready to share, by keyboard alone', { skip: noBrowser() }, async t => {
  const exchange = await startExchange(t)
  const { page } = await startBrowser(t, exchange)
  const window = await page('clinician')
  await window.goto('/cases')
  await press(window, 'New case')
  await window.waitForURL('**/cases/new')
  await type(window, 'patient-identifier-value', '9990000018')
  await type(window, 'patient-name', 'QUILLFEATHER, Ottoline')
  await type(window, 'patient-birthDate', '17')
  await type(window, 'patient-birthDate-month', '3')
  await type(window, 'patient-birthDate-year', '1951')
  await type(window, 'question', 'Is resection advisable?')
  await press(window, 'Make the case')

  await window.getByText('Where it stands').waitFor()
  const home = window.url()
  await press(window, 'Write the request')
  await window.waitForURL('**/request')
  await type(window, 'condition-text', 'Glioma')
  await type(window, 'diagnosis', 'Low-grade glioma')
  await type(window, 'proposedTreatment', 'Resection')
  await tabTo(window, 'urgency')
  await window.keyboard.press('Space')
  const year = new Date(exchange.clock.now()).getUTCFullYear() + 1
  await type(window, 'dueDate', '1')
  await type(window, 'dueDate-month', '2')
  await type(window, 'dueDate-year', String(year))
  await type(window, 'reason', 'The board was divided')
  await type(window, 'referringClinician-name', 'Dr Penelope Crake')
  await press(window, 'Save the request')
  await window.waitForURL(home)

  await press(window, 'Add records')
  await window.waitForURL('**/upload')
  await tabTo(window, 'kind')
  await window.keyboard.type('Referral')
  await type(window, 'title', 'Letter of the GP')
  await tabTo(window, 'date')
  await window.keyboard.type('11022026')
  const choosing = window.waitForEvent('filechooser')
  await press(window, 'file')
  await (await choosing).setFiles(referralLetter)
  await press(window, 'Upload')
  await window.waitForURL(`${home}#record-*`)
  await window.getByText('Letter of the GP').waitFor()

  await press(window, 'Go through the checklist')
  await window.waitForURL('**/checklist')
  const items: string[] = await window.evaluate(
    `[...new Set([...document.querySelectorAll('[type=radio]')].map(e => e.name.slice(7)))]`
  )
  for (const item of items) {
    await tabTo(window, `status-${item}`)
    if (item === 'referral-letter') {
      await window.keyboard.press('ArrowUp')
      await tabTo(window, `records-${item}`)
      await window.keyboard.press('Space')
    } else {
      await window.keyboard.press('ArrowDown')
      await type(window, `reason-${item}`, 'There is none')
    }
  }
  await press(window, 'Save the answers')
  await window.getByText('Nothing is missing').waitFor()
  await press(window, 'The case is complete')
  await window.waitForURL(home)
  await window.getByText('Ready to share').waitFor()
  t.pass('the case is complete')
})
