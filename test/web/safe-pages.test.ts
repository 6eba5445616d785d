import { randomUUID } from 'node:crypto'
import t, { type Test } from 'tap'
import type { Queries } from '../../src/database/database.ts'
import type { RuledRoute } from '../../src/http/area.ts'
import { startExchange, type TestExchange } from '../helpers/exchange.ts'
import { intrude } from '../helpers/intruder.ts'
import { CLIENT_SECRET, issuerSettings } from '../helpers/openid-issuer.ts'
import { scriptedIssuer } from '../helpers/scripted-issuer.ts'
import { signedIn } from '../helpers/signed-in.ts'
import { stranger } from '../sessions/scene.ts'
import { FORGED, PARTS, TYPES } from './safety/forged.ts'
import { type Form, formsOf, hostileParts } from './safety/html.ts'
import { carelessPage, carelessParts, nonceOf } from './safety/policy.ts'
import {
  type HostileScene,
  ISSUER,
  NOT_SHOWN,
  PROBE,
  ROLES,
  type RoleName,
  setHostileScene
} from './safety/scene.ts'

// Every page and every form of the table of routes, where all that people wrote is hostile. A new route
// is tried by itself; one that this scene cannot show fails, and wants a value in safety/scene.ts.

const env = { CONSILIUM_REFUSALS_PER_MINUTE_MAX: '1000000' }
const isRole = (role: string): role is RoleName => role in ROLES

/** Every role that may use a page; of what anybody may, one is enough. */
const rolesOf = ({ roles }: RuledRoute): RoleName[] =>
  roles === 'public' ? ['clinician'] : roles.filter(isRole)

/** Says once for each answer what is wrong with it. */
function judge(t: Test, what: string, { headers, text }: Answer, nonces: Set<string>): void {
  const isPage = /^text\/html/.test(headers.get('content-type') ?? '')
  const careless = isPage ? carelessPage(headers, nonces) : carelessParts(headers)
  const hostile = isPage ? hostileParts(text, nonceOf(headers)) : []
  t.same([...careless, ...hostile], [], what)
}

type Answer = Pick<Awaited<ReturnType<ReturnType<typeof stranger>['get']>>, 'headers' | 'text'>
type Browser = Awaited<ReturnType<typeof signedIn>>
type Browsers = Record<RoleName, Browser>

