import { randomUUID } from 'node:crypto'
import t from 'tap'
import { createCase, startExchange } from '../helpers/exchange.ts'
import { signedIn } from '../helpers/signed-in.ts'

// Every page, as everybody who may not see it. What those see who may is told by the stories beside.

const people = { clinician: 'clinician', specialist: 'specialistGb', auditor: 'auditor' } as const
const everybody = { ...people, administrator: 'administrator' } as const

const addressOf = (url: string): string =>
  url.replaceAll(/:\w+/g, () => randomUUID()).replaceAll('*', 'anything')

t.test('every page for the signed-in turns all others away', async t => {
  const exchange = await startExchange(t, {
    env: { CONSILIUM_REFUSALS_PER_MINUTE_MAX: '1000000' }
  })
  const routes = exchange.app.routes.filter(({ page, roles }) => page && roles !== 'public')
  t.ok(routes.length > 0)
  const browsers = Object.entries(everybody).map(
    async ([role, who]) => [role, await signedIn(exchange, who)] as const
  )
  for (const [role, browser] of await Promise.all(browsers)) {
    for (const { method, url, roles, action } of routes) {
      const path = addressOf(url)
      const send = (headers = {}) =>
        method === 'GET' ? browser.get(path, headers) : browser.post(path, {}, headers)
      if (method !== 'GET') {
        const { result, events } = await exchange.eventsOf(() =>
          send({ 'sec-fetch-site': 'cross-site' })
        )
        t.equal(result.status, 403, `${method} ${url} as ${role} from another site`)
        t.match(events, [{ action, outcome: 'refused', code: 'cross-site-refused' }])
      }
      if (roles.includes(role as 'clinician')) continue
      const { result, events } = await exchange.eventsOf(() => send())
      t.equal(result.status, 403, `${method} ${url} as ${role}`)
      t.match(result.text, 'Your role may not do this')
      t.match(events, [{ action, outcome: 'refused', code: 'role-refused' }])
    }
  }
})

t.test('every page for the signed-in leads others to the way in', async t => {
  const exchange = await startExchange(t)
  const routes = exchange.app.routes.filter(({ page, roles }) => page && roles !== 'public')
  for (const { method, url } of routes) {
    const path = addressOf(url)
    const answer = await fetch(exchange.url + path, {
      method,
      redirect: 'manual',
      headers: { accept: 'text/html' }
    })
    if (method === 'GET') {
      t.equal(answer.status, 303, url)
      t.equal(answer.headers.get('location'), `/sign-in?next=${encodeURIComponent(path)}`)
    } else {
      t.equal(answer.status, 401, url)
    }
  }
})

t.test('every page that anybody may see names nobody and leaves no event', async t => {
  const exchange = await startExchange(t)
  const open = exchange.app.routes.filter(
    ({ page, roles, method, action }) =>
      page && roles === 'public' && method === 'GET' && action === 'none'
  )
  t.ok(open.length > 0)
  for (const { url } of open) {
    const { result, events } = await exchange.eventsOf(async () => {
      const answer = await fetch(exchange.url + addressOf(url), {
        headers: { accept: 'text/html' }
      })
      return { status: answer.status, text: await answer.text() }
    })
    t.ok([200, 404].includes(result.status), `${url}: ${result.status}`)
    t.same(events, [], url)
    for (const { name } of Object.values(exchange.people)) t.notOk(result.text.includes(name), url)
  }
})

t.test(
  'a zero among what was typed or in an address is refused, whatever the database',
  async t => {
    // Given everybody, with the pages that they may see
    const exchange = await startExchange(t)
    const routes = exchange.app.routes.filter(({ page, roles }) => page && roles !== 'public')
    for (const [role, who] of Object.entries(everybody)) {
      const browser = await signedIn(exchange, who)
      for (const { method, url, roles } of routes) {
        if (!roles.includes(role as 'clinician') || !/[:?]/.test(url)) continue

        // When an id is one that PostgreSQL takes for no text
        const path = url.replaceAll(/:\w+/g, '%00')
        const { status } = await (method === 'GET' ? browser.get(path) : browser.post(path))

        // Then it is told to whoever asked, and is no fault of ours
        t.ok([303, 400].includes(status), `${method} ${url} as ${role}: ${status}`)
      }
    }
    const clinician = await signedIn(exchange, 'clinician')
    const { id } = await createCase(exchange.client('clinician'))
    const fields = { version: '0', 'status-imaging': 'present', 'records-imaging': '\0' }
    t.equal((await clinician.post(`/cases/${id}/checklist`, fields)).status, 400)
    t.equal((await clinician.get(`/cases?after=%00`)).status, 400)
  }
)
