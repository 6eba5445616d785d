import t from 'tap'
import {
  NHS_SYSTEM,
  openShare,
  type PersonName,
  sharedPath,
  shareRecords,
  startExchange,
  type TestExchange
} from '../../helpers/exchange.ts'
import { intrude } from '../../helpers/intruder.ts'
import { type Line, type LogPage, liveliness, PATIENTS } from '../scene.ts'

const HOUR = 3_600_000

interface LiveLine {
  id: string
  case: string
  specialist: { id: string; name?: string }
  country: string
  expiresAt: string
  openings: number
  lastOpened?: string
  lastDownload?: string
}

/** The first page of the answer to a question. */
async function answerTo(
  exchange: TestExchange,
  name: string,
  asked: Record<string, string> = {},
  who: PersonName = 'auditor'
): Promise<Line[]> {
  const query = new URLSearchParams({ limit: '200', ...asked })
  const page: LogPage = await exchange
    .client(who)
    .json('GET', `/v1/audit/questions/${name}?${query}`)
  return page.events
}

async function aboutPatient(exchange: TestExchange, value: string, who: PersonName = 'auditor') {
  const patient = { system: NHS_SYSTEM, value }
  const page: LogPage = await exchange
    .client(who)
    .json('POST', '/v1/audit/questions/patient', { patient })
  return page.events
}

const inShort = (lines: Line[]) => lines.map(line => `${line.action} ${line.outcome}`)

t.test('the list says what can be asked, and each can be asked as it says', async t => {
  const exchange = await startExchange(t)
  const { questions } = await exchange
    .client()
    .json<{ questions: { name: string; method: string; path: string; required: string[] }[] }>(
      'GET',
      '/v1/audit/questions'
    )
  t.same(
    questions.map(({ name }) => name),
    ['patient', 'person', 'disclosures-abroad', 'refused', 'live-shares', 'log-readers']
  )
  const values = {
    patient: { system: NHS_SYSTEM, value: PATIENTS[0] },
    actor: exchange.people.clinician.accountId
  }
  for (const { name, method, path, required } of questions) {
    const chosen = Object.entries(values).filter(([parameter]) => required.includes(parameter))
    const asked = Object.fromEntries(chosen)
    const { result, events } = await exchange.eventsOf(() =>
      method === 'POST'
        ? exchange.client('auditor').send('POST', path, asked)
        : exchange
            .client('auditor')
            .send('GET', `${path}?${new URLSearchParams(asked as Record<string, string>)}`)
    )
    t.equal(result.status, 200, name)
    const [asking] = events.filter(event => event.action === 'audit.query')
    t.match(asking, { outcome: 'success', details: { asked: { question: name } } })
    if (required.length === 0) continue
    const bare = await exchange
      .client('auditor')
      .send(method, path, method === 'POST' ? {} : undefined)
    t.match(
      bare,
      { status: 400, json: { code: 'request-invalid' } },
      `${name} needs its parameters`
    )
  }
})

t.test('everything about one patient, also who asked about them', async t => {
  const exchange = await startExchange(t)
  const { first } = await liveliness(exchange)
  t.same(inShort(await aboutPatient(exchange, PATIENTS[0])), [
    'link.open refused',
    'content.read complete',
    'content.read granted',
    'link.open success',
    'share.create success',
    'record.create success',
    'case.create success'
  ])
  const [asked, ...others] = await aboutPatient(exchange, '999 000 0018')
  t.match(asked, { action: 'audit.query', details: { asked: { question: 'patient' } } })
  t.ok(others.every(line => line.case === first.caseId))
  t.notMatch(JSON.stringify(others), /999.?000.?0018/)
  t.same(inShort(await aboutPatient(exchange, PATIENTS[0], 'otherAuditor')), [
    'case.create success'
  ])
})

t.test('an erasure does not hide that something happened', async t => {
  const exchange = await startExchange(t)
  const { first } = await liveliness(exchange)
  const before = await aboutPatient(exchange, PATIENTS[0])
  await exchange.auditEvents()
  const intruder = await intrude(t, exchange.config)
  await intruder.run('UPDATE audit_events SET patient_ref = NULL, details_sealed = NULL')
  const after = await aboutPatient(exchange, PATIENTS[0])
  t.same(
    after.map(line => line.id),
    before.map(line => line.id)
  )
  t.ok(after.every(line => line.case === first.caseId))
})

t.test('everything one person did or tried', async t => {
  const exchange = await startExchange(t)
  const { first } = await liveliness(exchange)
  const { accountId: actor } = exchange.people.specialistGb
  const theirs = await answerTo(exchange, 'person', { actor })
  t.same(inShort(theirs), ['content.read complete', 'content.read granted', 'link.open success'])
  t.ok(theirs.every(line => line.actor?.id === actor && line.share === first.share.id))
  const never = { actor, to: '2020-01-01T00:00:00Z' }
  t.same(await answerTo(exchange, 'person', never), [])
  t.same(await answerTo(exchange, 'person', { actor }, 'otherAuditor'), [], 'own data only')
})

t.test('every disclosure outside the United Kingdom in a period', async t => {
  const exchange = await startExchange(t)
  const { second } = await liveliness(exchange)
  const abroad = await answerTo(exchange, 'disclosures-abroad')
  t.same(inShort(abroad), ['content.read granted', 'link.open success'])
  t.ok(abroad.every(line => line.share === second.share.id && line.recipientCountry === 'IE'))
  const [latest, earliest] = abroad
  const from = String(latest?.at)
  t.same(await answerTo(exchange, 'disclosures-abroad', { from }), [latest])
  t.same(await answerTo(exchange, 'disclosures-abroad', { to: from }), [earliest])
  t.same(await answerTo(exchange, 'disclosures-abroad', {}, 'otherAuditor'), [])
})

