import t from 'tap'
import { NHS_NUMBER, NHS_SYSTEM, startExchange, type TestExchange } from '../../helpers/exchange.ts'
import { liveliness } from '../scene.ts'
import { everyPage, foundIn, resourcesIn, searchByPost } from './scene.ts'

const CASE = 'urn:consilium:case'

/** All events found by GET. */
async function get(exchange: TestExchange, query: string) {
  return everyPage(
    exchange,
    await exchange.client('auditor').send('GET', `/fhir/AuditEvent?${query}`)
  )
}

t.test('events are found by code, thing, person and time', async t => {
  const exchange = await startExchange(t)
  const { first, second } = await liveliness(exchange)
  const { clinician, specialistGb } = exchange.people
  const encoded = (value: string) => encodeURIComponent(value)
  const all = await exchange.auditEvents()

  const reads = await get(exchange, 'type=110106')
  t.same(foundIn(reads), ['content.read complete', 'content.read granted', 'link.open success'])
  t.same(foundIn(await get(exchange, 'subtype=disclose&subtype=content.read&outcome=0')), [
    'content.read complete',
    'content.read granted'
  ])
  const refused = await get(exchange, 'outcome=4,8,12&type=110113')
  t.ok(foundIn(refused).every(name => / refused /.test(name)))
  t.ok(foundIn(refused).includes('link.open refused share-not-found'))
  const dcm = encoded('http://dicom.nema.org/resources/ontology/DCM')
  t.same(await foundIn(await get(exchange, `type=${dcm}%7C110106`)), foundIn(reads))
  t.same(foundIn(await get(exchange, 'type=nothing')), [])
  t.same(foundIn(await get(exchange, 'action=U')), ['organisation.operate success'])

  const things = {
    case: first.caseId,
    record: first.record.id,
    object: String(first.record.objects[0]?.id),
    share: first.share.id
  }
  for (const [kind, id] of Object.entries(things)) {
    const token = encoded(`urn:consilium:${kind}|${id}`)
    const ids = resourcesIn(await get(exchange, `entity.identifier=${token}`)).map(({ id }) => id)
    const column = `${kind}Id` as 'caseId'
    const there = all.filter(event => event[column] === id).map(({ id }) => id)
    t.same(ids, there.reverse(), kind)
  }
  const both = `entity:identifier=${encoded(`${CASE}|${first.caseId}`)}`
  t.same(foundIn(await get(exchange, `${both}&entity=${encoded(`${CASE}|${second.caseId}`)}`)), [])

  for (const { accountId } of [clinician, specialistGb]) {
    const found = resourcesIn(
      await get(exchange, `agent.identifier=${encoded(`urn:consilium:account|${accountId}`)}`)
    )
    const there = all.filter(
      ({ actorId, organisationId }) =>
        actorId === accountId && organisationId === clinician.organisationId
    )
    t.ok(there.length > 0)
    t.same(
      found.map(({ id }) => id),
      there.map(({ id }) => id).reverse(),
      'what they did, as far as it concerns us'
    )
  }
  const one = resourcesIn(reads)[0]
  t.same(resourcesIn(await get(exchange, `_id=${one?.id}`)), [one])
})

t.test('a date is the whole of what it names', async t => {
  const exchange = await startExchange(t)
  const day = Date.UTC(2031, 3, 10)
  const at = [day - 1, day, day + 3_600_000, day + 86_399_999, day + 86_400_000]
  for (const moment of at) {
    exchange.clock.set(moment)
    await exchange.client('clinician').token()
    await exchange.client('clinician').send('GET', '/v1/account')
  }
  exchange.clock.set(day + 2 * 86_400_000)
  const found = async (query: string) => {
    const pages = await get(exchange, `subtype=account.read&${query}`)
    return resourcesIn(pages)
      .map(({ recorded }) => at.indexOf(Date.parse(recorded)))
      .sort()
  }
  t.same(await found('date=2031-04-10'), [1, 2, 3])
  t.same(await found('date=eq2031-04'), [0, 1, 2, 3, 4])
  t.same(await found('date=ge2031-04-10&date=lt2031-04-11'), [1, 2, 3])
  t.same(await found('date=gt2031-04-10'), [4])
  t.same(await found('date=sa2031-04-10'), [4])
  t.same(await found('date=le2031-04-10'), [0, 1, 2, 3])
  t.same(await found('date=lt2031-04-10'), [0])
  t.same(await found('date=eb2031-04-10'), [0])
  t.same(await found('_lastUpdated=2031-04-10T01:00:00Z'), [2])
  t.same(await found('date=2031-04-10T01:00'), [2])
  t.same(await found('date=2031-04-09T23:59:59.999Z'), [0])
  t.same(await found(`date=2031-04-10T02:00:00${encodeURIComponent('+01:00')}`), [2])
  t.same(await found('date=gt2031-04-10&date=lt2031-04-10'), [], 'no moment is both')
  for (const date of [
    '2031-04-31',
    '2031-13',
    'ne2031',
    'ap2031',
    'yesterday',
    '2031-04-10T25:00'
  ]) {
    const answer = await exchange.client('auditor').send('GET', `/fhir/AuditEvent?date=${date}`)
    t.equal(answer.status, 400, date)
  }
})

