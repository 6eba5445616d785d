import t from 'tap'
import type { ShareList, ShareRevokedMany } from '../../schemas/share.ts'
import type { Caller } from '../../src/identity/principal.ts'
import { revokeShares } from '../../src/shares/revoke-many.ts'
import {
  createCase,
  isSound,
  numberedText,
  openShare,
  type Person,
  type PersonName,
  PURPOSE,
  shareRecords,
  startExchange,
  type TestExchange,
  uploadRecord
} from '../helpers/exchange.ts'
import { readCase } from '../helpers/request.ts'

const HOUR = 3_600_000

/** A case of City Hospital, or of the other trust, to be shared. */
async function someCase(x: TestExchange, by: PersonName = 'clinician') {
  const { id: caseId } = await createCase(x.client(by))
  const { id } = await uploadRecord(x.client(by), caseId, { files: [numberedText(100)] })
  const share = (lifeHours: number, more: Parameters<typeof shareRecords>[3] = {}) =>
    shareRecords(x, caseId, [id], { lifeHours, by, ...more })
  return { caseId, share }
}

const live = (x: TestExchange, query = '', who: PersonName = 'clinician') =>
  x.client(who).json<ShareList>('GET', `/v1/shares?state=live${query}`)

const revoke = (x: TestExchange, body: object, who: PersonName = 'clinician') =>
  x.client(who).send('POST', '/v1/shares/revoke', body)

const results = (answer: { json: unknown }) =>
  (answer.json as ShareRevokedMany).results.map(({ result }) => result)

t.test('what is live is told with its counts, the first to end first, page by page', async t => {
  const x = await startExchange(t)
  x.clock.set(x.clock.now())
  const { share, caseId } = await someCase(x)
  const other = await someCase(x)
  const foreign = await someCase(x, 'otherClinician')
  await foreign.share(10)
  const ended = await share(1)
  const gone = await share(5)
  await x.client('clinician').json('DELETE', `/v1/shares/${gone.id}`)
  const month = await share(720)
  const opened = await share(30, { with: 'specialistIe' })
  const [same, alike] = [await share(20), await share(20)]
  const next = await other.share(25)
  await openShare(x.client('specialistIe'), opened.link)
  await x.client('specialistGb').json('POST', `/v1/shares/${month.id}/more-time`)
  x.clock.advance(HOUR)
  // Those that end in the same moment come in the order of their ids.
  const twins = [same.id, alike.id].sort()
  const order = [...twins, next.id, opened.id, month.id]
  const first = await live(x)
  t.same(
    first.shares.map(({ id }) => id),
    order
  )
  t.notOk(order.includes(ended.id))
  const counts = { live: 5, endingWithinDay: 3, unopened: 4, overdue: 0, moreTimeAsked: 1 }
  t.same(first.counts, counts)
  t.match(first.shares[0], { purpose: PURPOSE })

  const seen: string[] = []
  for (let cursor = ''; ; ) {
    const page = await live(x, `&limit=2${cursor}`)
    seen.push(...page.shares.map(({ id }) => id))
    if (page.next === undefined) break
    cursor = `&cursor=${page.next}`
  }
  t.same(seen, order)
  t.match((await live(x, `&case=${other.caseId}`)).counts, { live: 1 })
  const { accountId } = x.people.specialistIe
  t.match(await live(x, `&specialist=${accountId}`), {
    counts: { live: 1, unopened: 0 },
    shares: [{ id: opened.id }]
  })
  t.same((await live(x, '', 'otherClinician')).shares.length, 1)
  const elsewhere = await x
    .client('otherClinician')
    .send('GET', `/v1/shares?state=live&cursor=${next.id}`)
  t.match(elsewhere.json, { code: 'cursor-invalid' }, 'nobody pages by the share of others')
  const hidden = await x
    .client('otherClinician')
    .send('GET', `/v1/shares?state=live&case=${caseId}`)
  t.match(hidden.json, { code: 'case-not-found' })

  await x.client('administrator').token()
  const { result, events } = await x.eventsOf(() => live(x, '', 'administrator'))
  t.same(result.counts, counts)
  for (const row of result.shares) {
    t.same([row.purpose, row.transfer], [undefined, undefined], 'administrators see nothing sealed')
  }
  t.match(events, [{ action: 'share.list', outcome: 'success', details: { state: 'live' } }])
})

t.test('many are withdrawn in one go, each with its event and its notice', async t => {
  const x = await startExchange(t)
  const { share, caseId } = await someCase(x)
  const foreign = await (await someCase(x, 'otherClinician')).share(10)
  const unknown = '01930000-0000-7000-8000-000000000001'
  const [one, two, three] = [await share(10), await share(11), await share(12)]
  const ids = [two.id, foreign.id, one.id, unknown]
  const { result, events } = await x.eventsOf(() => revoke(x, { shares: ids }))
  t.same(result.json, {
    results: [
      { share: two.id, result: 'revoked' },
      { share: foreign.id, result: 'share-not-found' },
      { share: one.id, result: 'revoked' },
      { share: unknown, result: 'share-not-found' }
    ],
    more: false
  })
  const city = x.people.clinician.organisationId
  const told = events.map(event => [
    event.outcome,
    event.code,
    event.shareId ?? Object(event.details['asked']).share,
    event.organisationId === city
  ])
  t.same(
    told.sort((a, b) => ids.indexOf(String(a[2])) - ids.indexOf(String(b[2]))),
    [
      ['success', null, two.id, true],
      ['refused', 'share-not-found', foreign.id, false],
      ['success', null, one.id, true],
      ['refused', 'share-not-found', unknown, true]
    ],
    'and the other trust sees who tried'
  )
  t.match((await readCase(x.client('clinician'), caseId)).sharesLive, 1)
  const { read } = x.exchange.database
  const notices = await read.select().from(read.tables.notices)
  const revoked = notices.filter(({ kind }) => kind === 'share-revoked')
  t.same(revoked.map(({ shareId }) => shareId).sort(), [one.id, two.id].sort())

  const again = await revoke(x, { shares: [one.id, three.id] })
  t.same(results(again), ['share-ended', 'revoked'])
  for (const body of [{}, { shares: [one.id], case: caseId }]) {
    t.match(await revoke(x, body), { status: 400, json: { code: 'request-invalid' } })
  }
  t.match(await revoke(x, { shares: [one.id, one.id] }), { status: 400 })
  t.match(await revoke(x, { shares: Array.from({ length: 101 }, () => unknown) }), { status: 400 })
  t.match(await revoke(x, { case: caseId }), { status: 409, json: { code: 'no-live-share' } })
})

