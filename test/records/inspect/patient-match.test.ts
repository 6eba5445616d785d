import t from 'tap'
import { NHS_NUMBER_SYSTEM, type Patient } from '../../../schemas/case.ts'
import {
  matchHeader,
  matchPatient,
  matchRecord
} from '../../../src/records/inspect/patient-match.ts'
import { compareNames } from '../../../src/records/inspect/person-name.ts'
import type { HeaderPatient } from '../../../src/records/inspect/summary.ts'

const NHS = { system: NHS_NUMBER_SYSTEM, value: '9990000018' }
const OTHER_NHS = '9990000042'
const ours: Patient = { identifier: NHS, name: 'QUILLFEATHER, Ottoline', birthDate: '1951-03-17' }
const HOSPITAL = 'https://city.example/patients'
const byHospital: Patient = { ...ours, identifier: { system: HOSPITAL, value: 'H 00123' } }

const header = (name?: string, birthDate?: string, ...ids: [string, string?][]): HeaderPatient => ({
  ...(name !== undefined && { name }),
  ...(birthDate !== undefined && { birthDate }),
  ids: ids.map(([value, issuer]) => ({ value, ...(issuer !== undefined && { issuer }) }))
})
const NAME = 'QUILLFEATHER^OTTOLINE'
const BORN = '1951-03-17'

const table: [
  story: string,
  header: HeaderPatient | undefined,
  verdict: string,
  patient?: Patient
][] = [
  ['all of it', header(NAME, BORN, ['9990000018', 'NHS']), 'match'],
  ['number and name', header(NAME, undefined, ['9990000018', 'NHS']), 'match'],
  ['the number alone', header(undefined, undefined, ['9990000018', 'NHS']), 'match'],
  ['the number, written in groups', header(NAME, undefined, ['999 000 0018', 'NHS']), 'match'],
  ['the number, whoever issued it', header(NAME, BORN, ['9990000018', 'PACS']), 'match'],
  ['the number among the others', header(NAME, BORN, ['X1', 'RX1'], ['9990000018']), 'match'],
  ['number and married name', header('HERON^OTTOLINE', BORN, ['9990000018', 'NHS']), 'match'],
  ['name and birth date', header(NAME, BORN), 'match'],
  ['names the other way round', header('OTTOLINE^QUILLFEATHER', BORN), 'match'],
  ['second names and titles', header('QUILLFEATHER^OTTOLINE^MARY^MRS', BORN), 'match'],
  ['name and date, number of another hospital', header(NAME, BORN, ['77310', 'RX9']), 'match'],
  [
    'a ten-digit number of another hospital that happens to be valid',
    header(NAME, BORN, [OTHER_NHS]),
    'cannot-tell'
  ],

  ['no header', undefined, 'cannot-tell'],
  ['an empty header', header(), 'cannot-tell'],
  ['the name alone', header(NAME), 'cannot-tell'],
  ['the birth date alone', header(undefined, BORN), 'cannot-tell'],
  [
    'number of another hospital alone',
    header(undefined, undefined, ['77310', 'RX9']),
    'cannot-tell'
  ],
  ['number of nobody', header(undefined, undefined, ['77310']), 'cannot-tell'],
  ['anonymised', header('ANONYMOUS^PATIENT', '1900-01-01', ['ANON1']), 'cannot-tell'],
  ['anonymised in other words', header('Anonymized', undefined, ['0']), 'cannot-tell'],
  ['crossed out', header('XXXXX^XXXX'), 'cannot-tell'],
  ['a married name', header('HERON^OTTOLINE', BORN), 'cannot-tell'],
  ['a name in other letters', header('Κουιλφέδερ^Οττολίν', BORN), 'cannot-tell'],
  ['a name nobody could decode', header('Q\ufffd\ufffdLLF^X', BORN), 'cannot-tell'],
  ['one letter wrong', header('QUILFEATHER^OTOLINE', BORN), 'cannot-tell'],
  ['only the year of birth is right', header(NAME, '1951-01-01'), 'cannot-tell'],
  ['day and month changed about', header(NAME, '1951-17-03'), 'cannot-tell'],
  [
    'the number, and a birth date of another',
    header(NAME, '1960-05-05', ['9990000018']),
    'cannot-tell'
  ],
  ['a foetus has no birth date of its own', header(NAME, '9999-12-31'), 'cannot-tell'],

  ['another NHS number', header(NAME, BORN, [OTHER_NHS, 'NHS']), 'mismatch'],
  [
    'another NHS number, by its URI',
    header(NAME, BORN, [OTHER_NHS, NHS_NUMBER_SYSTEM]),
    'mismatch'
  ],
  [
    'another number, not said to be one of the NHS',
    header(undefined, undefined, [OTHER_NHS]),
    'mismatch'
  ],
  ['the same name, another birth date', header(NAME, '1960-05-05'), 'mismatch'],
  ['another name', header('SMITH^JOHN'), 'mismatch'],
  ['another name, the same birth date', header('SMITH^JOHN', BORN), 'mismatch'],
  ['nothing but the number', header('SMITH^JOHN', '1960-05-05', ['9990000018', 'NHS']), 'mismatch'],

  ['its own hospital number', header(NAME, undefined, ['h00123', HOSPITAL]), 'match', byHospital],
  ['the number, issuer unnamed', header(NAME, undefined, ['H 00123']), 'match', byHospital],
  [
    'another number of that hospital',
    header(undefined, undefined, ['H9', HOSPITAL]),
    'mismatch',
    byHospital
  ],
  [
    'a number of another',
    header(undefined, undefined, ['H 00123', 'RX9']),
    'cannot-tell',
    byHospital
  ],
  [
    'an NHS number nobody knows',
    header(undefined, undefined, [OTHER_NHS, 'NHS']),
    'cannot-tell',
    byHospital
  ]
]