t.test('a patient is asked for by POST, and no link tells who it was', async t => {
  const exchange = await startExchange(t)
  const { first } = await liveliness(exchange)
  const patient = `${NHS_SYSTEM}|${NHS_NUMBER}`
  const there = await exchange.auditEvents({ caseId: first.caseId })
  for (const name of ['patient', 'patient:identifier', 'patient.identifier']) {
    const answer = await searchByPost(exchange, [
      [name, patient],
      ['_count', '3']
    ])
    const pages = await everyPage(exchange, answer)
    t.ok(pages.length > 2)
    const found = resourcesIn(pages).map(({ id }) => id)
    t.same(
      there.map(({ id }) => id).filter(id => !found.includes(id)),
      [],
      'every event of the case'
    )
    const links = JSON.stringify(pages.map(({ link }) => link))
    t.notOk(links.includes(NHS_NUMBER), 'not in clear')
    const sealed = [...links.matchAll(/_cursor=([\w-]+)/g)].map(([, text = '']) => text)
    for (const text of sealed) {
      t.notOk(Buffer.from(text, 'base64url').includes(NHS_NUMBER), 'not in another coding')
    }
    // The link to the page itself asks the same question again.
    const self = new URL(String(pages[0]?.link[0]?.url))
    const again = await exchange.client('auditor').send('GET', self.pathname + self.search)
    const asked = await exchange.auditEvents({ action: 'audit.query' })
    t.ok(asked.at(-1)?.patientRef, 'the log knows whom the page was about')
    t.ok(resourcesIn(await everyPage(exchange, again)).some(({ id }) => id === found[0]))
    // The other trust has the same patient; their link is of no use to us, nor ours to them.
    const other = await exchange.client('otherAuditor').send('GET', self.pathname + self.search)
    t.equal(other.status, 400)
  }
  const byCase = await searchByPost(exchange, [
    ['patient', `urn:consilium:patient-of-case|${first.caseId}`],
    ['_count', '2']
  ])
  t.equal(resourcesIn(await everyPage(exchange, byCase)).length, there.length)
})

t.test('a patient in a URL is refused, however it is written', async t => {
  const exchange = await startExchange(t)
  const number = encodeURIComponent(`${NHS_SYSTEM}|${NHS_NUMBER}`)
  for (const [path, method] of [
    [`/fhir/AuditEvent?patient.identifier=${number}`, 'GET'],
    [`/fhir/AuditEvent?patient=${number}`, 'GET'],
    [`/fhir/AuditEvent?patient=${NHS_NUMBER}`, 'GET'],
    [`/fhir/AuditEvent?patient:Patient.identifier=${number}`, 'GET'],
    [`/fhir/AuditEvent?%70atient=1`, 'GET'],
    [`/fhir/AuditEvent?entity.identifier=${number}`, 'GET'],
    [`/fhir/AuditEvent/_search?patient.identifier=${number}`, 'POST']
  ] as const) {
    const body = method === 'POST' ? new URLSearchParams() : undefined
    const { result, events } = await exchange.eventsOf(() =>
      exchange.client('auditor').send(method, path, body)
    )
    t.match(result, {
      status: 400,
      json: { issue: [{ details: { coding: [{ code: 'patient-in-url' }] } }] }
    })
    t.match(result.text, /POST/, 'it says what to do')
    t.notOk(result.text.includes(NHS_NUMBER))
    t.notOk(JSON.stringify(events).includes(NHS_NUMBER))
  }
  t.notOk(exchange.logged().includes(NHS_NUMBER), 'nor is it in our own log')
})

