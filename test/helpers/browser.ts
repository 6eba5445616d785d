import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
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
import { debuggerOf, faultsByRules, faultsOfMedia, faultsOfReflow } from './sight.ts'
import { sessionCookieOf } from './signed-in.ts'

const BROWSERS = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome']
/** Where pictures of pages are kept, to be looked at. */
const PICTURES = join(import.meta.dirname, '../../.tap/pages')
const SIZES = [1280, 360]
/** Pictures are for people. A run of all tests, which nobody watches, takes none unless it is told to. */
const TAKES_PICTURES = process.env['TEST_PICTURES'] !== 'no'
/** What is seen of a page does not depend on where its data are kept. */
const IS_LOOKED_AT = process.env['TEST_DATABASE'] !== 'postgres'

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
 * What holds for every page: two engines of rules find nothing against WCAG 2.2 AA, nothing is lost or has
 * to be scrolled sideways at 400 %, with spaced and with larger text, nothing moves for whom asked for
 * stillness, and the focus is seen in whatever colours. Leaves pictures to be looked at.
 */
export async function looksRight(t: Test, page: Page, name: string): Promise<void> {
  if (!IS_LOOKED_AT) return
  t.same(await faultsByRules(page), [], `${name}: keeps the rules`)
  t.same(await faultsOfReflow(page), [], `${name}: nothing is lost when it is enlarged`)
  t.same(await faultsOfMedia(page), [], `${name}: stillness and colours of the reader are kept`)
  await takePictures(page, name, SIZES)
}

/** The part of it that the engines see, for a page that differs little from one that looks right. */
export async function keepsRules(t: Test, page: Page, name: string): Promise<void> {
  if (!IS_LOOKED_AT) return
  t.same(await faultsByRules(page), [], `${name}: keeps the rules`)
  await takePictures(page, name, SIZES.slice(0, 1))
}

async function takePictures(page: Page, name: string, sizes: number[]): Promise<void> {
  if (!TAKES_PICTURES) return
  mkdirSync(PICTURES, { recursive: true })
  const before = page.viewportSize()
  const camera = await debuggerOf(page)
  for (const width of sizes) {
    await page.setViewportSize({ width, height: 900 })
    const { cssContentSize } = await camera.send('Page.getLayoutMetrics')
    // Half of the time that the library's own way takes, which squeezes files nobody keeps.
    const { data } = await camera.send('Page.captureScreenshot', {
      format: 'png',
      optimizeForSpeed: true,
      captureBeyondViewport: true,
      clip: { x: 0, y: 0, width, height: cssContentSize.height, scale: 1 }
    })
    const file = `${name.replaceAll(/[^a-z0-9-]+/g, '-')}-${width}.png`
    writeFileSync(join(PICTURES, file), data, 'base64')
  }
  if (before !== null) await page.setViewportSize(before)
}