t.test('pages and forms, where all that people wrote is hostile', async t => {
  const { url: issuer } = await scriptedIssuer(t, CLIENT_SECRET)
  const elsewhere = issuerSettings(t, [{ name: ISSUER, issuer, label: PROBE }])
  const exchange = await startExchange(t, { env: { ...env, ...elsewhere } })
  const scene = await setHostileScene(exchange, await intrude(t, exchange.config))
  const routes = exchange.app.routes.filter(({ page }) => page)
  const made = Object.entries(ROLES).map(
    async ([role, who]) => [role, await signedIn(exchange, who)] as const
  )
  const browsers = Object.fromEntries(await Promise.all(made)) as Browsers
  const nonces = new Set<string>()
  const forms = new Map<string, { form: Form; role: RoleName }>()
  const gather = (role: RoleName, path: string, text: string) => {
    for (const form of formsOf(text, path, PROBE)) {
      const names = form.fields.map(([name]) => name)
      if (form.method === 'POST') forms.set(`${role} ${form.action} ${names}`, { form, role })
    }
  }

  await t.test('every page is shown, and is careful', async t => {
    const query = new URLSearchParams({ after: PROBE, done: PROBE, next: `/${PROBE}`, kind: PROBE })
    const nobody = stranger(exchange, scene.headers)
    for (const route of routes.filter(({ method }) => method === 'GET')) {
      const { url } = route
      const path = scene.pathOf(url)
      for (const role of rolesOf(route)) {
        const answer = await browsers[role].get(path, scene.headers)
        t.equal(answer.status, NOT_SHOWN[url] ?? 200, `${url} as ${role}`)
        judge(t, `${url} as ${role}`, answer, nonces)
        gather(role, path, answer.text)
      }
      const [role = 'clinician'] = rolesOf(route)
      judge(t, `${url}?`, await browsers[role].get(`${path.split('?')[0]}?${query}`), nonces)
      const astray = url.replaceAll(/:\w+/g, encodeURIComponent(PROBE))
      judge(t, `${url} astray`, await browsers[role].get(astray), nonces)
      judge(t, `${url} as nobody`, await nobody.get(path), nonces)
    }
    judge(t, 'no page', await nobody.get(`/${encodeURIComponent(PROBE)}`), nonces)
  })

  await t.test('no form is taken that another site can make a browser send', t =>
    forgeForms(t, exchange, scene, browsers)
  )

  await t.test("no page is a part of somebody else's", async t => {
    for (const route of routes.filter(({ method }) => method === 'GET')) {
      const [role] = route.roles === 'public' ? [] : rolesOf(route)
      if (role === undefined) continue
      const path = scene.pathOf(route.url)
      for (const [site, dest] of PARTS) {
        const headers = { 'sec-fetch-site': site, 'sec-fetch-dest': dest }
        const answer = await browsers[role].get(path, headers)
        t.equal(answer.status, 403, `${route.url} as ${dest} of a ${site} page`)
      }
      const led = { 'sec-fetch-site': 'cross-site', 'sec-fetch-dest': 'document' }
      const answer = await browsers[role].get(path, led)
      const isContent = route.action === 'content.read'
      t.equal(
        answer.status,
        isContent ? 403 : (NOT_SHOWN[route.url] ?? 200),
        `${route.url} by a link in a mail`
      )
    }
  })

  await t.test('what is not theirs, and what is not there, is answered alike', t =>
    askForOthers(t, exchange, scene)
  )

  await t.test('what is typed into any form comes back harmless', async t => {
    const tried = new Set<string>()
    const isLast = ({ form: { action } }: { form: Form }) =>
      /sign-out|disable|decline|end|discard|withdraw|remove|close/.test(action)
    for (let round = 0; round < 3; round += 1) {
      const now = [...forms.values()].sort((a, b) => Number(isLast(a)) - Number(isLast(b)))
      forms.clear()
      for (const { form, role } of now) {
        const route = routeOf(routes, form.action)
        const before = `${role} ${route} ${form.fields.map(([name]) => name)}`
        if (tried.has(before)) continue
        tried.add(before)
        const browser = await signedIn(exchange, ROLES[role])
        const answer = await sendForm(browser, form)
        t.ok(answer.status < 500, `${route} as ${role}: ${answer.status}`)
        judge(t, `${route} as ${role}`, answer, nonces)
        gather(role, form.action, answer.text)
        const next = answer.headers.get('location')
        if (next === null) continue
        t.match(next, /^\/(?!\/)/, `${route} leads to a page of ours`)
        const page = await browser.get(next.split('#')[0] ?? '')
        judge(t, `${route} as ${role}, then ${next}`, page, nonces)
        gather(role, next, page.text)
      }
    }
    // Some are reached only by what this scene has not: each is sent every field that there is.
    const names = new Set([...tried].flatMap(one => one.split(' ')[2]?.split(',') ?? []))
    for (const name of ['answer', 'link', 'passkey', 'words', 'days', 'reason']) names.add(name)
    for (const route of routes.filter(({ method }) => method === 'POST')) {
      const [role = 'clinician'] = rolesOf(route)
      const browser = await signedIn(exchange, ROLES[role])
      const fields = [...names].map((name): [string, string] => [name, PROBE])
      const answer = await browser.post(scene.pathOf(route.url), fields)
      t.ok(answer.status < 500, `${route.url} with every field: ${answer.status}`)
      judge(t, `${route.url} with every field`, answer, nonces)
    }
    t.ok(tried.size > 60, `${tried.size} forms`)
  })
})