t.test('what is unknown is passed over, or refused when the client is strict', async t => {
  const exchange = await startExchange(t)
  const auditor = exchange.client('auditor')
  const ask = (query: string, prefer?: string) =>
    auditor.send('GET', `/fhir/AuditEvent?${query}`, undefined, prefer ? { prefer } : {})
  t.equal((await ask('colour=red&_sort=-date&_format=json')).status, 200)
  t.equal((await ask('_sort=-date', 'handling=strict')).status, 200)
  t.equal((await ask('colour=red', 'handling=lenient')).status, 200)
  const strict = await ask('colour=red', 'respond-async, handling=strict')
  t.match(strict.json, { issue: [{ diagnostics: /colour is not a parameter/ }] })
  t.equal(strict.status, 400)
  for (const query of [
    '_count=0',
    '_count=-1',
    '_count=many',
    'type:not=rest',
    'agent:missing=true',
    'agent=Practitioner/1',
    'entity.identifier=urn:example|1',
    `type=${'x'.repeat(400)}`,
    'type=rest&'.repeat(101)
  ]) {
    t.equal((await ask(query)).status, 400, query.slice(0, 40))
  }
  t.equal((await ask('_count=9999')).status, 200, 'a page has 200 at most')
  const nobody = await ask('agent=urn:consilium:account%7C1')
  t.same(Object.keys(nobody.json), ['resourceType', 'type', 'link'], 'found nothing')
})

t.test('pages follow each other, newest first, while new events come', async t => {
  const exchange = await startExchange(t)
  await liveliness(exchange)
  const there = await exchange.auditEvents()
  const pages = await get(exchange, '_count=7')
  const ids = resourcesIn(pages).map(({ id }) => id)
  t.same(ids, [...new Set(ids)].sort().reverse())
  t.ok(pages.slice(0, -1).every(({ entry }) => entry?.length === 7))
  const visible = new Set(ids)
  const own = there.filter(
    ({ organisationId }) => organisationId === exchange.people.auditor.organisationId
  )
  t.ok(
    own.every(({ id }) => visible.has(id)),
    'none is left out'
  )
})

t.test('what is hidden from an auditor is not found by it either', async t => {
  const exchange = await startExchange(t)
  const { first } = await liveliness(exchange)
  // A clinician of the other trust reaches for a record of ours.
  const path = `/v1/records/${first.record.id}/content`
  await exchange.client('otherClinician').send('GET', path)
  const ask = async (query: string) => {
    const answer = await exchange.client('otherAuditor').send('GET', `/fhir/AuditEvent?${query}`)
    return everyPage(exchange, answer, 'otherAuditor')
  }
  t.ok(foundIn(await ask('')).includes('content.read refused record-not-found'))
  for (const [kind, id] of [
    ['record', first.record.id],
    ['case', first.caseId],
    ['object', String(first.record.objects[0]?.id)]
  ] as const) {
    const token = encodeURIComponent(`urn:consilium:${kind}|${id}`)
    t.same(foundIn(await ask(`entity.identifier=${token}`)), [], kind)
  }
  const [hidden] = resourcesIn(await ask('subtype=content.read'))
  t.notOk(JSON.stringify(hidden?.entity).includes(first.caseId))
})

t.test('what is asked for in another format is not acceptable', async t => {
  const exchange = await startExchange(t)
  const auditor = exchange.client('auditor')
  const [event] = await exchange.auditEvents()
  const form = { 'content-type': 'application/x-www-form-urlencoded' }
  for (const [method, path, body] of [
    ['GET', '/fhir/metadata?_format=xml'],
    ['GET', '/fhir/metadata?_format=application/fhir%2Bxml'],
    ['GET', '/fhir/metadata?_format=json&_format=xml'],
    ['GET', '/fhir/AuditEvent?_format=text/html'],
    ['GET', `/fhir/AuditEvent/${event?.id}?_format=xml`],
    ['POST', '/fhir/AuditEvent/_search', '_format=ttl']
  ] as const) {
    const answer = await auditor.send(method, path, body, body === undefined ? {} : form)
    t.equal(answer.status, 406, `${path} ${body}`)
    t.match(answer.headers.get('content-type'), 'application/fhir+json')
    t.match(answer.json, {
      resourceType: 'OperationOutcome',
      issue: [{ code: 'not-supported', details: { coding: [{ code: 'format-refused' }] } }]
    })
  }
  const asked = async (path: string, accept: string) =>
    (await exchange.client().send('GET', `/fhir/metadata${path}`, undefined, { accept })).status
  t.equal(await asked('', 'application/fhir+xml, text/html;q=0.9'), 406)
  t.equal(await asked('', 'application/fhir+json;q=0, text/html'), 406)
  t.equal(await asked('', 'application/fhir+xml, application/fhir+json; q=0.5'), 200)
  t.equal(await asked('', 'text/html, */*;q=0.1'), 200)
  t.equal(await asked('?_format=json', 'application/fhir+xml'), 200, '_format decides')
  for (const format of [
    'application/fhir+json',
    'application/fhir%2Bjson;%20fhirVersion=4.0',
    ''
  ]) {
    t.equal(await asked(`?_format=${format}`, '*/*'), 200, format)
  }
})
