import { readFileSync } from 'node:fs'
import { Readable } from 'node:stream'
import t from 'tap'
import { cleanUp } from '../../src/housekeeping/clean-up.ts'
import { gmcRegister } from '../../src/register/gmc.ts'
import { importRegister } from '../../src/register/import-register.ts'
import { recheckRegister, removeOldRows } from '../../src/register/recheck.ts'
import {
  numberedText,
  sharedRecord,
  startExchange,
  type TestExchange
} from '../helpers/exchange.ts'
import { runScript } from '../scripts/run-script.ts'
import {
  change,
  entryInput,
  invite,
  mailOf,
  newKey,
  readEntry,
  sendAccept,
  verify
} from './scene.ts'

const FILE = new URL('fixtures/gmc-register.csv', import.meta.url)
const TEXT = readFileSync(FILE, 'utf8')
const GMC = {
  professionalBody: 'GMC',
  registrationSystem: 'https://fhir.hl7.org.uk/Id/gmc-number'
}

async function take(
  exchange: TestExchange,
  text: string,
  wanted: { asOf?: string; mayShrink?: boolean } = {}
) {
  const { asOf = '2026-11-20', mayShrink = false } = wanted
  const bytes = Readable.from([Buffer.from(text)])
  return await importRegister(exchange.exchange, gmcRegister, bytes, { asOf, mayShrink })
}

async function enter(exchange: TestExchange, registrationNumber: string, more = {}) {
  const input = entryInput({ ...GMC, country: 'GB', registrationNumber, ...more })
  const administrator = exchange.client('administrator')
  const { id } = await administrator.json<{ id: string }>('POST', '/v1/specialists', input)
  return id
}

t.test('the file is read in the form in which it is published', async t => {
  const read = []
  for await (const entry of gmcRegister.read(Readable.from([Buffer.from(TEXT)]))) read.push(entry)
  t.same(
    read.map(({ number, status, onSpecialistRegister }) => [number, status, onSpecialistRegister]),
    [
      ['7654321', 'registered', true],
      ['7100001', 'suspended', false],
      ['7100002', 'erased', true],
      ['7100003', 'no-licence', true],
      ['7100004', 'not-full', false],
      ['7100005', 'registered', true],
      ['7100006', 'not-registered', false],
      ['7100007', 'not-registered', false]
    ]
  )
  t.match(read[5], { familyName: 'van der Gull', givenName: 'Ilse' })
})

t.test('who is suspended, erased or without a licence is unverified at once', async t => {
  const exchange = await startExchange(t)
  exchange.clock.set('2027-03-01T09:00:00Z')
  const rows: [number: string, reason: string | undefined, more?: object][] = [
    ['7100001', 'register-suspended'],
    ['7100002', 'register-erased'],
    ['7100003', 'register-no-licence'],
    ['7100004', 'register-not-full'],
    ['7100005', undefined, { specialistRegister: { specialty: 'Histopathology' } }],
    ['7100006', 'register-not-registered'],
    ['7100007', 'register-not-registered'],
    ['7999999', 'register-missing']
  ]
  const ids: string[] = []
  for (const [number, , more] of rows) {
    const id = await enter(exchange, number, more)
    await verify(exchange, id)
    ids.push(id)
  }
  const { result, events } = await exchange.eventsOf(() => take(exchange, TEXT))
  t.same(result, { rows: 8, verified: 0, unverified: 7 })
  t.same(
    events.map(event => event.action),
    ['register.import', ...new Array<string>(7).fill('specialist.unverify')]
  )
  for (const [n, [number, reason]] of rows.entries()) {
    const state = reason === undefined ? 'verified' : 'unverified'
    const entry = await readEntry(exchange, String(ids[n]))
    t.match(entry, { state, ...(reason && { unverifiedReason: reason }) }, number)
  }
  t.match(await verify(exchange, String(ids[0])), {
    status: 409,
    json: { code: 'register-disagrees' }
  })
  t.same(await recheckRegister(exchange.exchange), { verified: 0, unverified: 0 }, 'once')
})

t.test('a live share is shut with it, and stays shut when they come back', async t => {
  const exchange = await startExchange(t)
  const { path } = await sharedRecord(exchange, [numberedText(100)])
  const specialist = exchange.client('specialistGb')
  await take(exchange, TEXT)
  t.equal((await specialist.send('GET', path)).status, 200, 'in good standing')
  const line = /("7654321".*)"Registered with Licence"/
  const struck = TEXT.replace(line, '$1"Not Registered - Erased"')
  await take(exchange, struck, { asOf: '2026-11-21' })
  const refused = { status: 403, json: { code: 'specialist-unverified' } }
  t.match(await specialist.send('GET', path), refused)
  await take(exchange, TEXT, { asOf: '2026-11-22' })
  t.match(await specialist.send('GET', path), refused, 'a person has to look into it')
  await verify(exchange, exchange.people.specialistGb.accountId)
  t.equal((await specialist.send('GET', path)).status, 200)
  await take(exchange, struck, { asOf: '2026-11-22' })
  t.match(await specialist.send('GET', path), refused, 'of one day the latest counts')
})

