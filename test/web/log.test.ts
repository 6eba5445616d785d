import t from 'tap'
import { actionGroups } from '../../schemas/action-groups.ts'
import { type AuditEventView, actions, outcomes } from '../../schemas/audit-event.ts'
import { openCheckpoint } from '../../src/audit/tlog/checkpoint.ts'
import { parseProofFile } from '../../src/audit/tlog/proof-file.ts'
import { leafHash, verifyInclusion } from '../../src/audit/tlog/tree.ts'
import { emptyQuestion } from '../../src/web/log/answer.ts'
import { readQuestion } from '../../src/web/log/question.ts'
import { sentenceOf } from '../../src/web/log/sentences.ts'
import { readTexts } from '../../src/web/texts.ts'
import { NHS_NUMBER, PATIENT_NAME, sharedRecord, startExchange } from '../helpers/exchange.ts'
import { signedIn } from '../helpers/signed-in.ts'

/** More than a page shows. */
const OPENINGS_MANY = 125
const PROBE = '"><img src=x onerror=alert(1)>'

/** Ids of the events that a page of answers shows. */
const shownIn = (html: string): string[] =>
  [...html.matchAll(/\/log\/events\/([0-9a-f-]{36})/g)].map(([, id]) => String(id))

t.test('every action has its sentence and its group, and every outcome its words', async t => {
  const texts = readTexts('en')
  const at = '2026-05-03T12:00:00.000Z'
  for (const action of actions) {
    for (const outcome of outcomes) {
      const event: AuditEventView = { id: '', at, action, outcome, details: {} }
      const sentence = sentenceOf(texts, { ...event, actor: { id: '1', name: 'Dr A' } }, undefined)
      t.match(sentence, /^Dr A .*\.$/, `${action} ${outcome}`)
      t.notMatch(sentence, /[{}]/)
    }
  }
  t.same(Object.values(actionGroups).flat().sort(), [...actions].sort())
})

t.test('who did it, who it was for and why not are said in words', async t => {
  const texts = readTexts('en')
  const event = (change: Partial<AuditEventView>) =>
    sentenceOf(
      texts,
      {
        id: '',
        at: '2026-05-03T12:00:00.000Z',
        action: 'content.read',
        outcome: 'complete',
        details: {},
        ...change
      },
      'scan'
    )
  const dan = { actor: { id: '1', name: 'Dr Dan' }, share: '2', recipientCountry: 'US' }
  t.equal(event(dan), 'Dr Dan (United States) opened a scan. All of it was handed over.')
  t.equal(
    event({ ...dan, outcome: 'refused', code: 'share-expired' }),
    'Dr Dan (United States) tried to open a scan, and was refused: share has expired.'
  )
  t.match(event({ outcome: 'refused', code: 'token-missing' }), /^Somebody who was not signed in/)
  t.match(event({ details: { by: 'operator console' } }), /^The operator/)
})

