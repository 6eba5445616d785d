import t from 'tap'
import { dayIn } from '../../src/calendar.ts'
import { policyOf } from '../../src/retention/policy.ts'
import { type CaseFacts, retentionOf } from '../../src/retention/retention.ts'

const policy = policyOf({ copyDays: 90 })
const CLOSED = Date.parse('2026-03-10T12:00:00Z')

const adult: CaseFacts = {
  zone: 'Europe/London',
  closedAt: CLOSED,
  conditionGroup: 'general',
  birthDate: '1951-03-17',
  hasOpinion: true,
  hasConsent: true
}

const lastDay = (facts: Partial<CaseFacts>, what = 'opinion') =>
  retentionOf({ ...adult, ...facts }, policy, CLOSED).find(part => part.what === what)?.lastDay

t.test('copies have days, and everything else the time of its class', async t => {
  const parts = retentionOf(adult, policy, CLOSED)
  t.match(parts, [
    { what: 'copies', lastDay: '2026-06-08', isDue: false, why: /90 days/ },
    { what: 'opinion', lastDay: '2034-03-10', isDue: false, why: /8 years/ },
    { what: 'consent', lastDay: '2034-03-10' },
    { what: 'request', lastDay: '2034-03-10' },
    { what: 'audit', lastDay: '2034-03-10' }
  ])
  t.equal(lastDay({ conditionGroup: 'cancer' }), '2056-03-10')
  t.equal(lastDay({ conditionGroup: 'cancer' }, 'copies'), '2026-06-08', 'copies are copies')
  const none = retentionOf({ ...adult, hasOpinion: false, hasConsent: false }, policy, CLOSED)
  t.same(
    none.map(({ what }) => what),
    ['copies', 'request', 'audit'],
    'what is not there is not told of'
  )
})

t.test('children stay until a birthday', async t => {
  t.equal(lastDay({ birthDate: '2020-05-01' }), '2045-05-01', 'the 25th')
  t.equal(lastDay({ birthDate: '2009-03-10' }), '2035-03-10', 'the 26th of one who has become 17')
  t.equal(lastDay({ birthDate: '2009-03-11' }), '2034-03-11', 'the 25th of one who is still 16')
  t.equal(lastDay({ birthDate: '2008-03-11' }), '2034-03-11', 'one day before the 18th birthday')
  t.equal(lastDay({ birthDate: '2008-03-10' }), '2034-03-10', 'on it: 8 years like any adult')
  t.equal(lastDay({ birthDate: '2008-02-29' }), '2034-03-10', 'grown up since the 1st of March')
  t.equal(lastDay({ birthDate: '2012-02-29' }), '2037-03-01', 'born on a leap day')
  const cancer = { conditionGroup: 'cancer' }
  t.equal(lastDay({ ...cancer, birthDate: '2020-05-01' }), '2056-03-10', 'the longer of the two')
  const baby = { ...cancer, birthDate: '2026-03-01' }
  t.equal(lastDay(baby), '2056-03-10')
})

t.test('an open case has no time yet', async t => {
  const parts = retentionOf({ ...adult, closedAt: null }, policy, CLOSED + 1e13)
  t.equal(parts.length, 5)
  for (const part of parts) {
    t.same([part.isDue, part.at, part.lastDay], [false, undefined, undefined])
  }
})

t.test('a day ends where its organisation is, to the millisecond', async t => {
  const zones = [
    'Europe/London',
    'America/New_York',
    'Asia/Kolkata',
    'Pacific/Kiritimati',
    'Pacific/Pago_Pago'
  ]
  const closings = [
    '2026-03-29T00:30:00Z',
    '2026-07-27T03:59:59.999Z',
    '2026-07-27T04:00:00Z',
    '2026-10-25T00:59:00Z',
    '2026-12-31T23:59:59.999Z'
  ]
  for (const zone of zones) {
    for (const closing of closings) {
      const facts = { ...adult, zone, closedAt: Date.parse(closing) }
      for (const { what, at = 0, lastDay = '' } of retentionOf(facts, policy, CLOSED)) {
        t.equal(dayIn(zone, at - 1), lastDay, `${zone} ${closing} ${what}: the last moment of it`)
        t.ok(dayIn(zone, at) > lastDay, 'and then it is over')
        const due = (now: number) =>
          retentionOf(facts, policy, now).find(part => part.what === what)?.isDue
        t.same([due(at - 1), due(at)], [false, true])
      }
    }
  }
})

t.test('the operator may choose the days of copies, and the policy says so', async t => {
  const own = policyOf({ copyDays: 30 })
  t.equal(own.version, `${policy.version}, copies 30 days`)
  t.match(retentionOf(adult, own, CLOSED)[0], { lastDay: '2026-04-09', why: /30 days/ })
})