t.test('who has enrolled under their own name is verified by the file', async t => {
  const exchange = await startExchange(t)
  const enrolled = async (name: string) => {
    const { invitation, code } = await invite(exchange, { name, country: 'GB' })
    const { link } = await mailOf(exchange, invitation.id)
    await sendAccept(exchange, { link, code, key: (await newKey()).key })
    return invitation.specialist
  }
  const number = async (id: string, name: string, registrationNumber: string) => {
    const body = entryInput({ ...GMC, country: 'GB', name, registrationNumber })
    return await change(exchange, id, { method: 'PUT', body })
  }
  const ilse = await enrolled('Prof Ilse Maria van der Gull')
  await number(ilse, 'Prof Ilse Maria van der Gull', '7100005')
  const borrowed = await enrolled('Dr Mallory Shrike')
  await number(borrowed, 'Dr Mallory Shrike', '7654320')
  const withBorrowed = TEXT.replaceAll('7654321', '7654320')
  t.match(await take(exchange, withBorrowed), { verified: 1 })
  t.match(await readEntry(exchange, ilse), {
    state: 'verified',
    verification: { by: 'GMC register file', evidence: /file of 2026-11-20, SHA-256 [0-9a-f]{64}/ }
  })
  t.match(await readEntry(exchange, borrowed), {
    state: 'unverified',
    unverifiedReason: 'enrolled'
  })
})

t.test('a file that cannot be right counts for nothing', async t => {
  const exchange = await startExchange(t)
  await take(exchange, TEXT)
  const [header = '', first = ''] = TEXT.split('\n')
  const files: [text: string, problem: RegExp, asOf?: string][] = [
    ['', /names nobody/],
    [header, /names nobody/],
    [`${header}\n${first}`, /has 1 rows where the last one had 8/],
    [TEXT.replace('Registration Status', 'Status'), /registration status is missing/],
    [TEXT.replace('7100003', '710000'), /Line 5: there is no GMC number/],
    [TEXT.replace('7100003', '7100001'), /twice/],
    [TEXT.slice(0, -20), /never closed/],
    [TEXT, /later day/, '2026-11-19'],
    [TEXT, /yet to come/, '2999-01-01']
  ]
  for (const [text, problem, asOf = '2026-11-21'] of files) {
    const err = await take(exchange, text, { asOf }).catch(err => err)
    t.match(String(err.extra?.problems), problem)
  }
  const { accountId } = exchange.people.specialistGb
  t.equal((await readEntry(exchange, accountId)).state, 'verified', 'nobody lost anything')
  t.match(await take(exchange, `${header}\n${first}`, { mayShrink: true }), { rows: 1 })

  t.test('and its rows are removed', async t => {
    const { database } = exchange.exchange
    const count = async () =>
      (await database.read.select().from(database.read.tables.registerRows)).length
    t.ok((await count()) > 1)
    await removeOldRows(exchange.exchange)
    exchange.clock.advance(25 * 3_600_000)
    await removeOldRows(exchange.exchange)
    t.equal(await count(), 1, 'all but those of the file that counts')
  })
})

t.test('housekeeping compares, and tells the log once who has run out', async t => {
  const exchange = await startExchange(t)
  exchange.clock.set('2027-03-01T09:00:00Z')
  const { accountId } = exchange.people.specialistGb
  await verify(exchange, accountId, '2027-03-08')
  const round = async () => {
    const { events } = await exchange.eventsOf(() => cleanUp(exchange.exchange).stop())
    return events.map(event => [event.action, event.details.specialist])
  }
  t.same(await round(), [])
  exchange.clock.set('2027-03-09T00:00:00Z')
  t.same(await round(), [['specialist.expire', accountId]])
  t.same(await round(), [])
  await verify(exchange, accountId, '2027-03-10')
  exchange.clock.set('2027-03-11T00:00:00Z')
  t.same(await round(), [['specialist.expire', accountId]], 'each time it runs out')
})

t.test('the script', async t => {
  const exchange = await startExchange(t)
  const ran = await runScript(
    'import-register',
    exchange.settings,
    FILE.pathname,
    '--as-of',
    '2026-11-20'
  )
  t.match(ran, { exit: 0, out: /^8 rows\. 0 specialists verified by it, 0 no longer\.$/ })
  t.equal((await runScript('import-register', exchange.settings, FILE.pathname)).exit, 2)
})