const routeOf = (routes: RuledRoute[], action: string): string => {
  const [path = ''] = action.split(/[?#]/)
  const fits = ({ method, url }: RuledRoute) =>
    method === 'POST' && new RegExp(`^${url.replaceAll(/:\w+/g, '[^/]+')}$`).test(path)
  return routes.find(fits)?.url ?? `unknown ${path}`
}

async function sendForm(browser: Browser, { action, fields, isMultipart }: Form) {
  return isMultipart
    ? browser.send('POST', action, multipartOf(fields))
    : browser.post(action, fields)
}

function multipartOf(fields: [string, string][]): FormData {
  const form = new FormData()
  for (const [name, value] of fields) form.append(name, value)
  form.append('file', new Blob([PROBE], { type: 'text/html' }), `${PROBE}.html`)
  return form
}

async function forgeForms(
  t: Test,
  exchange: TestExchange,
  scene: HostileScene,
  browsers: Browsers
): Promise<void> {
  const { read } = exchange.exchange.database
  const before = await everything(read)
  const posts = exchange.app.routes.filter(({ page, method }) => page && method === 'POST')
  let n = 0
  for (const route of posts) {
    const { url, action, roles } = route
    const path = scene.pathOf(url)
    const { result, events } = await exchange.eventsOf(async () => {
      const statuses: number[] = []
      for (const [role, headers] of rolesOf(route).flatMap(role =>
        Object.values(FORGED).map(headers => [role, headers] as const)
      )) {
        n += 1
        const answer = await fetch(exchange.url + path, {
          method: 'POST',
          redirect: 'manual',
          body: 'answer=x&code=x&link=x&reason=a+long+enough+reason&name=x',
          headers: {
            accept: 'text/html',
            cookie: browsers[role].cookie,
            'content-type': String(TYPES[n % TYPES.length]),
            ...headers
          }
        })
        await answer.arrayBuffer()
        statuses.push(answer.status)
      }
      return statuses
    })
    t.same(new Set(result), new Set([403]), `${url}: refused, however it is sent`)
    const refused = events.filter(({ code }) => code === 'cross-site-refused')
    const isTold = action === 'none' ? 0 : result.length
    t.equal(refused.length, isTold, `${url}: on the log`)
    t.equal(events.length, isTold, `${url}: and nothing else`)
    t.ok(
      roles === 'public' || events.every(event => event.action === action),
      `${url}: as ${action}`
    )
  }
  const after = await everything(read)
  for (const [name, rows] of Object.entries(after))
    t.equal(rows, before[name], `${name} is as before`)
}

/** Of each role one who has nothing to do with what the scene is about. */
const OUTSIDERS = {
  clinician: 'otherClinician',
  specialist: 'stranger',
  auditor: 'otherAuditor'
} as const

async function askForOthers(t: Test, exchange: TestExchange, scene: HostileScene): Promise<void> {
  const asked = exchange.app.routes.filter(({ page, url }) => page && url.includes('/:'))
  for (const [role, who] of Object.entries(OUTSIDERS)) {
    const browser = await signedIn(exchange, who)
    const ask = (method: string, path: string) =>
      method === 'GET' ? browser.get(path) : browser.post(path, FILLED)
    for (const { method, url, roles } of asked) {
      // The register is everybody's; who looks for a case of theirs in it names the case.
      const isOwn = /:(case|share|event|invitation)/.test(url)
      if (roles === 'public' || !roles.includes(role as RoleName) || !isOwn) continue
      const foreign = await ask(method, scene.pathOf(url))
      const unknown = await ask(method, scene.pathOf(url).replaceAll(ID, randomUUID()))
      const what = `${method} ${url} as ${who}`
      t.same(stable(foreign), stable(unknown), what)
      t.match(foreign.headers.get('content-type'), 'text/html', `${what}: a page of ours`)
    }
  }
}

const ID = /[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g
/** What forms are sent with, so that they get as far as to what they are about. */
const FILLED = {
  reason: 'A reason of some length',
  message: 'A message',
  text: 'A text',
  purpose: 'A purpose',
  hours: '72',
  days: '7',
  version: '1',
  records: randomUUID(),
  who: 'patient',
  takenBy: 'Somebody',
  how: 'in-writing',
  'given-day': '1',
  'given-month': '2',
  'given-year': '2026'
}

/** An answer without what is different each time. */
const stable = ({ status, headers, text }: Answer & { status: number }) => ({
  status,
  text: text
    .replaceAll(ID, '')
    .replaceAll(/nonce="[^"]*"/g, '')
    .replaceAll(headers.get('x-request-id') ?? 'none', '')
})

/** All that the service keeps, but for the log and what a look at a page moves on. */
async function everything(read: Queries): Promise<Record<string, string>> {
  const kept: Record<string, string> = {}
  for (const [name, table] of Object.entries(read.tables)) {
    if (/audit|log|tree|tile|sessions|refusal|checkpoint|disclosure|head/i.test(name)) continue
    const rows = await read.select().from(table as typeof read.tables.accounts)
    kept[name] = JSON.stringify(rows)
  }
  return kept
}
