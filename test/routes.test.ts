import Fastify from 'fastify'
import t, { type Test } from 'tap'
import type { Action } from '../schemas/audit-event.ts'
import { publicFace, type RefusalCode } from '../src/errors.ts'
import { publicly, requireRules } from '../src/http/area.ts'
import { type AuditRow, startExchange, type TestExchange } from './helpers/exchange.ts'
import { prepare } from './routes/prepare.ts'
import {
  bodyOf,
  headersFor,
  parametersOf,
  pathOf,
  type Scene,
  setScene,
  told
} from './routes/scene.ts'
import {
  acceptRoute,
  actsOf,
  callers,
  type Row,
  shareStates,
  shareTable,
  table,
  tokenRoute,
  unaudited
} from './routes/table.ts'

/** The fields of an event that this table answers for. */
type Seen = Pick<
  AuditRow,
  'action' | 'outcome' | 'code' | 'actorId' | 'actorOrganisationId' | 'organisationId'
>

function seenOf(event: AuditRow): Seen {
  const { action, outcome, code, actorId, actorOrganisationId, organisationId } = event
  return { action, outcome, code, actorId, actorOrganisationId, organisationId }
}

/** The events one request leaves behind: two for content that was sent, else one. */
function expectedEvents(method: string, action: Action, code: string | undefined): Partial<Seen>[] {
  if (code !== undefined) return [{ action, outcome: 'refused', code }]
  const acts = actsOf[action]
  if (acts) return acts.map(action => ({ action, outcome: 'success', code: null }))
  const outcomes =
    action === 'content.read' && method === 'GET' ? ['granted', 'complete'] : ['success']
  return outcomes.map(outcome => ({ action, outcome, code: null }))
}

function codeOf(expected: string, row: Row): string | undefined {
  const codes: Record<string, string | undefined> = {
    yes: undefined,
    token: 'token-missing',
    role: 'role-refused',
    hidden: row.hidden,
    operator: 'operator-only'
  }
  return codes[expected]
}

t.test('every route has its line in the table', async t => {
  const { app } = await startExchange(t)
  const name = ({ method, url }: { method: string; url: string }) => `${method} ${url}`
  // Those of pages are held by test/web/page-routes.test.ts.
  const routes = app.routes.filter(route => !route.page)
  const audited = routes.filter(route => route.action !== 'none')
  t.same(audited.map(name).sort(), [...Object.keys(table), tokenRoute, acceptRoute].sort())
  t.same(
    routes
      .filter(route => route.action === 'none')
      .map(name)
      .sort(),
    unaudited
  )
  for (const route of audited) {
    if ([tokenRoute, acceptRoute].includes(name(route))) continue
    t.equal(route.action, table[name(route)]?.action, `${name(route)} says what it does`)
    t.not(route.roles, 'public', `${name(route)} asks who is calling`)
  }
  for (const route of Object.keys(shareTable)) t.ok(table[route], `${route} is a route`)
})

t.test(
  'a route that says neither who may call it nor how it is audited stops the build',
  async t => {
    const app = Fastify({ exposeHeadRoutes: false })
    const routes = requireRules(app, ['/docs'])
    app.get('/with', publicly('account.read'), async () => ({}))
    app.get('/docs/page', async () => ({}))
    t.throws(() => app.get('/without', async () => ({})), /says neither who may call it/)
    t.throws(() => app.get('/docsy', async () => ({})), /says neither who may call it/)
    t.same(
      routes.map(route => `${route.method} ${route.url} ${route.action}`),
      ['GET /with account.read', 'GET /docs/page none']
    )
  }
)

t.test('every route, as everybody', async t => {
  const exchange = await startExchange(t)
  const scene = await setScene(exchange)
  for (const who of callers) await exchange.client(who).token()
  for (const [route, row] of Object.entries(table)) {
    t.equal(row.expected.length, callers.length, `${route} says what everybody may`)
    for (const [column, who] of callers.entries()) {
      await tryRoute(t, exchange, scene, { route, row, who, expected: row.expected[column] ?? '' })
    }
  }
})

function actionOf(route: string): Action {
  const found = table[route]
  if (found === undefined) throw new Error(`${route} is no route.`)
  return found.action
}

interface Try {
  route: string
  row: Row
  who: (typeof callers)[number]
  expected: string
}

