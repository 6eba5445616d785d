import t from 'tap'
import { actions, outcomes } from '../../../schemas/audit-event.ts'
import { NHS_SYSTEM, startExchange } from '../../helpers/exchange.ts'
import { ask, type Line, type LogPage, liveliness, PATIENTS } from '../scene.ts'

type Filter = [question: Record<string, unknown>, matches: (line: Line) => boolean]

/** The log as the lines of others: what an auditor asks is itself on the log. */
const others = (lines: Line[]) => lines.filter(line => line.action !== 'audit.query')

t.test('each filter gives the lines that match and all of them', async t => {
  const exchange = await startExchange(t)
  const { first, second } = await liveliness(exchange)
  const { specialistGb, clinician } = exchange.people
  const all = others(await ask(exchange, {}))
  t.ok(all.length > 20)
  const middle = String(all[15]?.at)

  const filters: Filter[] = [
    [{ actor: specialistGb.accountId }, line => line.actor?.id === specialistGb.accountId],
    [{ actor: clinician.accountId }, line => line.actor?.id === clinician.accountId],
    [{ case: first.caseId }, line => line.case === first.caseId],
    [{ record: second.record.id }, line => line.record === second.record.id],
    [{ share: first.share.id }, line => line.share === first.share.id],
    [{ country: 'IE' }, line => line.recipientCountry === 'IE'],
    [{ from: middle }, line => line.at >= middle],
    [{ to: middle }, line => line.at < middle],
    [{ from: middle, to: '2099-01-01T00:00:00Z' }, line => line.at >= middle],
    // These first: each question is a line itself, and one page must hold all that succeeded.
    ...outcomes.map((outcome): Filter => [{ outcome }, line => line.outcome === outcome]),
    ...actions.map((action): Filter => [{ action }, line => line.action === action]),
    [
      { case: second.caseId, action: 'content.read', outcome: 'complete', country: 'IE' },
      line => line.case === second.caseId && line.outcome === 'complete'
    ],
    [{ case: first.caseId, share: second.share.id }, () => false]
  ]
  for (const [question, matches] of filters) {
    const expected = all.filter(matches)
    t.same(others(await ask(exchange, question)), expected, JSON.stringify(question))
    const query = new URLSearchParams(question as Record<string, string>)
    const page: LogPage = await exchange
      .client('auditor')
      .json('GET', `/v1/audit/events?limit=200&${query}`)
    t.same(others(page.events), expected, `and by GET: ${JSON.stringify(question)}`)
  }
})

t.test('a patient is asked for in a body, by an identifier however it is spaced', async t => {
  const exchange = await startExchange(t)
  const { first, second } = await liveliness(exchange)
  const about = async (value: string) =>
    others(await ask(exchange, { patient: { system: NHS_SYSTEM, value } }))

  const lines = await about(PATIENTS[0])
  t.same([...new Set(lines.map(line => line.case))], [first.caseId])
  t.same(
    lines.map(line => `${line.action} ${line.outcome}`),
    [
      'link.open refused',
      'content.read complete',
      'content.read granted',
      'link.open success',
      'share.create success',
      'record.create success',
      'case.create success'
    ],
    'newest first'
  )
  t.same(await about('999 000 0018'), lines)
  t.same(await about('999-000-0018'), lines)
  t.same([...new Set((await about(PATIENTS[1])).map(line => line.case))], [second.caseId])
  t.same(await about('9990000034'), [], 'nobody asked about this one')
  const wrong = await exchange.client('auditor').send('POST', '/v1/audit/events/search', {
    patient: { system: NHS_SYSTEM, value: '9990000019' }
  })
  t.match(wrong, { status: 422, json: { code: 'nhs-number-invalid' } })
  for (const query of ['patient=9990000018', 'nhs=9990000018', 'patient[value]=9990000018']) {
    const answer = await exchange.client('auditor').send('GET', `/v1/audit/events?${query}`)
    t.match(answer, { status: 400, json: { code: 'request-invalid' } }, 'never in a URL')
    t.notMatch(answer.text, /9990000018/)
  }
})

t.test(
  'an auditor sees what concerns their own organisation, and callers nobody knows',
  async t => {
    const exchange = await startExchange(t)
    const { first, second } = await liveliness(exchange)
    const city = exchange.people.auditor.organisationId
    const other = exchange.people.otherAuditor.organisationId

    const mine = await ask(exchange, {})
    t.ok(
      mine.some(line => line.actor?.id === exchange.people.stranger.accountId),
      'who was refused'
    )
    t.notOk(mine.some(line => line.actor?.organisation === other))
    const theirs = await ask(exchange, {}, 'otherAuditor')
    t.notOk(theirs.some(line => line.actor?.organisation === city))
    for (const id of [first.caseId, second.caseId, first.share.id, first.record.id]) {
      t.notOk(JSON.stringify(theirs).includes(id), 'nothing of City Hospital')
    }
    for (const question of [
      { case: first.caseId },
      { share: first.share.id },
      { actor: exchange.people.clinician.accountId }
    ]) {
      t.same(others(await ask(exchange, question, 'otherAuditor')), [], JSON.stringify(question))
    }
    for (const lines of [mine, theirs]) {
      const unknown = lines.filter(line => line.code === 'token-missing')
      t.match(unknown, [{ action: 'case.list', outcome: 'refused' }])
      t.equal(unknown[0]?.actor, undefined)
    }
    const patient = { system: NHS_SYSTEM, value: PATIENTS[0] }
    const foreign = others(await ask(exchange, { patient }, 'otherAuditor'))
    t.same(
      foreign.map(line => line.action),
      ['case.create'],
      'the patient is also theirs'
    )
  }
)

