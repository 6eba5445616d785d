import t from 'tap'
import { eq } from '../../schemas/drizzle.ts'
import { countryTable } from '../../src/transfers/country-table.ts'
import { emergency } from '../helpers/consent.ts'
import {
  attestation,
  numberedText,
  openShare,
  type PersonName,
  PURPOSE,
  safeguard,
  sendLink,
  sharedRecord,
  startExchange
} from '../helpers/exchange.ts'
import { intrude } from '../helpers/intruder.ts'

const file = numberedText(100)
const now = Date.parse('2027-03-10T12:00:00.000Z')

type Safeguard = ReturnType<typeof safeguard>
const good = (type: Safeguard['type']) => safeguard(now, { type })

t.test('whether records may leave for a country, and on what basis', async t => {
  const exchange = await startExchange(t)
  exchange.clock.set(now)
  const { caseId, record } = await sharedRecord(exchange, [file])
  const cases: [who: PersonName, safeguard: Safeguard | undefined, told: string][] = [
    ['specialistGb', undefined, 'uk'],
    ['specialistGb', good('idta'), 'uk'],
    ['specialistIe', undefined, 'adequacy'],
    ['specialistUs', undefined, 'transfer-safeguard-required'],
    ['specialistUs', attestation(now), 'adequacy-condition'],
    ['specialistUs', good('idta'), 'idta'],
    ['specialistIn', undefined, 'transfer-safeguard-required'],
    ['specialistIn', attestation(now), 'transfer-safeguard-unfit'],
    ['specialistIn', good('idta'), 'idta'],
    ['specialistIn', good('addendum'), 'addendum'],
    ['specialistIn', emergency(now), 'vital-interests'],
    ['specialistIn', safeguard(now, { expires: '2027-03-10' }), 'idta'],
    ['specialistIn', safeguard(now, { expires: '2027-03-09' }), 'transfer-safeguard-expired'],
    ['specialistIn', safeguard(now, { date: '2027-03-10' }), 'idta'],
    ['specialistIn', safeguard(now, { date: '2027-03-11' }), 'transfer-safeguard-unfit']
  ]
  for (const [who, given, told] of cases) {
    const label = `${who} with ${given?.type ?? 'nothing'}: ${told}`
    const { result, events } = await exchange.eventsOf(() =>
      exchange.client('clinician').send('POST', `/v1/cases/${caseId}/shares`, {
        specialist: exchange.people[who].accountId,
        records: [record.id],
        purpose: PURPOSE,
        ...(given && { safeguard: given })
      })
    )
    if (told.startsWith('transfer-')) {
      t.match(result, { status: 422, json: { code: told } }, label)
      t.match(events, [{ action: 'share.create', outcome: 'refused', code: told }], label)
      continue
    }
    const country = who.slice(-2).toUpperCase()
    const basis = { country, basis: told, listAsOf: countryTable.asOf }
    t.match(result, { status: 201, json: { transfer: basis } }, label)
    t.match(events, [
      { outcome: 'success', recipientCountry: country, details: { transfer: basis } }
    ])
  }
})

t.test('a country that is adequate on a condition says which', async t => {
  const exchange = await startExchange(t)
  const { caseId, record } = await sharedRecord(exchange, [file])
  const answer = await exchange.client('clinician').send('POST', `/v1/cases/${caseId}/shares`, {
    specialist: exchange.people.specialistUs.accountId,
    records: [record.id],
    purpose: PURPOSE
  })
  t.match(answer.json.problems, [/^US is adequate on a condition: .*Data Privacy Framework/])
})

t.test('a safeguard that is no safeguard is refused', async t => {
  const exchange = await startExchange(t)
  const { caseId, record } = await sharedRecord(exchange, [file])
  const whole: Record<string, unknown> = { ...safeguard(exchange.clock.now()) }
  const invalid = { status: 400, json: { code: 'request-invalid' } }
  const spoilt: [given: object, answer: object][] = [
    [{ ...whole, type: undefined }, invalid],
    [{ ...whole, type: 'handshake' }, invalid],
    [{ ...whole, reference: '' }, invalid],
    [{ ...whole, date: '10.03.2027' }, invalid],
    [{ ...whole, expires: '2027-02-30' }, invalid],
    [{ ...whole, more: 'than asked' }, invalid],
    [
      { ...whole, reference: '\u0007' },
      { status: 422, json: { code: 'text-invalid' } }
    ],
    [
      { ...whole, riskAssessment: undefined },
      {
        status: 422,
        json: {
          code: 'transfer-safeguard-incomplete',
          problems: ['idta needs riskAssessment']
        }
      }
    ]
  ]
  for (const [given, expected] of spoilt) {
    const answer = await exchange.client('clinician').send('POST', `/v1/cases/${caseId}/shares`, {
      specialist: exchange.people.specialistIn.accountId,
      records: [record.id],
      purpose: PURPOSE,
      safeguard: given
    })
    t.match(answer, expected, JSON.stringify(given))
  }
})

t.test('the basis is frozen into the share, and judged again at every access', async t => {
  const exchange = await startExchange(t)
  exchange.clock.set(now)
  const { share, path } = await sharedRecord(exchange, [file], {
    with: 'specialistUs',
    safeguard: attestation(now)
  })
  const sent: { shares: { transfer: object }[] } = await exchange
    .client('clinician')
    .json('GET', '/v1/shares')
  t.same(sent.shares[0]?.transfer, {
    country: 'US',
    basis: 'adequacy-condition',
    listAsOf: countryTable.asOf,
    safeguard: attestation(now)
  })
  const specialist = exchange.client('specialistUs')
  t.equal((await specialist.send('GET', path)).status, 200)

  // The specialist moves on to another country.
  const { accountId } = exchange.people.specialistUs
  const { write } = await intrude(t, exchange.config)
  await write(async tx => {
    const { accounts } = tx.tables
    await tx.update(accounts).set({ country: 'IN' }).where(eq(accounts.id, accountId))
  })
  const over = { status: 403, json: { code: 'transfer-not-allowed' } }
  t.match(await specialist.send('GET', path), over)
  t.match(await specialist.send('GET', `/v1/shares/${share.id}`), over)
  t.match(await sendLink(specialist, share.link), over)
})

t.test('at home nothing is asked, and the specialist reads at once', async t => {
  const exchange = await startExchange(t)
  const { share } = await sharedRecord(exchange, [file], { opened: false })
  const opened = await openShare(exchange.client('specialistGb'), share.link)
  t.match(opened.from, { organisation: 'City Hospital', clinician: 'Dr Alice Kestrel' })
})
