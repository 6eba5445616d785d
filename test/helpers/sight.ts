/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { CDPSession, Page } from 'playwright-core'

// What can be seen of a page by a program: two engines of rules, and what happens to the page for people
// who enlarge it, space its text, stop its motion or choose its colours. The functions that take no page
// run in the browser, and see nothing of this file.

const resolved = createRequire(import.meta.url).resolve
/** Two engines that share no code: axe, and the one that pa11y has (docs/decisions/0031). */
const ENGINES = ['axe-core/axe.min.js', '@pa11y/html_codesniffer/build/HTMLCS.js'].map(name =>
  readFileSync(resolved(name), 'utf8')
)

/**
 * What is found in the pages as libraries make them and is no fault: the code of the rule, what the
 * element looks like, and why it stays.
 */
const UPSTREAM: { rule: RegExp; html: RegExp; why: string }[] = []

const debuggers = new WeakMap<Page, Promise<CDPSession>>()

/** The debugger of this page. It stays: leaving it would unplug the authenticators of another one. */
export function debuggerOf(page: Page): Promise<CDPSession> {
  const held = debuggers.get(page) ?? page.context().newCDPSession(page)
  debuggers.set(page, held)
  return held
}

interface Engines {
  axe: {
    run(options: object): Promise<{ violations: { id: string; nodes: { html: string }[] }[] }>
  }
  HTMLCS: {
    ERROR: number
    process(standard: string, content: Document, done: () => void, failed: () => void): void
    getMessages(): { type: number; code: string; msg: string; element: Element }[]
  }
}

/** What either engine finds against WCAG 2.2 AA. The debugger puts them in: no page of ours would. */
export async function faultsByRules(page: Page): Promise<string[]> {
  // A press comes back when the next page has begun: half of a page, or one without its colours, has faults.
  await page.waitForLoadState()
  const window = await debuggerOf(page)
  for (const expression of ENGINES) {
    await window.send('Runtime.evaluate', { expression, silent: true })
  }
  const found = await page.evaluate(async () => {
    const { axe, HTMLCS } = globalThis as unknown as Engines
    const { violations } = await axe.run({
      preload: false,
      elementRef: false,
      resultTypes: ['violations'],
      runOnly: ['wcag2a', 'wcag2aa', 'wcag21aa', 'wcag22aa', 'best-practice']
    })
    await new Promise<void>((resolve, reject) =>
      HTMLCS.process('WCAG2AA', document, resolve, () => reject(new Error('HTMLCS has failed')))
    )
    return [
      ...violations.flatMap(({ id, nodes }) => nodes.map(({ html }) => ({ rule: id, html }))),
      ...HTMLCS.getMessages()
        .filter(({ type }) => type === HTMLCS.ERROR)
        .map(({ code, msg, element }) => ({
          rule: `${code} ${msg}`,
          html: element.outerHTML?.slice(0, 300) ?? element.nodeName
        }))
    ]
  })
  return found
    .filter(
      fault => !UPSTREAM.some(({ rule, html }) => rule.test(fault.rule) && html.test(fault.html))
    )
    .map(({ rule, html }) => `${rule}: ${html}`)
}

/**
 * WCAG 2.2: content reflows at 320 pixels (1.4.10), which is a window of 1280 × 1024 at 400 %. The page is
 * laid out alike at one pixel of the screen for each of its own and at four.
 */
const AT_400_PERCENT = { width: 320, height: 256 }
const AT_100_PERCENT = { width: 1280, height: 1024 }

/** WCAG 2.2, 1.4.12: what a reader may set for themselves. */
const SPACED = `* { line-height: 1.5 !important; letter-spacing: .12em !important; word-spacing: .16em !important }
  p { margin-bottom: 2em !important }`
/** WCAG 2.2, 1.4.4. */
const LARGE_TEXT = 'html { font-size: 200% !important }'

/** What gets lost of a page in a small window, with spaced text, and with text of twice the size. */
export async function faultsOfReflow(page: Page): Promise<string[]> {
  const before = page.viewportSize()
  await page.setViewportSize(AT_400_PERCENT)
  const zoomed = [...(await page.evaluate(lost)), ...(await page.evaluate(unreachable))]
  await page.evaluate(restyle, SPACED)
  const spaced = await page.evaluate(lost)
  await page.setViewportSize(AT_100_PERCENT)
  await page.evaluate(restyle, LARGE_TEXT)
  // A table may then be scrolled sideways: zooming makes of it one card a row, text alone does not.
  const large = (await page.evaluate(lost)).filter(fault => fault.startsWith('cut'))
  await page.evaluate(restyle, '')
  if (before !== null) await page.setViewportSize(before)
  return [
    ...zoomed.map(fault => `at 400 %: ${fault}`),
    ...spaced.map(fault => `with spaced text: ${fault}`),
    ...large.map(fault => `with text of 200 %: ${fault}`)
  ]
}

