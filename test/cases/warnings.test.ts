import t from 'tap'
import type { RequestDetails } from '../../src/cases/request.ts'
import { type Circumstances, warningsOf } from '../../src/cases/warnings.ts'

const authorisation = {
  code: 'A-1',
  from: '2027-05-01',
  until: '2027-07-31',
  covers: ['consultation', 'tests', 'global-expert-review'] as const
}
const insured = (change: object = {}) => ({
  insurance: { insurer: 'Shelduck Mutual', authorisation: { ...authorisation, ...change } }
})
const now: Circumstances = {
  today: '2027-06-01',
  homeCountry: 'GB',
  sharedWith: [],
  isClosed: false,
  isAnswered: false
}

const table: [label: string, request: object, around: Partial<Circumstances>, codes: string[]][] = [
  ['all is well', insured(), {}, []],
  ['nobody said who pays', {}, {}, ['insurance-missing']],
  ['the NHS pays', { funding: 'nhs' }, {}, []],
  ['the patient pays', { funding: 'self' }, {}, []],
  ['an insurer pays, and which is not said', { funding: 'insurer' }, {}, ['insurance-missing']],
  ['no code', { insurance: { insurer: 'x' } }, {}, ['authorisation-missing']],
  ['the first day', insured({ from: '2027-06-01' }), {}, []],
  ['the day before', insured({ from: '2027-06-02' }), {}, ['authorisation-not-begun']],
  ['the last day', insured({ until: '2027-06-01' }), {}, []],
  ['the day after', insured({ until: '2027-05-31' }), {}, ['authorisation-expired']],
  ['due on its last day', { ...insured(), dueDate: '2027-07-31' }, {}, []],
  ['due after it', { ...insured(), dueDate: '2027-08-01' }, {}, ['authorisation-ends-early']],
  ['tests alone', insured({ covers: ['tests'] }), {}, ['consultation-not-covered']],
  ['abroad, and covered', insured(), { sharedWith: ['US'] }, []],
  [
    'abroad, and not covered',
    insured({ covers: ['consultation'] }),
    { sharedWith: ['GB', 'US'] },
    ['review-abroad-not-covered']
  ],
  ['at home', insured({ covers: ['consultation'] }), { sharedWith: ['GB'] }, []],
  ['due today', { funding: 'nhs', dueDate: '2027-06-01' }, {}, []],
  ['due yesterday', { funding: 'nhs', dueDate: '2027-05-31' }, {}, ['overdue']],
  ['answered late', { funding: 'nhs', dueDate: '2027-05-31' }, { isAnswered: true }, []],
  ['closed', { dueDate: '2027-05-31' }, { isClosed: true }, []]
]

t.test('what should be seen to, day by day', async t => {
  for (const [label, request, around, codes] of table) {
    const found = warningsOf(request as RequestDetails, { ...now, ...around })
    t.same(
      found.map(({ code }) => code),
      codes,
      label
    )
    t.ok(
      found.every(({ detail }) => detail.endsWith('.')),
      'each says what to do'
    )
  }
  t.same(warningsOf(undefined, now), [], 'nothing is missed of a request that nobody has written')
})