t.test('whether a header is of the patient of the case', async t => {
  for (const [story, theirs, verdict, patient = ours] of table) {
    t.equal(matchPatient(patient, theirs).match, verdict, story)
  }
  t.same(matchPatient(ours, header('SMITH^JOHN', '1960-05-05', [OTHER_NHS, 'NHS'])).reasons, [
    'nhs-number-differs',
    'birth-date-differs',
    'name-differs'
  ])
})

t.test('a header whose identity was removed names nobody', async t => {
  const patient = header('SMITH^JOHN', '1960-05-05', [OTHER_NHS, 'NHS'])
  t.equal(matchHeader(ours, { patient, identityRemoved: true }).match, 'cannot-tell')
  t.equal(matchHeader(ours, { patient, identityRemoved: false }).match, 'mismatch')
  t.equal(
    matchHeader(ours, { patient: header(NAME, BORN), otherPatients: [patient] }).match,
    'mismatch'
  )
  t.equal(matchHeader(ours, {}).match, 'cannot-tell')
})

t.test('names are compared as people write them', async t => {
  const names: [ours: string, header: string, agreement: string][] = [
    ['Müller, Jörg', 'MUELLER^JOERG', 'agrees'],
    ['Müller, Jörg', 'MULLER^JORG', 'agrees'],
    ['Søren Ærø', 'AERO^SOREN', 'agrees'],
    ["O'Neill, Siân", 'ONEILL^SIAN', 'agrees'],
    ['Smith-Jones, Ann', 'SMITH JONES^ANN', 'agrees'],
    ['Smith-Jones, Ann', 'SMITHJONES^ANN', 'agrees'],
    ['de Silva, Ana', 'DE SILVA^ANA', 'agrees'],
    ['Dr Łukasz Wiśniewski', 'WISNIEWSKI^LUKASZ^^DR', 'agrees'],
    ['TEST, Patient One', 'TEST^PATIENT ONE', 'agrees'],
    ['Yamada, Tarou', 'Yamada^Tarou=山田^太郎=やまだ^たろう', 'agrees'],
    ['山田 太郎', 'Yamada^Tarou=山田^太郎=やまだ^たろう', 'agrees'],
    ['王小东', 'Wang^XiaoDong=王^小东=', 'agrees'],
    ['李娜', 'Wang^XiaoDong=王^小东=', 'differs'],
    ['Quillfeather, Ottoline', 'QUILLFEATHER^O', 'partly'],
    ['Robert Wren', 'Rob^Finch', 'partly'],
    ['Quillfeather, Ottoline', 'QUILLFEATHER', 'partly'],
    ['Ann Smith', 'Ann^Jones', 'partly'],
    ['Ann Smith', 'Bob^Jones', 'differs'],
    ['Ann Smith', '^^^^', 'unknown'],
    ['Ann Smith', 'TEST', 'unknown'],
    ['Ann Smith', '', 'unknown']
  ]
  for (const [own, other, agreement] of names) {
    t.equal(compareNames(own, other), agreement, `${own} and ${other}`)
  }
  t.equal(compareNames('Ann Smith', undefined), 'unknown')
})

t.test('a record is of one patient, or a mismatch', async t => {
  const scan = (patient?: HeaderPatient) => (patient === undefined ? {} : { patient })
  const mine = scan(header(NAME, BORN, ['77310', 'RX9']))
  const somebody = scan(header('SMITH^JOHN', '1960-05-05'))
  const nameless = scan(header(undefined, undefined, ['1', 'RX9']))
  const cases: [string, Parameters<typeof matchRecord>[1], string][] = [
    ['nothing', [], 'cannot-tell'],
    ['a letter', [undefined], 'cannot-tell'],
    ['one match', [mine], 'match'],
    ['a match and a letter', [mine, undefined, scan()], 'match'],
    ['a match and one that cannot be told', [mine, nameless], 'cannot-tell'],
    ['five hundred of one, and one of another', [...Array(500).fill(mine), somebody], 'mismatch'],
    [
      'two patients, neither of whom can be told',
      [scan(header('FINCH^A', undefined, [OTHER_NHS, 'X'])), scan(header('WREN^B'))],
      'mismatch'
    ]
  ]
  for (const [story, files, verdict] of cases)
    t.equal(matchRecord(ours, files).match, verdict, story)
  const greek = header('Αλφα^Βητα', '1980-02-02', ['1', 'RX9'])
  const twoUnknown = [scan(header(undefined, '1951-03-17')), scan({ ...greek, birthDate: BORN })]
  t.equal(matchRecord(ours, twoUnknown).match, 'cannot-tell')
  const several = [
    scan({ ids: [{ value: OTHER_NHS, issuer: 'NHS' }] }),
    scan({ ids: [{ value: '9990000050', issuer: 'NHS' }] })
  ]
  t.same(matchRecord(byHospital, several), { match: 'mismatch', reasons: ['several-patients'] })
})