t.test('who asked in vain learns nothing from their own log', async t => {
  const exchange = await startExchange(t)
  const { first } = await liveliness(exchange)
  const other = exchange.client('otherClinician')
  const { record, share, caseId } = first
  for (const path of [`/v1/cases/${caseId}`, `/v1/records/${record.id}`]) {
    t.equal((await other.send('GET', path)).status, 404)
  }
  t.equal((await other.send('DELETE', `/v1/shares/${share.id}`)).status, 404)

  const refused = await ask(
    exchange,
    { outcome: 'refused', actor: exchange.people.otherClinician.accountId },
    'otherAuditor'
  )
  t.equal(refused.length, 3, 'they see that it was tried')
  for (const line of refused) {
    const { case: caseOf, record: recordOf, share: shareOf, recipientCountry } = line
    t.same(
      [caseOf, recordOf, shareOf, recipientCountry],
      [undefined, undefined, undefined, undefined]
    )
  }
  const asked = { record: record.id, share: share.id, case: caseId, country: 'GB' }
  for (const [name, value] of Object.entries(asked)) {
    t.same(await ask(exchange, { [name]: value }, 'otherAuditor'), [], `by ${name}`)
  }
  const patient = { system: NHS_SYSTEM, value: PATIENTS[0] }
  const lines = others(await ask(exchange, { patient, outcome: 'refused' }, 'otherAuditor'))
  t.same(lines, [], 'nor whose records they are')

  const owners = await ask(exchange, {
    outcome: 'refused',
    actor: exchange.people.otherClinician.accountId
  })
  t.match(
    owners,
    [
      { action: 'share.revoke', case: caseId, share: share.id },
      { action: 'record.read', case: caseId, record: record.id },
      { action: 'case.read', case: caseId }
    ],
    'the owner sees all of it'
  )
})

t.test('a question that makes no sense is refused', async t => {
  const exchange = await startExchange(t)
  for (const query of [
    'from=yesterday',
    'from=2027-01-01',
    'from=2027-01-02T00:00:00Z&to=2027-01-01T00:00:00Z',
    'from=2027-01-01T00:00:00Z&to=2027-01-01T00:00:00Z',
    'actor=me',
    'case=*',
    'action=everything',
    'outcome=bad',
    'country=gb',
    'country=GBR',
    'limit=0',
    'limit=201',
    'limit=many',
    'colour=blue'
  ]) {
    const { result, events } = await exchange.eventsOf(() =>
      exchange.client('auditor').send('GET', `/v1/audit/events?${query}`)
    )
    t.match(result, { status: 400, json: { code: 'request-invalid' } }, query)
    const [refused] = events.filter(event => event.action === 'audit.query')
    t.match(refused, { outcome: 'refused', code: 'request-invalid' })
  }
})

t.test('the question is itself an event, with what was asked but never the patient', async t => {
  const exchange = await startExchange(t)
  const { first } = await liveliness(exchange)
  const auditor = exchange.client('auditor')
  const patient = { system: NHS_SYSTEM, value: PATIENTS[0] }
  const { events } = await exchange.eventsOf(async () => {
    await auditor.send('GET', `/v1/audit/events?case=${first.caseId}&outcome=refused`)
    await auditor.send('POST', '/v1/audit/events/search', { patient, country: 'GB' })
    await auditor.send('GET', '/v1/audit/events/export?action=link.open')
    await auditor.send('POST', '/v1/audit/events/export', { patient, format: 'csv' })
  })
  const asked = events.filter(event => event.action.startsWith('audit.'))
  const { accountId: actorId, organisationId } = exchange.people.auditor
  const same = { actorId, organisationId, outcome: 'success' }
  t.match(asked, [
    {
      ...same,
      action: 'audit.query',
      details: { asked: { case: first.caseId, outcome: 'refused' } }
    },
    { ...same, action: 'audit.query', details: { asked: { country: 'GB' } } },
    { ...same, action: 'audit.export', details: { asked: { action: 'link.open' } } },
    { ...same, action: 'audit.export' }
  ])
  t.same(asked[1]?.patientRef, asked[3]?.patientRef)
  t.equal(asked[1]?.patientRef?.length, 32)
  t.notMatch(JSON.stringify(asked), /999.?000.?0018/)
})
