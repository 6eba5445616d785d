import t from 'tap'
import { csvField } from '../../../src/audit/ask/export.ts'
import { addAccount, addClient } from '../../../src/identity/enrol.ts'
import { makeClient } from '../../helpers/client.ts'
import { NHS_SYSTEM, startExchange, type TestExchange } from '../../helpers/exchange.ts'
import { ask, type Line, liveliness, PATIENTS } from '../scene.ts'
import { readCsv } from './csv.ts'

/** Names that a spreadsheet would take for a formula, or that break a careless table. */
const nasty = [
  '=HYPERLINK("https://evil.example","Dr Who")',
  '+44 20 7946 0000',
  '-2+3',
  '@SUM(A1:A9)',
  '|calc',
  '%0A=1',
  'O’Brien, "Bob"; MD',
  "'quoted'",
  'ד״ר לוי',
  'الدكتورة ليلى',
  '田中 先生'
]

async function enrolNasty(exchange: TestExchange): Promise<void> {
  const { organisationId: organisation } = exchange.people.clinician
  const { now } = exchange.clock
  for (const name of nasty) {
    const account = { organisation, role: 'auditor', name }
    const accountId = await addAccount(exchange.exchange, account)
    const key = await addClient(exchange.exchange, { accountId })
    const person = { name, accountId, organisationId: organisation, key }
    await makeClient(() => exchange.url, now, person).send('GET', '/v1/account')
  }
}

t.test('no field of the CSV begins like a formula, and every name can be read back', async t => {
  const exchange = await startExchange(t)
  await enrolNasty(exchange)
  const answer = await exchange.client('auditor').send('GET', '/v1/audit/events/export?format=csv')
  t.equal(answer.headers.get('content-type'), 'text/csv; charset=utf-8')
  t.match(answer.headers.get('content-disposition'), /^attachment; filename="access-log\.csv"$/)
  t.equal(answer.headers.get('cache-control'), 'no-store')

  const [head = [], ...rows] = readCsv(answer.text)
  t.ok(rows.length > nasty.length)
  for (const row of rows) {
    t.equal(row.length, head.length, 'as many fields as the head has')
    for (const field of row) t.notMatch(field, /^\s*[=+\-@|%]/, field.slice(0, 20))
  }
  const names = new Set(
    rows.map(row => row[head.indexOf('actor_name')]?.replace(/^'(?=[=+\-@|%])/, ''))
  )
  for (const name of nasty) t.ok(names.has(name), name)
})

t.test('whatever a field holds, a spreadsheet takes it for text', async t => {
  const fields: [value: unknown, written: string][] = [
    [undefined, ''],
    [null, ''],
    ['plain', 'plain'],
    [0, '0'],
    ['=1+1', `"'=1+1"`],
    ['+1', `"'+1"`],
    ['-1', `"'-1"`],
    ['@x', `"'@x"`],
    ['\t=1', `"'\t=1"`],
    ['\r=1', `"'\r=1"`],
    ['\n=1', `"'\n=1"`],
    ['\0=1', `"'\0=1"`],
    ['  =1', `"'  =1"`],
    ['\u00a0=1', `"'\u00a0=1"`],
    ['＝1', `"'＝1"`],
    ['＋1', `"'＋1"`],
    ['－1', `"'－1"`],
    ['＠x', `"'＠x"`],
    ['a,b', '"a,b"'],
    ['say "hi"', '"say ""hi"""'],
    ['two\nlines', '"two\nlines"'],
    ['a=b', 'a=b'],
    ["'", `"'"`]
  ]
  for (const [value, written] of fields) t.equal(csvField(value), written, JSON.stringify(value))
})

t.test('both forms tell what the pages tell, and no more', async t => {
  const exchange = await startExchange(t)
  const { first } = await liveliness(exchange)
  const auditor = exchange.client('auditor')
  const patient = { system: NHS_SYSTEM, value: PATIENTS[0] }
  for (const question of [
    {},
    { case: first.caseId },
    { patient },
    { outcome: 'refused' },
    { country: 'IE', action: 'content.read' }
  ]) {
    const isExport = (line: Line) => line.action.startsWith('audit.')
    const expected = (await ask(exchange, question)).filter(line => !isExport(line))
    t.ok(expected.length > 0)
    const send = (format: string) =>
      auditor.send('POST', '/v1/audit/events/export', { ...question, format })
    const { text, headers } = await send('ndjson')
    t.equal(headers.get('content-type'), 'application/x-ndjson')
    t.ok(text.endsWith('\n'))
    const lines: Line[] = text
      .trimEnd()
      .split('\n')
      .map(line => JSON.parse(line))
    t.same(
      lines.filter(line => !isExport(line)),
      expected,
      JSON.stringify(question)
    )
    const [head = [], ...rows] = readCsv((await send('csv')).text)
    const column = (name: string) => head.indexOf(name)
    const told = rows.filter(row => !row[column('action')]?.startsWith('audit.'))
    t.same(
      told.map(row => row[column('id')]),
      expected.map(line => line.id)
    )
    t.same(
      told.map(row => JSON.parse(String(row[column('details')]))),
      expected.map(line => line.details)
    )
  }
})

t.test('a long log comes whole, in pieces', async t => {
  const exchange = await startExchange(t)
  const { accountId: actorId, organisationId } = exchange.people.clinician
  const { database, audit } = exchange.exchange
  const COUNT = 1234
  await database.write(async tx => {
    for (let i = 0; i < COUNT; i += 1) {
      await audit.append(tx, {
        action: 'case.list',
        outcome: 'success',
        actorId,
        organisationId,
        details: { number: i }
      })
    }
  })
  const query = 'action=case.list&format=ndjson'
  const answer = await exchange.client('auditor').send('GET', `/v1/audit/events/export?${query}`)
  const numbers = answer.text
    .trimEnd()
    .split('\n')
    .map(line => Number((JSON.parse(line) as Line).details.number))
  t.same(
    numbers,
    Array.from({ length: COUNT }, (_, i) => COUNT - 1 - i)
  )
  t.equal(answer.headers.get('transfer-encoding'), 'chunked')
})

t.test('an export with nothing in it is still a table, and still an event', async t => {
  const exchange = await startExchange(t)
  const { result, events } = await exchange.eventsOf(() =>
    exchange.client('auditor').send('GET', '/v1/audit/events/export?format=csv&action=share.revoke')
  )
  t.equal(readCsv(result.text).length, 1)
  t.match(events.at(-1), { action: 'audit.export', outcome: 'success' })
})