t.test('all of a case or a specialist are withdrawn, by administrators too', async t => {
  const x = await startExchange(t)
  const cases = [await someCase(x), await someCase(x)]
  for (const { share } of cases) {
    for (const who of ['specialistGb', 'specialistIe'] as const) await share(20, { with: who })
  }
  const foreign = await someCase(x, 'otherClinician')
  await foreign.share(20)
  const byCase = await revoke(x, { case: cases[0]?.caseId }, 'administrator')
  t.same(results(byCase), ['revoked', 'revoked'])
  const specialist = x.people.specialistGb.accountId
  t.same(results(await revoke(x, { specialist }, 'administrator')), ['revoked'])
  t.match((await live(x)).counts, { live: 1 })
  const madeUntil = new Date(x.clock.now()).toISOString()
  x.clock.advance(1000)
  await cases[0]?.share(20)
  t.same(
    results(await revoke(x, { madeUntil }, 'administrator')),
    ['revoked'],
    'what is newer stays'
  )
  t.match((await live(x)).counts, { live: 1 })
  t.match((await live(x, '', 'otherClinician')).counts, { live: 1 }, 'that of others is theirs')
})

t.test('two who withdraw the same at once withdraw each share once', async t => {
  const x = await startExchange(t)
  const cases = await Promise.all([someCase(x), someCase(x), someCase(x)])
  const made = await Promise.all(cases.flatMap(({ share }) => [share(10), share(20)]))
  const ids = made.map(({ id }) => id)
  const answers = await Promise.all([
    revoke(x, { shares: ids }),
    revoke(x, { shares: ids.toReversed() }, 'colleague'),
    revoke(x, { shares: ids.slice(2) }, 'administrator')
  ])
  const all = answers.flatMap(results)
  t.equal(all.filter(result => result === 'revoked').length, ids.length)
  t.equal(all.filter(result => result === 'share-ended').length, all.length - ids.length)
  t.equal((await x.auditEvents({ action: 'share.revoke', outcome: 'success' })).length, ids.length)
  await isSound(t, x)
})

/** The caller that the service makes of a request of this clinician. */
function callerOf({ accountId, organisationId, key: { client_id: clientId } }: Person): Caller {
  return {
    accountId,
    organisationId,
    role: 'clinician',
    country: 'GB',
    issuer: 'embedded',
    subject: clientId,
    clientId,
    scope: 'system/exchange',
    assurance: 'machine',
    trace: { requestId: 'r', method: 'POST', route: '/v1/shares/revoke', address: '127.0.0.1' }
  }
}

t.test('what takes the place of a share meanwhile is withdrawn with it', async t => {
  const x = await startExchange(t)
  const approve = (id: string) =>
    x.client('clinician').send('POST', `/v1/shares/${id}/more-time/approve`, { lifeHours: 99 })
  const asked = async () => {
    const { share, caseId } = await someCase(x)
    const { id } = await share(10)
    await x.client('specialistGb').json('POST', `/v1/shares/${id}/more-time`)
    return { id, caseId }
  }
  const specialist = x.people.specialistGb.accountId
  for (const filter of ['case', 'specialist']) {
    const { id, caseId } = await asked()
    const wanted = filter === 'case' ? { case: caseId } : { specialist }
    const { database } = x.exchange
    // The approval comes when everything was looked at that is looked at before the transaction.
    const late: typeof database.write = async work => {
      t.equal((await approve(id)).status, 201)
      return database.write(work)
    }
    const exchange = { ...x.exchange, database: { ...database, read: database.read, write: late } }
    const done = await revokeShares(exchange, callerOf(x.people.clinician), wanted)
    t.match(done, { results: [{ result: 'revoked' }], more: false })
    t.equal((await live(x)).counts?.live, 0)
  }
  for (let turn = 0; turn < 8; turn += 1) {
    const { id, caseId } = await asked()
    const wanted = turn % 2 === 0 ? { case: caseId } : { specialist }
    const [given, revoked] = await Promise.all([approve(id), revoke(x, wanted)])
    t.same(results(revoked), ['revoked'])
    if (given.status !== 201) t.equal(given.json.code, 'share-ended')
    t.equal((await live(x)).counts?.live, 0, 'whoever came first')
  }
  await isSound(t, x)
})

t.test('whoever guesses ids in bulk is stopped as one who guesses them singly', async t => {
  const x = await startExchange(t, { limits: { refusalsPerMinuteMax: 20 } })
  const guesses = Array.from(
    { length: 50 },
    (_, n) => `01930000-0000-7000-8000-0000000000${String(n).padStart(2, '0')}`
  )
  t.match(await revoke(x, { shares: guesses }), {
    status: 429,
    json: { code: 'too-many-attempts' }
  })
})
