import t, { type Test } from 'tap'
import { v7 as uuidv7 } from 'uuid'
import { publicFace, type RefusalCode } from '../src/errors.ts'
import { type PersonName, startExchange, type TestExchange } from './helpers/exchange.ts'
import {
  bodyOf,
  headersFor,
  parametersOf,
  pathOf,
  type Scene,
  setScene,
  told
} from './routes/scene.ts'
import { callers, table } from './routes/table.ts'

/** One service for all tests of this file: none changes what another looks at. */
const exchange = await startExchange(t)
const scene = await setScene(exchange)
// Their token is an event of its own.
await exchange.client('auditor').token()

/** The caller each route is for, who would be let in if the ids were right. */
function rightCaller(route: string): PersonName {
  return callers[table[route]?.expected.indexOf('yes') ?? 0] ?? 'clinician'
}

/** What a caller is told who names something that is not there, by the parameter that is wrong. */
function notFoundCode(route: string, parameter: string): RefusalCode {
  const ofShare = route.includes(':share')
  if (parameter === 'record' && ofShare) return 'record-not-found'
  if (parameter === 'specialist') return 'specialist-entry-not-found'
  // Nobody learns whether there is an account that has none.
  if (route.endsWith('/recipient')) return 'recipient-not-found'
  return `${parameter}-not-found` as RefusalCode
}

const withParameters = Object.keys(table).filter(route => route.includes(':'))

/** Ids that exist, of every kind but the wanted one. */
function otherKinds(exchange: TestExchange, scene: Scene, wanted: string): [string, string][] {
  const { accountId, organisationId, key } = exchange.people.clinician
  const all = {
    ...parametersOf(scene),
    account: accountId,
    organisation: organisationId,
    client: key.client_id,
    nothing: uuidv7(),
    'the nil UUID': '00000000-0000-0000-0000-000000000000'
  }
  return Object.entries(all).filter(([kind]) => kind !== wanted)
}

async function tryId(
  t: Test,
  exchange: TestExchange,
  scene: Scene,
  asked: { route: string; parameter: string; value: string; code: RefusalCode; label: string }
) {
  const { route, parameter, value, code, label } = asked
  const [method = '', url = ''] = route.split(' ')
  const path = pathOf(url, { ...parametersOf(scene), [parameter]: value })
  const body = bodyOf(route, scene, exchange.people.specialistGb.accountId)
  const { result, events } = await exchange.eventsOf(() =>
    exchange.client(rightCaller(route)).send(method, path, body, headersFor(route, scene))
  )
  t.equal(result.status, publicFace(code).status, label)
  if (method !== 'HEAD') t.equal(told(result), code, label)
  t.same(
    events.map(({ action, outcome, code }) => ({ action, outcome, code })),
    [{ action: table[route]?.action, outcome: 'refused', code }],
    `${label}: one event`
  )
}

t.test('an id of the wrong kind, or of nothing, is not found', async t => {
  for (const route of withParameters) {
    for (const [, parameter = ''] of route.matchAll(/:(\w+)/g)) {
      for (const [kind, value] of otherKinds(exchange, scene, parameter)) {
        const label = `${route} with the id of ${kind} as ${parameter}`
        const code = notFoundCode(route, parameter)
        await tryId(t, exchange, scene, { route, parameter, value, code, label })
      }
    }
  }
})

const malformed = [
  'x',
  '1',
  'null',
  '*',
  '%00',
  '%2e%2e%2f%2e%2e',
  "'%20OR%20'1'='1",
  '0190a5b0-0000-7000-8000-00000000000',
  '0190a5b0-0000-7000-8000-00000000000g',
  '%F0%9F%A9%BA',
  'a'.repeat(90)
]

t.test('what is no id at all is refused before anything is looked up', async t => {
  for (const route of withParameters) {
    for (const [, parameter = ''] of route.matchAll(/:(\w+)/g)) {
      for (const value of malformed) {
        const label = `${route} with ${value} as ${parameter}`
        const code = 'request-invalid'
        await tryId(t, exchange, scene, { route, parameter, value, code, label })
      }
    }
  }
})

t.test('an id has one spelling: in capitals, or as a URN, it is none', async t => {
  const code = 'request-invalid'
  for (const route of withParameters) {
    for (const [, parameter = ''] of route.matchAll(/:(\w+)/g)) {
      const value = String(parametersOf(scene)[parameter]).toUpperCase()
      const label = `${route} with ${parameter} in capitals`
      await tryId(t, exchange, scene, { route, parameter, value, code, label })
    }
  }
  const clinician = exchange.client('clinician')
  const { caseId, recordId } = scene
  const specialist = exchange.people.specialistGb.accountId
  const share = { specialist, records: [recordId], purpose: 'An opinion' }
  for (const [path, body] of [
    [`/v1/cases/${caseId}/shares`, { ...share, specialist: specialist.toUpperCase() }],
    [`/v1/cases/${caseId}/shares`, { ...share, records: [recordId, recordId.toUpperCase()] }],
    [`/v1/cases/${caseId}/shares`, { ...share, records: [`urn:uuid:${recordId}`] }],
    ['/v1/shares/revoke', { case: caseId.toUpperCase() }]
  ] as const) {
    t.match((await clinician.send('POST', path, body)).json, { code }, JSON.stringify(body))
  }
  t.match((await clinician.send('GET', `/v1/cases/urn:uuid:${caseId}`)).json, { code })
  const listed = await clinician.send('GET', `/v1/shares?case=${caseId.toUpperCase()}`)
  t.match(listed.json, { code })
})

t.test('a right object of a wrong record, a right record of a wrong share', async t => {
  const first = await setScene(exchange)
  const second = await setScene(exchange)
  const clinician = exchange.client('clinician')
  const specialist = exchange.client('specialistGb')
  const mixed = `/v1/records/${second.recordId}/objects/${first.objectId}/content`
  t.match(await clinician.send('GET', mixed), { status: 404, json: { code: 'object-not-found' } })
  const share = `/v1/shares/${second.shares.live.id}`
  t.match(await specialist.send('GET', `${share}/records/${first.recordId}/content`), {
    status: 404,
    json: { code: 'record-not-found' }
  })
  const objects = `${share}/records/${second.recordId}/objects/${first.objectId}/content`
  t.match(await specialist.send('GET', objects), {
    status: 404,
    json: { code: 'object-not-found' }
  })
})
