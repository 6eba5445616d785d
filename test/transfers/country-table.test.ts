import t from 'tap'
import { countries } from '../../schemas/countries.ts'
import file from '../../src/transfers/countries.json' with { type: 'json' }
import { countryTable, readCountryTable, rulingOn } from '../../src/transfers/country-table.ts'
import { decideTransfer, transferHolds } from '../../src/transfers/transfer.ts'

const now = Date.parse('2027-03-10T12:00:00.000Z')

/** As the law has it, in a spelling of its own: European Union, European Economic Area, then others. */
const ADEQUATE = new Set(
  (
    'AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IT LT LU LV MT NL PL PT RO SE SI SK ' +
    'IS LI NO AD AR CH FO GG GI IL IM JE NZ UY'
  ).split(' ')
)
const CONDITIONAL: Record<string, string> = {
  CA: 'pipeda',
  JP: 'appi',
  KR: 'pipa',
  US: 'dpf-uk-extension'
}

t.test('every country of the world is decided as the law has it', async t => {
  t.equal(ADEQUATE.size, 27 + 3 + 11)
  for (const country of countries) {
    const ruling = rulingOn(countryTable, country, now)
    const expected =
      country === 'GB'
        ? { ruling: 'home' }
        : ADEQUATE.has(country)
          ? { ruling: 'adequate' }
          : CONDITIONAL[country] && { ruling: 'conditional', condition: CONDITIONAL[country] }
    if (expected === undefined) t.equal(ruling, undefined, country)
    else t.match(ruling, expected, country)
  }
  t.ok(
    file.countries.every(({ country }) => countries.has(country)),
    'and nothing else is listed'
  )
})

t.test('a decision holds from its first day to its last, and can be judged again', async t => {
  const on = (country: string, moment: string) =>
    rulingOn(countryTable, country, Date.parse(moment))?.ruling
  t.equal(on('KR', '2022-12-18T23:59:59.999Z'), undefined)
  t.equal(on('KR', '2022-12-19T00:00:00.000Z'), 'conditional')
  t.equal(on('US', '2023-10-11T23:59:59.999Z'), undefined)
  t.equal(on('US', '2023-10-12T00:00:00.000Z'), 'conditional')

  const ended = structuredClone(file)
  const row = ended.countries.find(({ country }) => country === 'IL')
  Object.assign(row ?? {}, { until: '2027-03-10' })
  const later = {
    country: 'IL',
    ruling: 'conditional',
    condition: 'pipa',
    from: '2027-03-12',
    source: 'korea'
  }
  const table = readCountryTable({ ...ended, countries: [...ended.countries, later] })
  const share = { recipientCountry: 'IL', transferBasis: 'adequacy', transferExpiresAt: null }
  const day = 86_400_000
  const end = Date.parse('2027-03-11T00:00:00.000Z')
  for (const [at, holds] of [
    [end - 1, true],
    [end, false],
    [end + 2 * day, false]
  ] as const) {
    t.equal(transferHolds(share, 'IL', at, table), holds, new Date(at).toISOString())
  }
  t.equal(decideTransfer('IL', undefined, end - 1, table).basis.basis, 'adequacy')
  const required = { code: 'transfer-safeguard-required' }
  t.throws(() => decideTransfer('IL', undefined, end, table), required)
  t.throws(() => decideTransfer('IL', undefined, end + 2 * day, table), required)
})

t.test('a share under a condition outlives the condition when the country is adequate', async t => {
  const made = structuredClone(file)
  const row = made.countries.find(({ country }) => country === 'US')
  Object.assign(row ?? {}, { until: '2027-03-09' })
  const whole = { country: 'US', ruling: 'adequate', from: '2027-03-10', source: 'united-states' }
  const share = {
    recipientCountry: 'US',
    transferBasis: 'adequacy-condition',
    transferExpiresAt: null
  }
  const better = readCountryTable({ ...made, countries: [...made.countries, whole] })
  t.equal(transferHolds(share, 'US', now, better), true)
  t.equal(transferHolds(share, 'US', now, readCountryTable(made)), false, 'and not when it ended')
})

t.test('a table that is not as it must be is not taken', async t => {
  const spoilt = (change: (table: typeof file) => void) => {
    const table = structuredClone(file)
    change(table)
    return () => readCountryTable(table)
  }
  const first = (table: typeof file) => table.countries[0] as Record<string, unknown>
  t.throws(
    spoilt(table => Object.assign(table, { owner: '' })),
    /owner/
  )
  t.throws(
    spoilt(table => Object.assign(first(table), { source: 'hearsay' })),
    /no source/
  )
  t.throws(
    spoilt(table => Object.assign(first(table), { ruling: 'conditional' })),
    /without a condition/
  )
  t.throws(
    spoilt(table => Object.assign(first(table), { until: '2020-01-01' })),
    /ends before/
  )
  t.throws(
    spoilt(table => table.countries.push({ ...(first(table) as (typeof file.countries)[0]) })),
    /two rows/
  )
  t.throws(
    spoilt(table => Object.assign(first(table), { from: 'spring' })),
    /countries/
  )
  t.doesNotThrow(spoilt(() => {}))
})
