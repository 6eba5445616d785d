import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { startExchange, type TestExchange } from '../helpers/exchange.ts'
import { signedIn } from '../helpers/signed-in.ts'
import { runScript } from '../scripts/run-script.ts'
import { entryInput, readEntry, verify } from './scene.ts'

const HEADER =
  'name,email,country,organisation,specialty,sub_specialties,conditions,languages,professional_body,registration_system,registration_number,specialist_register,specialist_register_since,available_from,available_until,capacity'
const NPI = 'http://hl7.org/fhir/sid/us-npi'
const ines = `"Prof Ines Turnstone",ines@clinic.example,US,Boston Clinic,Neurosurgery,Skull base|Epilepsy,"Glioma [icd10:C71.2] [SNOMED: 393564001]|Meningioma",en-US|es,NPI,${NPI},1234567893,,,,,`
const otto = `Dr Otto Brambling,,DE,"Klinik ""Am See""
Haus 2",Orthopaedics,,,de,GMC,,C7654329,Trauma,2009-04-01,2027-01-01,2027-12-31,4`

function send(exchange: TestExchange, csv: string | Buffer, query = '', type = 'text/csv') {
  return exchange
    .client('administrator')
    .send('POST', `/v1/specialists/import${query}`, csv.toString(), { 'content-type': type })
}

const one = otto.replace('\nHaus 2', ', Haus 2')

t.test('a file is taken, and the same file again changes nothing', async t => {
  const exchange = await startExchange(t)
  const dry = await send(exchange, `${HEADER}\n${ines}\n${one}\n`, '?dryRun=true')
  t.match(dry.json, { dryRun: true, created: 2, updated: 0, unchanged: 0, refused: 0 })
  t.notOk(JSON.stringify(dry.json.rows).includes('"id"'))
  const excel = `\ufeff${HEADER}\n${ines}\n${one}\n`.replace(/\n/g, '\r\n')
  const first = await send(exchange, excel)
  t.match(first, { status: 200, json: { created: 2, refused: 0 } })
  const [a, b] = first.json.rows as { id: string; line: number }[]
  t.match(a, { row: 1, line: 2, result: 'created' })
  t.match(await readEntry(exchange, String(a?.id)), {
    name: 'Prof Ines Turnstone',
    state: 'unverified',
    unverifiedReason: 'new',
    subSpecialties: ['Skull base', 'Epilepsy'],
    conditions: [{ text: 'Glioma', icd10: 'C71.2', snomed: '393564001' }, { text: 'Meningioma' }],
    languages: ['en-US', 'es']
  })
  t.match(await readEntry(exchange, String(b?.id)), {
    organisation: 'Klinik "Am See", Haus 2',
    registrationNumber: '7654329',
    availability: { from: '2027-01-01', until: '2027-12-31', capacity: 4 }
  })
  for (const query of ['', '?dryRun=true']) {
    t.match((await send(exchange, excel, query)).json, { created: 0, updated: 0, unchanged: 2 })
  }
  await verify(exchange, String(a?.id))
  t.match((await send(exchange, excel)).json, { unchanged: 2 }, 'a verification is no difference')
  const moved = `${HEADER}\n${ines.replace('Boston Clinic', 'Salem Clinic')}`
  t.match((await send(exchange, moved)).json, { updated: 1 })
  t.match(await readEntry(exchange, String(a?.id)), { state: 'verified' })
  const renamed = `${HEADER}\n${ines.replace('Prof Ines', 'Prof Iris')}`
  t.match((await send(exchange, renamed)).json, { updated: 1 })
  t.match(await readEntry(exchange, String(a?.id)), {
    state: 'unverified',
    name: 'Prof Iris Turnstone'
  })
})

t.test('columns that a file lacks stay as they are', async t => {
  const exchange = await startExchange(t)
  const input = entryInput({ email: 'ines@clinic.example', availability: { capacity: 2 } })
  const made = await exchange
    .client('administrator')
    .json<{ id: string }>('POST', '/v1/specialists', input)
  const file = [
    'Name;Country;Organisation;Specialty;Languages;Professional body;Registration system;Registration number',
    `${input.name};US;Boston Clinic;Neuro-oncology;en-US;NPI;${NPI};${input.registrationNumber}`
  ].join('\r\n')
  t.match((await send(exchange, file)).json, { updated: 1 })
  t.match(await readEntry(exchange, made.id), {
    specialty: 'Neuro-oncology',
    email: 'ines@clinic.example',
    availability: { capacity: 2 }
  })
})

