/// <reference lib="dom" />
import type { Page } from 'playwright-core'
import t from 'tap'
import { looksRight, noBrowser, startBrowser } from '../helpers/browser.ts'
import type { PersonName } from '../helpers/people.ts'
import { type Visit, visits, WITHOUT_PAGE } from './walk-pages.ts'
import { setStage } from './walk-stage.ts'

// Every page in every state that needs no story of its own. Those that do are looked at in theirs.

/** It takes a minute on a machine that does nothing else. */
const WALK_MILLISECONDS_MAX = 600_000
t.setTimeout(WALK_MILLISECONDS_MAX)

const WHO = {
  public: 'nobody',
  clinician: 'clinician',
  specialist: 'specialistGb',
  auditor: 'auditor',
  administrator: 'administrator'
} as const
/** Forms that carry files. */
const WITH_FILES = /\/(import|attachments|upload)$/

t.test('every page, as those see it whose page it is', { skip: noBrowser() }, async t => {
  const stage = await setStage(t)
  const { page } = await startBrowser(t, stage.exchange)
  const routes = new Map<string, string>(
    stage.exchange.app.routes
      .filter(route => route.page && route.method !== 'HEAD')
      .map(
        ({ method, url, roles }) => [String(`${method} ${url}`), String([roles].flat()[0])] as const
      )
  )
  const windows = new Map<string, Promise<Page>>()
  const windowOf = (who: PersonName | 'nobody') => {
    const opened = windows.get(who) ?? page(who === 'nobody' ? undefined : who)
    windows.set(who, opened)
    return opened
  }
  const seen = new Set(Object.values(WITHOUT_PAGE).flat())
  for (const visit of visits(stage)) {
    const { route, state, ids, more = '', status } = visit
    const role = routes.get(route)
    if (role === undefined) throw new Error(`There is no page ${route}.`)
    seen.add(route)
    const named: Record<string, string> = { ...stage.ids, ...ids }
    const [method = '', pattern = ''] = route.split(' ')
    const path = pattern.replaceAll(/:(\w+)/g, (_, name) => String(named[name])) + more
    const window = await windowOf(visit.who ?? WHO[role as keyof typeof WHO])
    const answered = method === 'GET' ? await go(window, path) : await send(window, path, visit)
    const name = [pattern.slice(1).replaceAll(/[/:]+/g, '-') || 'start', state].filter(Boolean)
    if (method === 'GET' || status !== undefined) t.equal(answered, status ?? 200, name.join('-'))
    else t.ok(answered >= 400 && answered < 500, `${name.join('-')}: ${answered}`)
    await looksRight(t, window, [...name, ...(method === 'POST' ? ['sent'] : [])].join('-'))
  }
  t.same(
    [...routes.keys()].filter(route => !seen.has(route)),
    [],
    'no page was left out'
  )
})

async function go(window: Page, path: string): Promise<number> {
  // What stands after the # alone would load nothing anew.
  if (path.includes('#')) await window.goto('about:blank')
  const answer = await window.goto(path)
  return answer?.status() ?? 0
}

/** Sends a form to this address from the page that is shown, and waits for the page that answers it. */
async function send(window: Page, path: string, { fields = {} }: Visit): Promise<number> {
  if (window.url() === 'about:blank') await window.goto('/account')
  const [answer] = await Promise.all([
    window.waitForNavigation(),
    window.evaluate(
      ([action, enctype, typed]) => {
        const form = document.createElement('form')
        Object.assign(form, { method: 'post', action, enctype })
        for (const [name, value] of Object.entries(typed)) {
          const field = document.createElement('input')
          form.append(Object.assign(field, { name, value }))
        }
        document.body.append(form)
        setTimeout(() => form.submit())
      },
      [
        path,
        WITH_FILES.test(path) ? 'multipart/form-data' : 'application/x-www-form-urlencoded',
        fields
      ] as const
    )
  ])
  return answer?.status() ?? 0
}
