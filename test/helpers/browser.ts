import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import {
  type Browser,
  type BrowserContextOptions,
  chromium,
  type LaunchOptions,
  type Page
} from 'playwright-core'
import type { Test } from 'tap'
import { SESSION_COOKIE } from '../../src/sessions/cookie.ts'
import { PUBLIC_URL } from './data.ts'
import type { PersonName, TestExchange } from './exchange.ts'
import { sessionCookieOf } from './signed-in.ts'

const BROWSERS = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome']
const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
/** Where pictures of pages are kept, to be looked at. */
const PICTURES = join(import.meta.dirname, '../../.tap/pages')
/** WCAG 2.2: content reflows at 320 pixels (1.4.10). */
const NARROW = 320
const SIZES = [1280, 360]

/** Why there is no browser here; `startBrowser` can be called when it is false. */
export function noBrowser(): string | false {
  if (BROWSERS.some(existsSync)) return false
  if (process.env['CI_SERVICES'] === 'required') throw new Error('There is no Chromium.')
  return 'Chromium is not installed'
}

/** A real browser that finds this exchange under its public address, and nothing else. */
export async function startBrowser(t: Test, exchange: TestExchange, options: LaunchOptions = {}) {
  const { host } = new URL(PUBLIC_URL)
  const browser: Browser = await chromium.launch({
    executablePath: BROWSERS.find(existsSync) ?? '',
    args: [
      `--host-resolver-rules=MAP ${host} ${new URL(exchange.url).host}, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1`,
      '--no-sandbox',
      '--disable-gpu'
    ],
    ...options
  })
  t.teardown(() => browser.close())

  /** Begins a new session of this person where this window is. */
  async function signIn(page: Page, who: PersonName): Promise<void> {
    const value = await sessionCookieOf(exchange, who)
    const cookie = { name: SESSION_COOKIE, value, domain: 'localhost', path: '/' }
    await page.context().addCookies([{ ...cookie, httpOnly: true, secure: true, sameSite: 'Lax' }])
  }

  return {
    browser,
    signIn,
    /** A window of its own, in which this person is signed in, or nobody. */
    async page(who?: PersonName, options: BrowserContextOptions = {}): Promise<Page> {
      const context = await browser.newContext({
        baseURL: PUBLIC_URL,
        locale: 'en-GB',
        viewport: { width: 1280, height: 900 },
        ...options
      })
      const page = await context.newPage()
      if (who !== undefined) await signIn(page, who)
      return page
    }
  }
}

/** Drops files and folders of this machine on the page, as the browser tells it when a hand does. */
export async function dropFiles(page: Page, paths: string[]): Promise<void> {
  const line = await page.context().newCDPSession(page)
  const data = { items: [], files: paths, dragOperationsMask: 1 }
  for (const type of ['dragEnter', 'dragOver', 'drop'] as const) {
    await line.send('Input.dispatchDragEvent', { type, x: 300, y: 300, data })
  }
  await line.detach()
}

/**
 * What holds for every page: axe finds nothing against WCAG 2.2 AA, nothing has to be scrolled sideways
 * at 320 pixels, and no script of ours was refused or failed. Leaves pictures to be looked at.
 */
export async function looksRight(t: Test, page: Page, name: string): Promise<void> {
  const found = await page.evaluate(
    // The policy of the page allows no script that is not its own; this one is put in from outside.
    async ([axe]) => {
      // biome-ignore lint/security/noGlobalEval: the library is a text here
      if (!('axe' in globalThis)) globalThis.eval(axe ?? '')
      const { violations } = await (
        globalThis as unknown as {
          axe: {
            run(options: object): Promise<{
              violations: { id: string; help: string; nodes: { html: string }[] }[]
            }>
          }
        }
      ).axe.run({ runOnly: ['wcag2a', 'wcag2aa', 'wcag21aa', 'wcag22aa', 'best-practice'] })
      return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`)
    },
    [AXE]
  )
  t.same(found, [], `${name}: axe finds nothing`)
  mkdirSync(PICTURES, { recursive: true })
  const before = page.viewportSize()
  for (const width of SIZES) {
    await page.setViewportSize({ width, height: 900 })
    const path = join(PICTURES, `${name.replaceAll(/[^a-z0-9-]+/g, '-')}-${width}.png`)
    await page.screenshot({ path, fullPage: true })
  }
  await page.setViewportSize({ width: NARROW, height: 900 })
  const width = await page.evaluate('document.documentElement.scrollWidth')
  t.ok(Number(width) <= NARROW, `${name}: ${width} pixels wide at ${NARROW}`)
  if (before !== null) await page.setViewportSize(before)
}