t.test('questions to the log, page by page', async t => {
  const exchange = await startExchange(t)
  const { caseId, share } = await sharedRecord(
    exchange,
    [{ name: 'a.txt', bytes: Buffer.from('Heron.') }],
    {
      with: 'specialistIe'
    }
  )
  await exchange.client('specialistIe').send('GET', `/v1/shares/${share.id}`, undefined, {
    'user-agent': PROBE
  })
  const auditor = await signedIn(exchange, 'auditor')

  await t.test('the NHS number is asked by a form and comes back in no address', async t => {
    const { result, events } = await exchange.eventsOf(() =>
      auditor.post('/log/answer', { 'nhs-number': NHS_NUMBER, group: 'access' })
    )
    t.equal(result.status, 200)
    t.match(result.text, 'Dr Niamh Redstart (Ireland) opened the link of a share.')
    t.match(events, [{ action: 'audit.query', outcome: 'success' }])
    t.notMatch(JSON.stringify(events), NHS_NUMBER)
    t.notMatch(result.text, PATIENT_NAME)
    t.notMatch(result.text, new RegExp(`(href|action)="[^"]*${NHS_NUMBER}`))
    t.equal(result.headers.get('cache-control'), 'no-store')
    t.equal(result.headers.get('vary'), 'cookie')
  })

  await t.test('a patient in an address is not heard', async t => {
    const everything = await auditor.get('/log/answer')
    const named = await auditor.get(`/log/answer?nhs-number=${NHS_NUMBER}&person=Dr`)
    t.equal(named.status, 200)
    t.notMatch(named.text, NHS_NUMBER)
    t.ok(shownIn(named.text).length >= shownIn(everything.text).length)
  })

  await t.test('one event, with what its sender said of itself', async t => {
    const { text } = await auditor.get(`/log/answer?share=${share.id}`)
    const ids = shownIn(text)
    t.ok(ids.length >= 3)
    const pages = await Promise.all(ids.map(id => auditor.get(`/log/events/${id}`)))
    t.ok(pages.some(page => page.text.includes('&lt;img src=x onerror=alert(1)&gt;')))
    for (const page of pages) {
      t.equal(page.status, 200)
      t.notMatch(page.text, '<img src=x')
    }
    const other = await signedIn(exchange, 'otherAuditor')
    const foreign = await other.get(`/log/events/${ids[0]}`)
    const unknown = await other.get(`/log/events/${caseId}`)
    t.match([foreign.status, unknown.status], [404, 404])
    const plain = (html: string) => html.replaceAll(/nonce="[^"]*"|number to[^<]*/g, '')
    t.equal(plain(foreign.text), plain(unknown.text), 'as if there were none')
  })

  await t.test('its proof verifies', async t => {
    const { text } = await auditor.get(`/log/answer?share=${share.id}`)
    const [id] = shownIn(text)
    await exchange.exchange.tree.settle()
    const page = await auditor.get(`/log/events/${id}`)
    const [, path] = /href="(\/v1\/audit\/events\/[^"]+\/proof)"/.exec(page.text) ?? []
    const file = parseProofFile((await auditor.get(String(path))).text)
    const { keys } = exchange.exchange.tree
    const head = openCheckpoint(file.checkpoint, keys.origin, keys.verifiers)
    const leaf = file.extra ?? Buffer.alloc(0)
    t.ok(verifyInclusion(leafHash(leaf), file.index, head.size, file.proof, head.root))
    t.equal(JSON.parse(leaf.toString()).id, id)
  })

  await t.test('what is wrong is said at its field', async t => {
    const { result, events } = await exchange.eventsOf(() =>
      auditor.post('/log/answer', {
        'nhs-number': '123',
        case: PROBE,
        country: 'UK',
        from: '31/2/2026',
        person: PROBE
      })
    )
    t.equal(result.status, 400)
    for (const field of ['case', 'country', 'from']) t.match(result.text, `href="#${field}"`)
    t.notMatch(result.text, '<img src=x')
    t.match(events, [{ action: 'audit.query', outcome: 'refused', code: 'request-invalid' }])
    const number = await auditor.post('/log/answer', { 'nhs-number': '1234567890' })
    t.match(number, { status: 422, text: /href="#nhs-number"/ })
    const nobody = await auditor.post('/log/answer', { person: PROBE })
    t.match(nobody, { status: 400, text: /href="#person"/ })
    t.notMatch(nobody.text, '<img src=x')
  })

  await t.test('a person by name, and by choice among several', async t => {
    const one = await auditor.post('/log/answer', { person: 'redstart' })
    t.match(one, { status: 200, text: /everything by Dr Niamh Redstart/ })
    const several = await auditor.post('/log/answer', { person: 'dr' })
    t.match(several, { status: 200, text: /Several people have this name/ })
    t.notMatch(several.text, 'Dr Hana Dunnock', 'nobody of another organisation')
  })

  await t.test('older pages and exports are of the same question', async t => {
    const csv = await auditor.post('/log/export', { share: share.id, format: 'csv' })
    t.equal(csv.headers.get('content-disposition'), 'attachment; filename="access-log.csv"')
    const lines = csv.text.trim().split('\r\n')
    const { text } = await auditor.get(`/log/answer?share=${share.id}`)
    t.equal(lines.length - 1, new Set(shownIn(text)).size)
    const abroad = await auditor.post('/log/export', {
      question: 'disclosures-abroad',
      format: 'ndjson'
    })
    const exported = abroad.text
      .trim()
      .split('\n')
      .map(line => JSON.parse(line))
    t.ok(exported.length > 0)
    t.ok(exported.every(event => event.recipientCountry === 'IE'))
    const proofs = await auditor.post('/log/export', { share: share.id, format: 'proof' })
    t.match(JSON.parse(proofs.text.split('\n')[0] ?? ''), { format: 'consilium-audit-export' })
    exchange.clock.advance(11 * 60_000)
    const stale = await auditor.post('/log/export', { share: share.id })
    t.equal(stale.status, 303)
    t.match(stale.headers.get('location'), '/prove?next=', 'the passkey is asked for again')
  })

  await t.test('a question is saved under a name, by one person and without a patient', async t => {
    const name = `Abroad ${PROBE}`
    const fields = { name, period: 'week', group: 'access', country: 'ie' }
    const { result, events } = await exchange.eventsOf(() => auditor.post('/log/questions', fields))
    t.equal(result.headers.get('location'), '/log')
    t.match(events, [{ action: 'question.save', outcome: 'success' }])
    t.notMatch(JSON.stringify(events), 'Abroad')
    const page = await auditor.get('/log')
    t.match(page.text, 'Abroad &quot;')
    t.notMatch(page.text, '<img src=x')
    const [, href = ''] = /href="(\/log\/answer\?period[^"]*)"/.exec(page.text) ?? []
    const again = await auditor.get(href.replaceAll('&amp;', '&'))
    t.match(again, { status: 200, text: /recipients who work in Ireland/ })
    for (const named of [{ 'nhs-number': NHS_NUMBER }, { person: PATIENT_NAME }]) {
      const refused = await auditor.post('/log/questions', { ...fields, ...named })
      t.match(refused, { status: 400, text: /no patient’s number is kept/ })
    }
    t.match(await auditor.post('/log/questions', { ...fields, name: '' }), { status: 400 })
    t.match(await auditor.post('/log/questions', { ...fields, country: 'UK' }), { status: 400 })
    const { read } = exchange.exchange.database
    const rows = await read.select().from(read.tables.savedQuestions)
    t.equal(rows.length, 1)
    t.notOk(rows[0]?.questionSealed.includes('Abroad'))

    const remove = `/log/questions/${rows[0]?.id}/remove`
    const other = await signedIn(exchange, 'otherAuditor')
    t.notMatch((await other.get('/log')).text, 'Abroad')
    t.match(await other.post(remove), { status: 404 })
    t.match(await auditor.post(remove), { status: 303 })
    t.match(await auditor.post(remove), { status: 404 })
    t.notMatch((await auditor.get('/log')).text, 'Abroad')
  })

  await t.test('one person saves fifty questions at most', async t => {
    const save = () => auditor.post('/log/questions', { name: 'Again', period: 'week' })
    for (let n = 0; n < 50; n += 1) t.equal((await save()).status, 303)
    t.match(await save(), { status: 409, text: /Too many saved questions/ })
  })

  await t.test('the log is proved to continue an older checkpoint', async t => {
    await exchange.exchange.tree.settle()
    const { size = 0 } = exchange.exchange.tree.checkpoint() ?? {}
    const proof = await auditor.get('/log/integrity/growth?from=5')
    t.match(proof.headers.get('content-disposition'), /^attachment; filename="consistency-5-\d+/)
    const hashes = proof.text.trim().split('\n')
    t.ok(size > 5 && hashes.every(line => Buffer.from(line, 'base64').length === 32))
    for (const wrong of ['', '0', PROBE, String(size + 1000)]) {
      const again = await auditor.get(`/log/integrity/growth?from=${encodeURIComponent(wrong)}`)
      t.match(again.text, 'Enter the number in the second line')
      t.notMatch(again.text, '<img src=x')
    }
  })

  await t.test('what is shared now', async t => {
    const page = await auditor.get('/log/live-shares')
    t.match(page, { status: 200, text: /Dr Niamh Redstart/ })
  })
})