t.test('every refused attempt: on own data, by own people, by nobody known', async t => {
  const exchange = await startExchange(t)
  const { first } = await liveliness(exchange)
  await exchange.client('otherClinician').send('GET', `/v1/cases/${first.caseId}`)
  const tried = (lines: Line[]) => lines.map(line => `${line.action} ${line.code}`)
  t.same(tried(await answerTo(exchange, 'refused')), [
    'case.read case-not-found',
    'case.list token-missing',
    'link.open share-not-found',
    'link.open share-not-found'
  ])
  const theirs = await answerTo(exchange, 'refused', {}, 'otherAuditor')
  t.same(tried(theirs), ['case.read case-not-found', 'case.list token-missing'])
  t.ok(
    theirs.every(line => line.case === undefined),
    'nor whose case it was'
  )
})

t.test('every live share and when it was last used', async t => {
  const exchange = await startExchange(t)
  const { first, second } = await liveliness(exchange)
  const live = async (who: PersonName = 'auditor') => {
    const page = await exchange
      .client(who)
      .json<{ shares: LiveLine[] }>('GET', '/v1/audit/questions/live-shares')
    return page.shares
  }
  const unused = await shareRecords(exchange, first.caseId, [first.record.id], { lifeHours: 2 })
  const later = await shareRecords(exchange, first.caseId, [first.record.id], {
    notBefore: new Date(exchange.clock.now() + 24 * HOUR).toISOString()
  })
  const revoked = await shareRecords(exchange, first.caseId, [first.record.id])
  await exchange.client('clinician').json('DELETE', `/v1/shares/${revoked.id}`)
  exchange.clock.advance(HOUR)
  await openShare(exchange.client('specialistGb'), first.share.link)

  const lines = await live()
  t.same(
    lines.map(line => line.id),
    [unused.id, second.share.id, first.share.id],
    'newest first'
  )
  const { specialistGb, specialistIe } = exchange.people
  t.match(lines, [
    { openings: 0, country: 'GB', expiresAt: unused.expiresAt },
    { openings: 1, country: 'IE', specialist: { name: specialistIe.name } },
    { openings: 2, specialist: { id: specialistGb.accountId, name: specialistGb.name } }
  ])
  const [never, , twice] = lines
  t.same([never?.lastOpened, never?.lastDownload], [undefined, undefined])
  const used = await exchange.auditEvents({ shareId: first.share.id })
  const latest = (action: string, outcome: string) =>
    used.findLast(event => event.action === action && event.outcome === outcome)?.at
  t.equal(Date.parse(String(twice?.lastOpened)), latest('link.open', 'success'))
  t.equal(Date.parse(String(twice?.lastDownload)), latest('content.read', 'granted'))
  t.ok(String(twice?.lastDownload) < String(twice?.lastOpened))
  t.same(await live('otherAuditor'), [])

  exchange.clock.advance(HOUR)
  t.notOk(
    (await live()).some(line => line.id === unused.id),
    'expired to the millisecond'
  )
  exchange.clock.advance(23 * HOUR)
  t.ok(
    (await live()).some(line => line.id === later.id),
    'has begun'
  )
})

t.test('live shares come in pages', async t => {
  const exchange = await startExchange(t)
  const { first, second } = await liveliness(exchange)
  const more = await shareRecords(exchange, first.caseId, [first.record.id])
  const ids: string[] = []
  let cursor: string | undefined
  do {
    const page = await exchange
      .client('auditor')
      .json<{ shares: LiveLine[]; next?: string }>(
        'GET',
        `/v1/audit/questions/live-shares?limit=1${cursor ? `&cursor=${cursor}` : ''}`
      )
    t.equal(page.shares.length, 1)
    ids.push(...page.shares.map(share => share.id))
    cursor = page.next
  } while (cursor !== undefined)
  t.same(ids, [more.id, second.share.id, first.share.id])
})

t.test('a long download does not hide when its share was opened', async t => {
  const exchange = await startExchange(t)
  const { first } = await liveliness(exchange)
  const [opened] = await exchange.auditEvents({ action: 'link.open', shareId: first.share.id })
  const { database, audit } = exchange.exchange
  const COUNT = 2500
  await database.write(async tx => {
    for (let i = 0; i < COUNT; i += 1) {
      await audit.append(tx, {
        action: 'share.read',
        outcome: 'success',
        organisationId: exchange.people.clinician.organisationId,
        shareId: first.share.id,
        details: {}
      })
    }
  })
  await exchange.client('specialistGb').send('GET', sharedPath(first.share.id, first.record.id))
  const { shares } = await exchange
    .client('auditor')
    .json<{ shares: LiveLine[] }>('GET', '/v1/audit/questions/live-shares')
  const line = shares.find(share => share.id === first.share.id)
  t.equal(Date.parse(String(line?.lastOpened)), opened?.at)
  t.ok(line?.lastDownload)
})

t.test('who read the log, or tried to, and what they asked', async t => {
  const exchange = await startExchange(t)
  await exchange.client('auditor').json('GET', '/v1/audit/events?action=case.read')
  await exchange.client('auditor').send('GET', '/v1/audit/events/export?format=csv')
  await exchange.client('clinician').send('GET', '/v1/audit/events')
  await exchange.client('otherAuditor').json('GET', '/v1/audit/events')
  const readers = await answerTo(exchange, 'log-readers')
  t.same(inShort(readers), ['audit.query refused', 'audit.export success', 'audit.query success'])
  t.match(readers.at(-1), { details: { asked: { action: 'case.read' } } })
  const [last] = await answerTo(exchange, 'log-readers', { limit: '1' })
  t.match(last, { action: 'audit.query', details: { asked: { question: 'log-readers' } } })
})