/** What moves for people who asked for stillness, and what is lost to those who choose the colours. */
export async function faultsOfMedia(page: Page): Promise<string[]> {
  await page.emulateMedia({ reducedMotion: 'reduce', forcedColors: 'active', contrast: 'more' })
  const found = [...(await page.evaluate(moving)), ...(await page.evaluate(focusUnseen))]
  await page.emulateMedia({ reducedMotion: null, forcedColors: null, contrast: null })
  return found
}

/** Puts a stylesheet of the reader over the page, which its policy does not bind; '' takes it away. */
function restyle(text: string): void {
  const sheet = new CSSStyleSheet()
  sheet.replaceSync(text)
  document.adoptedStyleSheets = [sheet]
}

/** What is wider than the window, cut off, or stays in place over what is read. */
function lost(): string[] {
  const name = (element: Element) => `<${element.localName} class="${element.className}">`
  const wide = document.documentElement.scrollWidth
  const faults: string[] = []
  if (wide > innerWidth) {
    const beyond = [...document.body.querySelectorAll('*')].filter(
      element => element.getBoundingClientRect().right > innerWidth
    )
    faults.push(`${wide} pixels wide at ${innerWidth}: ${beyond.slice(-3).map(name).join(' ')}`)
  }
  // These scroll their own content, or have none.
  const own = 'input, select, textarea, iframe, img, svg, svg *'
  for (const element of document.body.querySelectorAll(`:not(${own})`)) {
    const { overflowX, overflowY, position } = getComputedStyle(element)
    const { clientWidth, clientHeight, scrollWidth, scrollHeight } = element
    // What is for screen readers alone is one pixel large.
    if (clientWidth <= 1 || clientHeight <= 1) continue
    const isCut = (overflow: string) => overflow === 'hidden' || overflow === 'clip'
    if (isCut(overflowX) && scrollWidth > clientWidth + 1) faults.push(`cut: ${name(element)}`)
    if (isCut(overflowY) && scrollHeight > clientHeight + 1) faults.push(`cut: ${name(element)}`)
    if ((position === 'fixed' || position === 'sticky') && innerWidth < 400) {
      faults.push(`in the way: ${name(element)}`)
    }
  }
  return faults
}

/** The first button of the page, should it not be there to be pressed once it is scrolled to. */
function unreachable(): string[] {
  const buttons = [...document.querySelectorAll('main .nhsuk-button')]
  const button = buttons.find(each => each.checkVisibility())
  if (button === undefined) return []
  button.scrollIntoView({ block: 'center' })
  const { left, top, width, height } = button.getBoundingClientRect()
  const there = document.elementFromPoint(left + width / 2, top + height / 2)
  scrollTo(0, 0)
  return button.contains(there) ? [] : [`not to be pressed: ${button.textContent?.trim()}`]
}

function moving(): string[] {
  const lasts = (durations: string) =>
    durations.split(',').some(each => Number.parseFloat(each) > 0)
  const faults = new Set<string>()
  for (const element of document.querySelectorAll('*')) {
    for (const part of ['', '::before', '::after']) {
      const style = getComputedStyle(element, part)
      const isAnimated = style.animationName !== 'none' && lasts(style.animationDuration)
      if (isAnimated || lasts(style.transitionDuration) || style.scrollBehavior === 'smooth') {
        faults.add(`moves: ${element.localName}.${element.className}${part}`)
      }
    }
  }
  return [...faults]
}

/** What can have the focus without showing it, where colours of backgrounds and shadows are gone. */
function focusUnseen(): string[] {
  const held = document.activeElement
  const faults = new Set<string>()
  const isOutlined = ({ outlineStyle, outlineWidth }: CSSStyleDeclaration) =>
    outlineStyle !== 'none' && Number.parseFloat(outlineWidth) > 0
  for (const element of document.querySelectorAll(
    'a[href], button, input, select, textarea, summary'
  )) {
    if (!(element instanceof HTMLElement) || element.getClientRects().length === 0) continue
    element.focus({ preventScroll: true })
    if (document.activeElement !== element) continue
    // Boxes and buttons of choices are drawn by the label after them.
    const { nextElementSibling: label } = element
    const seen = [
      getComputedStyle(element),
      ...(label ? [getComputedStyle(label, '::before')] : [])
    ]
    if (!seen.some(isOutlined))
      faults.add(`focus is not seen: ${element.localName}.${element.className}`)
  }
  const now = document.activeElement
  if (now instanceof HTMLElement) now.blur()
  if (held instanceof HTMLElement) held.focus({ preventScroll: true })
  return [...faults]
}
