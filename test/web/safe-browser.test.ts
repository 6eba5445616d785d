import t from 'tap'
import { noBrowser, startBrowser } from '../helpers/browser.ts'
import { numberedText, PATIENT_NAME, sharedRecord, startExchange } from '../helpers/exchange.ts'
import { intrude } from '../helpers/intruder.ts'
import { NOT_SHOWN, PROBE, ROLES, type RoleName, setHostileScene } from './safety/scene.ts'

t.test('in a real browser no page runs what people wrote', { skip: noBrowser() }, async t => {
  const exchange = await startExchange(t)
  const scene = await setHostileScene(exchange, await intrude(t, exchange.config))
  const { page } = await startBrowser(t, exchange)
  const routes = exchange.app.routes.filter(({ method, page }) => page && method === 'GET')
  const isFile = (url: string) => /content$|access\/report$|growth$/.test(url)
  for (const [role, who] of Object.entries(ROLES)) {
    const window = await page(who, { userAgent: PROBE })
    const heard: string[] = []
    window.on('dialog', dialog => {
      heard.push(`dialog: ${dialog.message()}`)
      void dialog.dismiss()
    })
    // A policy that was broken is told here, and so is a script that failed.
    window.on('console', message => {
      if (message.type() === 'error') heard.push(message.text())
    })
    window.on('pageerror', err => heard.push(err.message))
    for (const { url, roles } of routes) {
      if (roles === 'public' || roles[0] !== (role as RoleName) || isFile(url) || url in NOT_SHOWN)
        continue
      await window.goto(scene.pathOf(url))
      // Scripts of ours have put in by now what they were given: files in place, and links.
      const images = await window.evaluate('document.querySelectorAll(`img[src="x"]`).length')
      t.same([images, heard.splice(0)], [0, []], `${url} as ${role}`)
    }
    await window.context().close()
  }
})

t.test('after signing out the way back shows nothing', { skip: noBrowser() }, async t => {
  const exchange = await startExchange(t)
  const { caseId } = await sharedRecord(exchange, [numberedText(10)])
  // As browsers of people are: pages may be kept whole, to go back to.
  const { page } = await startBrowser(t, exchange, {
    ignoreDefaultArgs: ['--disable-back-forward-cache']
  })
  const window = await page('clinician')
  await window.goto(`/cases/${caseId}`)
  await window.getByText(PATIENT_NAME).first().waitFor()
  await window.getByRole('button', { name: 'Sign out' }).click()
  await window.waitForURL(/\/$/)
  for (let back = 0; back < 2; back += 1) {
    await window.goBack({ waitUntil: 'commit', timeout: 5000 }).catch(() => {})
    await window.waitForLoadState()
    t.notMatch(await window.locator('body').innerText(), PATIENT_NAME)
  }
  t.match(window.url(), /sign-in|about:blank/)
})