t.test('each row is told by itself', async t => {
  const exchange = await startExchange(t)
  const rows: [row: string, problem: object][] = [
    [one.replace('C7654329', '123'), { column: 'registration_number', code: 'gmc-number-invalid' }],
    [one.replace(',DE,', ',UK,'), { column: 'country', code: 'country-invalid' }],
    [one.replace(',DE,', ',Germany,'), { column: 'country', code: 'pattern-wrong' }],
    [one.replace(',de,', ',german!,'), { column: 'languages', code: 'language-invalid' }],
    [one.replace(',de,', ',,'), { column: 'languages', code: 'text-missing' }],
    [one.replace('Dr Otto Brambling', ''), { column: 'name', code: 'text-missing' }],
    [
      one.replace('Dr Otto Brambling,', 'Dr Otto Brambling,no address'),
      { column: 'email', code: 'email-invalid' }
    ],
    [one.replace(/,4$/, ',many'), { column: 'capacity', code: 'type-wrong' }],
    [one.replace('2027-01-01', '1/1/2027'), { column: 'available_from', code: 'format-wrong' }],
    [one.replace('2027-12-31', '2026-12-31'), { column: 'available_from', code: 'dates-invalid' }],
    [otto, { column: 'organisation', code: 'text-invalid' }],
    [`${one},`, { code: 'cells-miscounted' }],
    [ines, {}],
    [ines, { code: 'row-repeated' }]
  ]
  const file = [HEADER, ...rows.map(([row]) => row)].join('\r\n')
  const answer = await send(exchange, file)
  t.match(answer, { status: 200, json: { created: 1, refused: 13 } })
  const told = answer.json.rows as { result: string; problems?: object[] }[]
  for (const [n, [row, problem]] of rows.entries()) {
    t.match(told[n]?.problems?.[0] ?? {}, problem, row)
  }
})

t.test('files that are none', async t => {
  const exchange = await startExchange(t)
  const files: [csv: string | Buffer, problem: RegExp][] = [
    ['', /is empty/],
    ['nonsense', /column 1 of the header is none/],
    [`${HEADER},name\n`, /there twice/],
    ['name,country\n', /organisation is missing/],
    [`${HEADER}\n"unclosed`, /never closed/],
    ['Prof Secret Name,US\n', /column 1 of the header/],
    [`${HEADER}\n${ines}\n"x"y`, /1 rows before it were done/]
  ]
  for (const [csv, problem] of files) {
    const answer = await send(exchange, csv)
    t.match(answer, { status: 422, json: { code: 'csv-invalid' } })
    t.match(String(answer.json.problems), problem)
    t.notOk(answer.text.includes('Secret'))
  }
  t.match(
    (await send(exchange, `${HEADER}\n${ines}`)).json,
    { unchanged: 1 },
    'what was done is done'
  )
  const large = await send(exchange, `${HEADER}\n${`${'x'.repeat(70)}\n`.repeat(120_000)}`)
  t.match(
    large,
    { status: 422, json: { code: 'csv-invalid' } },
    'and no more rows than there may be'
  )
  for (const type of ['application/json', 'text/plain']) {
    t.equal((await send(exchange, '{}', '', type)).status, 415, type)
  }
})

t.test('a file that is too large is refused on the page too, and not cut off', async t => {
  const exchange = await startExchange(t)
  const { cookie } = await signedIn(exchange, 'administrator')
  const long = `"Dr Long",,GB,Clinic,Surgery,,${'x'.repeat(7900)},en,,,,,,,,`
  const rows = [...new Array<string>(1100).fill(long), ines]
  const form = new FormData()
  form.append('mode', 'import')
  form.append('file', new Blob([[HEADER, ...rows].join('\n')], { type: 'text/csv' }), 'people.csv')
  const answer = await fetch(`${exchange.url}/administration/register/import`, {
    method: 'POST',
    body: form,
    headers: { cookie, accept: 'text/html', 'sec-fetch-site': 'same-origin' }
  })
  t.match({ status: answer.status, text: await answer.text() }, { status: 422, text: /too large/ })
})

t.test('two imports of one file at once make each entry once', async t => {
  const exchange = await startExchange(t)
  const rows = Array.from({ length: 10 }, (_, n) => ines.replace('1234567893', `12345678${n}0`))
  const file = [HEADER, ...rows].join('\n')
  const answers = await Promise.all([send(exchange, file), send(exchange, file)])
  const created = answers.map(answer => Number(answer.json.created))
  t.equal((created[0] ?? 0) + (created[1] ?? 0), 10)
  const { specialists } = await exchange
    .client('clinician')
    .json<{ specialists: object[] }>('GET', '/v1/specialists?state=unverified')
  t.equal(specialists.length, 10)
})

t.test('the script does the same', async t => {
  const exchange = await startExchange(t)
  const file = join(exchange.directory, 'specialists.csv')
  writeFileSync(file, `${HEADER}\n${ines}\n${one.replace('C7654329', '1')}\n`)
  const dry = await runScript('import-specialists', exchange.settings, file, '--dry-run')
  t.match(dry.err, /It would be: 1 created, 0 updated, 0 unchanged, 1 refused/)
  const done = await runScript('import-specialists', exchange.settings, file)
  t.equal(done.exit, 1, 'not all of it was taken')
  t.match(done.out, /row 1 {2}line 2 {2}created/)
  t.match(done.out, /row 2 {2}line 3 {2}refused {2}registration_number: gmc-number-invalid/)
})
