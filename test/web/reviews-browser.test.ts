import { join } from 'node:path'
import type { Page } from 'playwright-core'
import t from 'tap'
import { looksRight, noBrowser, startBrowser } from '../helpers/browser.ts'
import {
  createCase,
  numberedText,
  openShare,
  sampleFile,
  sharedRecord,
  shareRecords,
  startExchange,
  uploadRecord
} from '../helpers/exchange.ts'
import { signedIn } from '../helpers/signed-in.ts'
import { underReview } from '../opinions/scene.ts'

const skip = noBrowser()
const HOUR = 3_600_000
const FIRST_VIEW_BYTES_MAX = 150_000
const pdf = sampleFile(join(import.meta.dirname, '../samples/referral-letter.pdf'))
const heading = (page: Page) => page.locator('h1').innerText()

t.test('a link, in a browser', { skip }, async t => {
  const exchange = await startExchange(t)
  const { share } = await sharedRecord(exchange, [numberedText(100)], { opened: false })
  const browser = await startBrowser(t, exchange)
  const token = share.link.split('#')[1] ?? ''

  await t.test('tells nobody more than until when, and sends nothing anywhere', async t => {
    const page = await browser.page()
    const sent: string[] = []
    page.on('request', request =>
      sent.push(`${request.method()} ${request.url()} ${request.postData()}`)
    )
    await page.goto(share.link)
    await page.getByText('This link can be used until').waitFor()
    t.notOk(sent.some(each => each.startsWith('POST') || each.replace(/#.*/, '').includes(token)))
    const href = await page
      .getByRole('main')
      .getByRole('button', { name: 'Sign in' })
      .getAttribute('href')
    t.equal(href, '/sign-in?next=%2Fs')
    await page.goto('/help')
    await page.goto('/s')
    await page.getByText('This link can be used until').waitFor()
    await page.goto(`/s#${token.slice(0, 60)}`)
    await page.reload()
    await page.getByRole('heading', { name: 'Your link is incomplete' }).waitFor()
  })

  await t.test('of somebody else says what to do', async t => {
    const page = await browser.page('stranger')
    await page.goto(share.link)
    await page.getByRole('button', { name: 'Continue' }).click()
    t.match(await heading(page), 'This link is not for the account you are signed in with')
    await page.getByRole('button', { name: 'Sign out and sign in again' }).click()
    await page.waitForURL('**/sign-in?next=%2Fs')
    await browser.signIn(page, 'specialistGb')
    await page.goto('/s')
    await page.getByRole('button', { name: 'Continue' }).click()
    t.equal(await heading(page), 'A case was sent to you', 'the link was kept')
  })

  await t.test('is opened by its specialist with the keyboard alone', async t => {
    const page = await browser.page('specialistGb')
    await page.goto(share.link)
    await page.getByText('This link can be used until').waitFor()
    const press = async (name: string) => {
      for (let at = 0; at < 60; at += 1) {
        await page.keyboard.press('Tab')
        const text = await page.evaluate('document.activeElement.textContent.trim()')
        if (text === name) return page.keyboard.press('Enter')
      }
      throw new Error(`The keyboard does not come to ${name}.`)
    }
    await press('Continue')
    await page.getByText('Dr Alice Kestrel, City Hospital').waitFor()
    t.equal(
      (await exchange.auditEvents({ action: 'link.open' })).length,
      0,
      'nothing is opened yet'
    )
    await press('Open the case')
    await page.waitForURL(`**/reviews/${share.id}`)
    await page.goto('/reviews')
  })

  await t.test('that is over is rescued', async t => {
    exchange.clock.advance(73 * HOUR)
    const page = await browser.page('specialistGb')
    await page.goto('/reviews')
    await page.getByRole('link', { name: 'Ask for more time' }).click()
    await page.getByLabel('7 days').check()
    await page.getByLabel('Why? (optional)').fill('The board sits on Monday')
    await page.getByRole('button', { name: 'Ask for more time' }).click()
    t.equal(await heading(page), 'You have asked for more time')
    const path = `/v1/shares/${share.id}/more-time/approve`
    const given = await exchange
      .client('clinician')
      .json<{ link: string }>('POST', path, { lifeHours: 168 })
    await page.goto(given.link)
    // The clock of the browser is three days behind that of the service.
    await page.locator('[data-link-state]:not([hidden]) button').click()
    await page.getByRole('button', { name: 'Open the case' }).click()
    t.equal(await heading(page), 'The case you were sent')
  })
})

t.test('a case, in a browser', { skip }, async t => {
  const exchange = await startExchange(t)
  const clinician = exchange.client('clinician')
  const { id: caseId } = await createCase(clinician)
  const letter = await uploadRecord(clinician, caseId, { kind: 'letter', files: [pdf] })
  const large = await uploadRecord(clinician, caseId, {
    title: 'A large one',
    files: [numberedText(48 * 1024 * 1024, 'large.txt')]
  })
  const share = await shareRecords(exchange, caseId, [letter.id, large.id])
  await openShare(exchange.client('specialistGb'), share.link)
  const browser = await startBrowser(t, exchange)

  await t.test('is light at its first view', async t => {
    for (const path of [`/reviews/${share.id}`, '/reviews', `/reviews/${share.id}/opinion`, '/s']) {
      const page = await browser.page('specialistGb')
      const line = await page.context().newCDPSession(page)
      await line.send('Network.enable')
      let bytes = 0
      line.on('Network.loadingFinished', ({ encodedDataLength }) => {
        bytes += encodedDataLength
      })
      await page.goto(path, { waitUntil: 'networkidle' })
      t.comment(`${path.replace(share.id, ':share')}: ${bytes} bytes`)
      t.ok(bytes > 10_000 && bytes < FIRST_VIEW_BYTES_MAX, `${path}: ${bytes}`)
      await page.context().close()
    }
  })

  await t.test('shows a letter in place', async t => {
    const page = await browser.page('specialistGb')
    const problems: string[] = []
    page.on('console', message => {
      if (message.type() === 'error') problems.push(message.text())
    })
    await page.goto(`/reviews/${share.id}`)
    const shown = page.waitForResponse(answer => answer.url().endsWith('/content'))
    await page.getByRole('link', { name: 'Read referral-letter.pdf' }).click()
    t.equal((await shown).status(), 200)
    t.same(problems, [], 'the browser refuses nothing')
  })

  await t.test('is read without JavaScript', async t => {
    const page = await browser.page('specialistGb', { javaScriptEnabled: false })
    await page.goto('/reviews')
    await page.getByRole('link', { name: 'Go to the case' }).click()
    t.match(await page.locator('main').innerText(), 'glioma')
    await page.getByRole('link', { name: 'Write to the sender' }).click()
    await page.getByLabel('Write to the sender').fill('Is there more?')
    await page.getByRole('button', { name: 'Send' }).click()
    t.match(await page.locator('main').innerText(), 'Is there more?')
    await page.goto(`/reviews/${share.id}/opinion`)
    await page.getByLabel('Your answer to question 1').fill('Not advisable.')
    await page.getByRole('button', { name: 'Save the draft' }).click()
    await page.waitForURL('**/opinion?saved=1')
    t.match(await page.locator('main').innerText(), 'Your draft was saved on')
    t.equal(await page.getByLabel('Your answer to question 1').inputValue(), 'Not advisable.')
  })

  await t.test('that is withdrawn stops its downloads, and its page says so', async t => {
    const page = await browser.page('specialistGb')
    await page.goto(`/reviews/${share.id}`)
    const line = await page.context().newCDPSession(page)
    await line.send('Network.emulateNetworkConditions', {
      offline: false,
      latency: 50,
      downloadThroughput: 500_000,
      uploadThroughput: 500_000
    })
    // In the page, so that the slow line holds for it.
    const path = `/v1/shares/${share.id}/records/${large.id}/content`
    const read = page.evaluate(`fetch(${JSON.stringify(path)}).then(answer => answer.arrayBuffer())
      .then(() => 'whole', () => 'cut')`)
    await new Promise(resolve => setTimeout(resolve, 1500))
    await clinician.json('DELETE', `/v1/shares/${share.id}`)
    t.equal(await read, 'cut')
    t.match(await exchange.auditEvents({ outcome: 'revoked' }), [{ action: 'content.read' }])
    await page.reload()
    t.equal(await heading(page), 'The sender has withdrawn this case')
  })
})

t.test('an opinion, in a browser', { skip }, async t => {
  const exchange = await startExchange(t)
  const { share } = await underReview(exchange)
  const browser = await startBrowser(t, exchange)
  const page = await browser.page('specialistGb')
  const path = `/v1/shares/${share.id}/opinion`
  const stored = async () => (await exchange.client('specialistGb').send('GET', path)).json
  await page.goto(`/reviews/${share.id}`)
  await page.getByRole('button', { name: 'Write your opinion' }).click()
  await page.getByLabel('Your answer to question 1').fill('It is to be excised.')
  await page.getByText(/^Saved at \d\d:\d\d$/).waitFor()
  await page.reload()
  t.equal(await page.getByLabel('Your answer to question 1').inputValue(), 'It is to be excised.')

  await t.test('waits while there is no connection', async t => {
    await page.context().setOffline(true)
    await page.getByLabel('What you recommend').fill('Rest first.')
    await page.getByText('You are offline').waitFor()
    await page.context().setOffline(false)
    await page.getByText(/^Saved at/).waitFor({ timeout: 30_000 })
    t.match(await stored(), { recommendations: 'Rest first.' })
  })

  await t.test('is not changed elsewhere when only an answer was lost', async t => {
    await page.route(`**${path}`, async route => {
      // It comes, and its answer does not.
      const sent = route.request()
      const ifMatch = { 'if-match': sent.headers()['if-match'] ?? '' }
      await exchange.client('specialistGb').send('PUT', path, sent.postDataJSON(), ifMatch)
      await route.abort()
    })
    await page.getByLabel('What you recommend').fill('Rest, then walk.')
    await page.getByText('Not saved yet').waitFor()
    await page.getByText('You are offline: not saved yet').waitFor()
    await looksRight(t, page, 'reviews-opinion-offline')
    t.match(await stored(), { recommendations: 'Rest, then walk.' }, 'it came')
    await page.getByLabel('What you recommend').fill('Rest, then run.')
    // Pressed without a connection, nothing that was typed goes with the page.
    await page.getByRole('button', { name: 'Check and submit' }).click()
    t.match(page.url(), /opinion$/)
    await page.unroute(`**${path}`)
    await page.getByRole('button', { name: 'Check and submit' }).click()
    await page.waitForURL('**/opinion/submit')
    t.match(await stored(), { recommendations: 'Rest, then run.' })
    await page.goBack()
  })

  await t.test('waits while nobody is signed in', async t => {
    const elsewhere = await signedIn(exchange, 'specialistGb')
    t.equal((await elsewhere.post('/account/sign-out-everywhere')).status, 303)
    await page.getByLabel('What you recommend').fill('Rest, then swim.')
    await page.getByText('Not saved yet: you have been signed out.').waitFor()
    await page.getByRole('button', { name: 'Check and submit' }).click()
    await looksRight(t, page, 'reviews-opinion-signed-out')
    t.equal(await page.getByLabel('What you recommend').inputValue(), 'Rest, then swim.')
    t.match(await stored(), { recommendations: 'Rest, then run.' })
    await browser.signIn(page, 'specialistGb')
    await page.evaluate(`window.dispatchEvent(new Event('focus'))`)
    await page.getByText(/^Saved at/).waitFor()
    t.match(await stored(), { recommendations: 'Rest, then swim.' })
  })

  await t.test('says which words it cannot keep yet', async t => {
    await page.getByLabel('About the planned treatment').fill('Rest is enough.')
    await page.getByText(/^Saved at \d\d:\d\d, but for/).waitFor()
    await page.getByRole('button', { name: 'Save the draft' }).click()
    await page.getByText('There is a problem').waitFor()
    t.equal(await page.getByLabel('About the planned treatment').inputValue(), 'Rest is enough.')
    await page.locator('#plan-2').check()
    await page.getByText(/^Saved at \d\d:\d\d$/).waitFor()
    t.match(await stored(), { plan: { comment: 'Rest is enough.' } })
  })

  await t.test('loses nothing to another window', async t => {
    const other = await page.context().newPage()
    await other.goto(`/reviews/${share.id}/opinion`)
    await other.getByLabel('Limits of this review').fill('No slides.')
    await other.getByText(/^Saved at/).waitFor()
    await page.getByLabel('Further tests').fill('A scan in March.')
    await page.getByText('changed in another window').waitFor()
    await page.getByRole('button', { name: 'Save the draft' }).click()
    await page.getByText('Your opinion was changed elsewhere').waitFor()
    t.match(await page.locator('main').innerText(), 'No slides.')
    t.equal(await page.getByLabel('Further tests').inputValue(), 'A scan in March.')
    await looksRight(t, page, 'reviews-conflict')
  })

  await t.test('is checked and submitted without JavaScript', async t => {
    const page = await browser.page('specialistGb', { javaScriptEnabled: false })
    await page.goto(`/reviews/${share.id}/opinion`)
    await page.locator('#stance-1').check()
    await page.getByLabel('Or: why you do not answer question 2').fill('Not my field')
    await page.locator('#diagnosis').check()
    await page.locator('#plan-2').check()
    await page.getByRole('button', { name: 'Check and submit' }).click()
    await page.waitForURL('**/opinion/submit')
    t.equal(await heading(page), 'Check your opinion before you submit it')
    await page.getByRole('button', { name: 'Submit the opinion' }).click()
    t.match(await page.locator('main').innerText(), 'Your opinion was submitted')
    const saved = page.waitForEvent('download')
    await page.getByRole('button', { name: 'Download the signed opinion (PDF)' }).click()
    t.equal((await saved).suggestedFilename(), 'second-opinion.pdf')
  })
})
