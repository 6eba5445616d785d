import t from 'tap'
import type { Safeguard } from '../../schemas/transfer.ts'
import { Refusal } from '../../src/errors.ts'
import { decideTransfer } from '../../src/transfers/transfer.ts'
import { byConsent, emergency } from '../helpers/consent.ts'
import { attestation, safeguard } from '../helpers/story.ts'

const now = Date.parse('2027-03-10T12:00:00.000Z')
const CONSENT = '01900000-0000-7000-8000-000000000001'

/** The basis, or the code of the refusal with what it says. */
function told(country: string, given: Safeguard | undefined): [string, ...string[]] {
  try {
    return [decideTransfer(country, given, now).basis.basis]
  } catch (err) {
    if (!(err instanceof Refusal)) throw err
    return [err.code, ...(err.extra.problems ?? [])]
  }
}

const whole: Safeguard[] = [
  attestation(now),
  safeguard(now),
  safeguard(now, { type: 'addendum' }),
  byConsent(CONSENT),
  emergency(now)
]
/** What a type can do without. */
const optional = new Set(['publicAuthority', 'markedSensitive', 'type'])

t.test('each type of safeguard says what it lacks, and what does not belong to it', async t => {
  for (const given of whole) {
    const country = given.type === 'adequacy-condition' ? 'US' : 'IN'
    t.same(told(country, given), [given.type])
    for (const name of Object.keys(given).filter(name => !optional.has(name))) {
      const { [name as keyof Safeguard]: _, ...rest } = given
      const lacking = ['transfer-safeguard-incomplete', `${given.type} needs ${name}`]
      t.same(told(country, rest as Safeguard), lacking)
    }
    const [code, ...problems] = told(country, { ...given, ...foreign(given) })
    t.equal(code, 'transfer-safeguard-incomplete')
    t.same(
      problems.sort(),
      Object.keys(foreign(given))
        .map(name => `${name} does not belong to ${given.type}`)
        .sort()
    )
  }
})

/** The members of all other types. */
function foreign(given: Safeguard): Partial<Safeguard> {
  const all = Object.assign({}, ...whole) as Safeguard
  return Object.fromEntries(
    Object.entries(all).filter(([name]) => !(name in given))
  ) as Partial<Safeguard>
}

t.test('an attestation is the one that the country asks for', async t => {
  const unfit = (...problems: string[]) => ['transfer-safeguard-unfit', ...problems]
  const { markedSensitive: _, ...plain } = attestation(now)
  const sensitive = unfit('the recipient must be told that the data are sensitive: markedSensitive')
  t.same(told('US', plain), sensitive)
  t.same(told('US', { ...plain, markedSensitive: false }), sensitive)
  t.same(told('CA', { ...plain, condition: 'pipeda' }), ['adequacy-condition'])
  t.same(told('JP', { ...plain, condition: 'appi' }), ['adequacy-condition'])
  t.same(told('KR', { ...plain, condition: 'pipa' }), ['adequacy-condition'])
  t.same(told('JP', attestation(now)), unfit('the condition of JP is appi'))
  t.same(told('IN', attestation(now)), unfit('IN has no conditional adequacy decision'))
  t.same(
    told('US', attestation(now, { date: '2027-03-10', expires: '2028-03-11' })),
    unfit('it must expire within 366 days of its date')
  )
  t.same(told('US', attestation(now, { date: '2027-03-10', expires: '2028-03-10' })), [
    'adequacy-condition'
  ])
})

t.test('an agreement is worth what its risk assessment says', async t => {
  const assessed = (change: object) =>
    told(
      'IN',
      safeguard(now, {
        riskAssessment: { id: 'T', date: '2027-01-01', outcome: 'not-materially-lower', ...change }
      })
    )
  t.same(assessed({}), ['idta'])
  t.same(assessed({ outcome: 'not-materially-lower-with-measures' }), ['idta'])
  t.same(assessed({ outcome: 'materially-lower' }), ['transfer-risk-too-high'])
  t.same(assessed({ date: '2027-03-11' }), [
    'transfer-safeguard-unfit',
    'the date of its risk assessment is yet to come'
  ])
  t.same(told('US', safeguard(now)), ['idta'], 'it does for a conditional country too')
})

t.test('an emergency is short', async t => {
  t.same(told('IN', emergency(now, { expires: '2027-04-09' })), ['vital-interests'])
  t.same(told('IN', emergency(now, { expires: '2027-04-10' })), [
    'transfer-safeguard-unfit',
    'it must expire within 30 days of its date'
  ])
})

t.test('dates have an order', async t => {
  for (const given of whole.filter(({ type }) => type !== 'explicit-consent')) {
    const country = given.type === 'adequacy-condition' ? 'US' : 'IN'
    t.match(told(country, { ...given, date: '2027-03-11' }), [
      'transfer-safeguard-unfit',
      'its date is yet to come'
    ])
    t.same(told(country, { ...given, date: '2027-03-01', expires: '2027-03-09' }), [
      'transfer-safeguard-expired'
    ])
    t.same(told(country, { ...given, date: '2027-03-09', expires: '2027-03-08' }), [
      'transfer-safeguard-unfit',
      'it expires before its date'
    ])
  }
})

t.test('what is not needed is not looked at', async t => {
  t.same(told('GB', undefined), ['uk'])
  t.same(told('FR', undefined), ['adequacy'])
  t.same(told('IN', undefined), ['transfer-safeguard-required'])
  t.match(told('US', undefined), [
    'transfer-safeguard-required',
    /^US is adequate on a condition: .*Data Privacy Framework/
  ])
})
