import t from 'tap'
import { ENTRIES_PER_PAGE_MAX } from '../../../src/audit/ask/keyset.ts'
import { startExchange, type TestExchange } from '../../helpers/exchange.ts'
import type { LogPage } from '../scene.ts'

interface FhirPage {
  link: { relation: string; url: string }[]
  entry?: { resource: { id: string } }[]
}

async function addEvents(exchange: TestExchange, count: number): Promise<void> {
  for (let i = 0; i < count; i += 1) await exchange.client('clinician').send('GET', '/v1/account')
}

/** Pages through the log; `between` runs after each page. */
async function pageThrough(exchange: TestExchange, query: string, between: () => Promise<void>) {
  const ids: string[] = []
  const sizes: number[] = []
  let cursor: string | undefined
  do {
    const page: LogPage = await exchange
      .client('auditor')
      .json('GET', `/v1/audit/events?${query}${cursor ? `&cursor=${cursor}` : ''}`)
    ids.push(...page.events.map(event => event.id))
    sizes.push(page.events.length)
    cursor = page.next
    await between()
  } while (cursor !== undefined)
  return { ids, sizes }
}

t.test('pages neither repeat nor leave out a line while new ones come', async t => {
  const exchange = await startExchange(t)
  await addEvents(exchange, 40)
  await exchange.client('auditor').token()
  const organisationId = exchange.people.auditor.organisationId
  const there = (await exchange.auditEvents({ organisationId })).map(event => event.id).reverse()
  for (const limit of [1, 7, 10]) {
    const { ids, sizes } = await pageThrough(
      exchange,
      `limit=${limit}&to=2099-01-01T00:00:00Z`,
      () => addEvents(exchange, limit === 1 ? 0 : 3)
    )
    t.equal(new Set(ids).size, ids.length, 'none is shown twice')
    t.same(
      there.filter(id => !ids.includes(id)),
      [],
      'none that was there is left out'
    )
    t.same(ids, [...ids].sort().reverse(), 'newest first')
    t.ok(
      sizes.slice(0, -1).every(size => size === limit),
      'every page but the last is full'
    )
  }
})

t.test('the last page says that it is the last', async t => {
  const exchange = await startExchange(t)
  await addEvents(exchange, 6)
  const from = 'action=account.read'
  for (const [limit, sizes] of [
    [2, [2, 2, 2]],
    [3, [3, 3]],
    [4, [4, 2]],
    [6, [6]],
    [200, [6]]
  ] as const) {
    const pages = await pageThrough(exchange, `${from}&limit=${limit}`, async () => {})
    t.same(pages.sizes, sizes, `${limit} a page`)
  }
  const none = await pageThrough(exchange, 'action=share.revoke', async () => {})
  t.same(none, { ids: [], sizes: [0] })
})

t.test('events of one millisecond keep their order and are not lost between pages', async t => {
  const exchange = await startExchange(t)
  await exchange.client('clinician').token()
  await exchange.client('auditor').token()
  exchange.clock.set(exchange.clock.now() + 1000)
  await addEvents(exchange, 20)
  const written = await exchange.auditEvents({ action: 'account.read' })
  t.equal(new Set(written.map(event => event.at)).size, 1, 'the clock stood still')
  const { ids } = await pageThrough(exchange, 'action=account.read&limit=3', async () => {})
  t.same(ids, written.map(event => event.id).reverse())
  const requests = written.map(event => event.details.requestId)
  t.equal(new Set(requests).size, 20)
})

t.test('a page is empty when many events were looked at and did not match', async t => {
  const exchange = await startExchange(t)
  const { organisationId } = exchange.people.clinician
  const { database, audit } = exchange.exchange
  const wanted = { action: 'share.revoke', outcome: 'success', organisationId } as const
  const other = { ...wanted, action: 'case.list' } as const
  const id = await database.write(async tx => {
    const id = await audit.append(tx, { ...wanted, details: {} })
    for (let i = 0; i < ENTRIES_PER_PAGE_MAX + 1; i += 1) {
      await audit.append(tx, { ...other, details: {} })
    }
    return id
  })
  const query = 'action=share.revoke'
  const { ids, sizes } = await pageThrough(exchange, query, async () => {})
  t.same(ids, [id], 'whoever follows next finds it')
  t.same(sizes, [0, 1])

  const auditor = exchange.client('auditor')
  const { text } = await auditor.send('GET', `/v1/audit/events/export?${query}`)
  t.equal(JSON.parse(text).id, id, 'an export goes on by itself')
  let url: string | undefined = '/fhir/AuditEvent?subtype=share.revoke'
  const found: string[] = []
  while (url !== undefined) {
    const bundle: FhirPage = await auditor.json('GET', url)
    found.push(...(bundle.entry ?? []).map(({ resource }) => resource.id))
    url = bundle.link.find(({ relation }) => relation === 'next')?.url.replace(/^.*?(?=\/fhir)/, '')
  }
  t.same(found, [id], 'so do the pages of FHIR')
})

t.test('a cursor that is none is refused', async t => {
  const exchange = await startExchange(t)
  for (const cursor of ['x', '1', "'%20OR%201=1", '00000000-0000-0000-0000-00000000000Z']) {
    const answer = await exchange.client('auditor').send('GET', `/v1/audit/events?cursor=${cursor}`)
    t.match(answer, { status: 400, json: { code: 'cursor-invalid' } }, cursor)
  }
  const cases = await exchange.client('clinician').send('GET', '/v1/cases?cursor=x')
  t.match(cases, { status: 400, json: { code: 'cursor-invalid' } })
})