t.test('whether the log is as it was written, and a report for a patient', async t => {
  const exchange = await startExchange(t)
  const sent = [{ name: `${PROBE}.txt`, bytes: Buffer.from('Heron.') }]
  const { caseId, share } = await sharedRecord(exchange, sent)
  const auditor = await signedIn(exchange, 'auditor')
  const { result: verified, events } = await exchange.eventsOf(() => auditor.post('/log/integrity'))
  t.match(verified, { status: 200, text: /Nothing is wrong\./ })
  t.match(events, [{ action: 'audit.verify', outcome: 'success' }])
  const report = await auditor.post('/log/report', { 'nhs-number': NHS_NUMBER })
  t.match(report, { status: 200, text: /Dr Carol Goldcrest/ })
  t.notMatch(report.text, '<img src=x')
  const json = await auditor.post('/log/report/file', { 'nhs-number': NHS_NUMBER, format: 'json' })
  t.match(JSON.parse(json.text), { organisation: { name: 'City Hospital' } })
  for (const wrong of [{}, { 'nhs-number': NHS_NUMBER, case: PROBE }, { case: PROBE }]) {
    const again = await auditor.post('/log/report', wrong)
    t.match(again, { status: 400, text: /There is a problem/ })
    t.notMatch(again.text, '<img src=x')
  }
  const other = await signedIn(exchange, 'otherAuditor')
  const nothing = await other.post('/log/report', { 'nhs-number': NHS_NUMBER })
  t.match(nothing, { status: 200, text: /There is nothing to tell/ })
  t.notMatch(nothing.text, PATIENT_NAME)

  const { database, audit } = exchange.exchange
  const { accountId: actorId, organisationId: actorOrganisationId } = exchange.people.specialistGb
  const { organisationId } = exchange.people.clinician
  await database.write(async tx => {
    for (let time = 0; time < OPENINGS_MANY; time += 1) {
      await audit.append(tx, {
        ...{ action: 'share.read', outcome: 'success', organisationId, actorId },
        ...{ actorOrganisationId, caseId, shareId: share.id, details: {} }
      })
    }
  })
  const long = await auditor.post('/log/report', { 'nhs-number': NHS_NUMBER })
  t.match(long.text, /[23]\d older ones are in the file/)
  t.ok(shownIn(long.text).length <= 100, 'a page stays short whatever happened to a case')
})

t.test('a week has seven days also when the clocks have changed in it', async t => {
  const week = (now: string) =>
    readQuestion(
      { ...emptyQuestion(), period: 'week' },
      { timeZone: 'Europe/London', now: Date.parse(now) },
      problem => problem,
      {}
    ).from
  // They went back on 25 October and forward on 29 March.
  t.equal(week('2026-10-28T23:30:00Z'), '2026-10-21T23:00:00.000Z')
  t.equal(week('2026-03-31T23:30:00Z'), '2026-03-26T00:00:00.000Z')
})