async function tryRoute(
  t: Test,
  exchange: TestExchange,
  scene: Scene,
  { route, row, who, expected }: Try
) {
  const [method = '', url = ''] = route.split(' ')
  const values = parametersOf(scene)
  const { headers, ...own } = await prepare(route, exchange, scene)
  Object.assign(values, own.values)
  const body = own.body ?? bodyOf(route, scene, exchange.people.specialistGb.accountId)
  const { result, events } = await exchange.eventsOf(() =>
    exchange
      .client(who)
      .send(method, pathOf(url, values), body, { ...headersFor(route, scene), ...headers })
  )

  const label = `${route} as ${who ?? 'nobody'}: ${expected}`
  const code = codeOf(expected, row)
  if (code === undefined) t.match(String(result.status), /^20[014]$/, label)
  else t.equal(result.status, publicFace(code as RefusalCode).status, label)
  if (method !== 'HEAD') t.equal(told(result), code ?? 'yes', label)
  else t.equal(result.bytes.length, 0, `${label}, without a body`)

  if (['otherClinician', 'stranger', 'otherAdministrator'].includes(String(who))) {
    for (const id of [scene.caseId, scene.recordId, scene.objectId, scene.shares.live.id]) {
      t.notOk(result.text.includes(id), `${label}, and nothing of City Hospital is told`)
    }
  }

  const person = who && exchange.people[who]
  const city = exchange.people.clinician.organisationId
  // What belongs to City Hospital is on its log, whoever asked for it. The register is everybody's.
  const isInCity =
    expected === 'yes' && (/:(?!account|specialist)/.test(url) || route === 'POST /v1/uploads')
  // What a specialist was sent is on the log of whoever sent it.
  const isSent =
    row.action === 'link.open' || (row.action === 'share.list' && who === 'specialistGb')
  // An organisation's own log begins with who added it.
  const added =
    route === 'POST /v1/organisations' && expected === 'yes' ? result.json.id : undefined
  const concernsCity = expected === 'hidden' || isInCity || (expected === 'yes' && isSent)
  t.same(
    events.map(seenOf),
    expectedEvents(method, row.action, code).map(event => ({
      code: null,
      actorId: person?.accountId ?? null,
      actorOrganisationId: person?.organisationId ?? null,
      organisationId: concernsCity ? city : (added ?? person?.organisationId ?? null),
      ...event
    })),
    `${label}: exactly these events`
  )
}

t.test('every route of a specialist, in every state of the share', async t => {
  const exchange = await startExchange(t)
  const scene = await setScene(exchange)
  const { accountId, organisationId } = exchange.people.specialistGb
  for (const [route, states] of Object.entries(shareTable)) {
    const [method = '', url = ''] = route.split(' ')
    for (const state of shareStates) {
      const expected = states[state]
      const { result, events } = await exchange.eventsOf(() =>
        exchange
          .client('specialistGb')
          .send(method, pathOf(url, parametersOf(scene, state)), bodyOf(route, scene, '', state))
      )
      const code = expected === 'yes' ? undefined : expected
      const label = `${route} of a share that is ${state}: ${expected}`
      const status = code ? String(publicFace(code as RefusalCode).status) : /^20[01]$/
      t.match(String(result.status), status, label)
      if (method !== 'HEAD') t.equal(told(result), expected, label)
      t.same(
        events.map(event => ({
          ...seenOf(event),
          shareId: event.shareId,
          caseId: event.caseId,
          recipientCountry: event.recipientCountry
        })),
        expectedEvents(method, actionOf(route), code).map(event => ({
          ...event,
          actorId: accountId,
          actorOrganisationId: organisationId,
          organisationId: exchange.people.clinician.organisationId,
          shareId: scene.shares[state].id,
          caseId: scene.caseId,
          recipientCountry: 'GB'
        })),
        `${label}: exactly this, on the sender's log`
      )
    }
  }
})

t.test('what is not audited is open to all and leaves no event', async t => {
  const exchange = await startExchange(t)
  const values = parametersOf(await setScene(exchange))
  await exchange.exchange.tree.settle()
  const places: Record<string, string> = {
    '/assets/:version/:name': '/assets/any/pages.js',
    '/docs/static/*': '/docs/static/index.html',
    '/v1/audit/tile/*': '/v1/audit/tile/entries/000.p/5',
    '/v1/audit/consistency': '/v1/audit/consistency?from=5'
  }
  for (const route of unaudited) {
    const [method = '', url = ''] = route.split(' ')
    const { result, events } = await exchange.eventsOf(() =>
      exchange.client().send(method, places[url] ?? pathOf(url, values))
    )
    t.equal(result.status, 200, route)
    t.same(events, [], `${route} leaves no event`)
    for (const { name } of Object.values(exchange.people)) {
      t.notOk(result.text.includes(name), `${route} names nobody`)
    }
  }
})

t.test(
  'a token is given to a client that proves itself, and both answers are on the log',
  async t => {
    const exchange = await startExchange(t)
    const given = await exchange.eventsOf(() => exchange.client('auditor').token())
    const { accountId, organisationId } = exchange.people.auditor
    t.match(given.events.map(seenOf), [
      { action: 'token.issue', outcome: 'success', actorId: accountId, organisationId }
    ])
    const refused = await exchange.eventsOf(() =>
      exchange.client().send('POST', '/oidc/token', 'grant_type=client_credentials', {
        'content-type': 'application/x-www-form-urlencoded'
      })
    )
    t.equal(refused.result.status, 400)
    t.match(refused.events.map(seenOf), [
      { action: 'token.issue', outcome: 'refused', actorId: null }
    ])
  }
)
