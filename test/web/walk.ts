/// <reference lib="dom" />
import type { Page } from 'playwright-core'
import type { Test } from 'tap'
import { keepsRules, looksRight, startBrowser } from '../helpers/browser.ts'
import type { PersonName } from '../helpers/people.ts'
import { type Visit, visits, WITHOUT_PAGE } from './walk-pages.ts'
import type { Stage } from './walk-stage.ts'

// Every page in every state that needs no story of its own. Those that do are looked at in theirs.

const WHO = {
  public: 'nobody',
  clinician: 'clinician',
  specialist: 'specialistGb',
  auditor: 'auditor',
  administrator: 'administrator'
} as const
type Role = keyof typeof WHO

/** Clinicians have half of all pages, so those about sharing are looked at by themselves. */
export type Part = Role | 'sharing'
const SHARING = /^\/(cases\/:case\/(share|opinions|access)|shares|specialists)/

/** Each takes half a minute on a machine that does nothing else. */
export const WALK_MILLISECONDS_MAX = 600_000

/** Forms that carry files. */
const WITH_FILES = /\/(import|attachments|upload)$/

/** Looks at the pages of these parts, which are told by the first role, as those see them who have it. */
export async function walk(t: Test, stage: Stage, parts: Part[]): Promise<void> {
  const { page } = await startBrowser(t, stage.exchange)
  const roles = pageRoutes(stage)
  const windows = new Map<string, Promise<Page>>()
  const windowOf = (who: PersonName | 'nobody') => {
    const opened = windows.get(who) ?? page(who === 'nobody' ? undefined : who)
    windows.set(who, opened)
    return opened
  }
  for (const visit of visits(stage)) {
    const { route, state, ids, more = '', status } = visit
    const role = roles.get(route)
    if (role === undefined) throw new Error(`There is no page ${route}.`)
    const [method = '', pattern = ''] = route.split(' ')
    const part = role === 'clinician' && SHARING.test(pattern) ? 'sharing' : role
    if (!parts.includes(part)) continue
    const named: Record<string, string> = { ...stage.ids, ...ids }
    const path = pattern.replaceAll(/:(\w+)/g, (_, name) => String(named[name])) + more
    const window = await windowOf(visit.who ?? WHO[role])
    const answered = method === 'GET' ? await go(window, path) : await send(window, path, visit)
    const words = [pattern.slice(1).replaceAll(/[/:]+/g, '-') || 'start', state]
    const name = [...words, method === 'POST' && 'sent'].filter(Boolean).join('-')
    const isRefusedForm = method === 'POST' && status === undefined
    if (isRefusedForm) t.ok(answered >= 400 && answered < 500, `${name}: ${answered}`)
    else t.equal(answered, status ?? 200, name)
    // It is the page of the form, which is looked at in full, and a summary that is alike on all.
    await (isRefusedForm ? keepsRules : looksRight)(t, window, name)
  }
}

/** The routes with a page that neither a visit nor a reason speaks of. */
export function leftOut(stage: Stage): string[] {
  const spokenOf = new Set([
    ...Object.values(WITHOUT_PAGE).flat(),
    ...visits(stage).map(({ route }) => route)
  ])
  return [...pageRoutes(stage).keys()].filter(route => !spokenOf.has(route))
}

/** Method and pattern of every page, with the first role that may have it. */
function pageRoutes({ exchange }: Stage): Map<string, Role> {
  const pages = exchange.app.routes.filter(route => route.page && route.method !== 'HEAD')
  return new Map(
    pages.map(({ method, url, roles }) => [
      `${String(method)} ${url}`,
      String([roles].flat()[0]) as Role
    ])
  )
}

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
