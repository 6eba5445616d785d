import { createSecretKey, randomBytes } from 'node:crypto'
import t from 'tap'
import { NHS_NUMBER_SYSTEM } from '../../schemas/case.ts'
import {
  isNhsNumber,
  normalIdentifier,
  normalPatient,
  patientRef
} from '../../src/cases/patient.ts'
import { Refusal } from '../../src/errors.ts'

const nhs = (value: string) => ({ system: NHS_NUMBER_SYSTEM, value })

t.test('an NHS number has ten digits, of which the last checks the others', async t => {
  // The first is the worked example of the NHS Data Dictionary; 999 is the range for tests.
  for (const valid of ['9434765919', '9990000018', '9990000026', '9449305552', '9876543210']) {
    t.ok(isNhsNumber(valid), valid)
    for (let place = 0; place < 10; place += 1) {
      const digits = [...valid].map(Number)
      digits[place] = ((digits[place] ?? 0) + 1) % 10
      t.notOk(isNhsNumber(digits.join('')), `${valid} with digit ${place + 1} changed`)
    }
  }
  for (const invalid of [
    '',
    '999000001',
    '99900000188',
    '999000001X',
    '٩٩٩٠٠٠٠٠١٨',
    ' 9990000018',
    '9990000018\n',
    '0x99900000'
  ]) {
    t.notOk(isNhsNumber(invalid), JSON.stringify(invalid))
  }
})

t.test('a sum whose check digit would be ten is never issued', async t => {
  // 10·1 + 2 = 12, and 11 − 12 mod 11 = 10, which no digit can be.
  for (let digit = 0; digit < 10; digit += 1) t.notOk(isNhsNumber(`100000001${digit}`))
  // 10·1 + 2·6 = 22, and 11 − 0 = 11, which is written as nought.
  t.ok(isNhsNumber('1000000060'))
})

t.test('ten equal digits are never issued, though some would pass the sum', async t => {
  for (let digit = 0; digit < 10; digit += 1) t.notOk(isNhsNumber(String(digit).repeat(10)))
})

t.test('every single digit and every exchange of neighbours is noticed', async t => {
  const valid = '9434765919'
  for (let place = 0; place < 9; place += 1) {
    const swapped = [...valid]
    ;[swapped[place], swapped[place + 1]] = [String(valid[place + 1]), String(valid[place])]
    const text = swapped.join('')
    t.equal(isNhsNumber(text), text === valid, text)
  }
})

t.test('blanks and hyphens are how it is written, not what it is', async t => {
  for (const written of [
    '943 476 5919',
    '943-476-5919',
    ' 9434765919 ',
    '943\u00a0476\u00a05919',
    '9 4 3 4 7 6 5 9 1 9'
  ]) {
    t.same(normalIdentifier(nhs(written)), nhs('9434765919'), written)
  }
  for (const wrong of ['943 476 5918', '943.476.5919', 'NHS 9434765919', '']) {
    const refusal = t.throws(() => normalIdentifier(nhs(wrong)))
    t.ok(refusal instanceof Refusal)
    t.match(refusal, { code: 'nhs-number-invalid' })
    if (wrong !== '') t.notOk(String(refusal).includes(wrong), 'and it is not repeated')
  }
})

t.test('another identifier is kept as it is, but for its ends', async t => {
  const other = (value: string) => ({ system: 'https://city.example/mrn', value })
  t.same(normalIdentifier(other(' A-12 34 ')), other('A-12 34'))
  t.same(normalIdentifier(other('9434765918')), other('9434765918'), 'it has a rule of its own')
  t.same(
    normalIdentifier(other('Mu\u0308ller')),
    other('Müller'),
    'one spelling of what looks the same'
  )
})

t.test('names are kept in one spelling', async t => {
  const patient = {
    identifier: nhs('943 476 5919'),
    name: '  Zoe\u0308 D’Arcy ',
    birthDate: '1951-03-17'
  }
  t.same(normalPatient(patient), { ...patient, identifier: nhs('9434765919'), name: 'Zoë D’Arcy' })
})

t.test('what stands for a patient needs the key', async t => {
  const key = createSecretKey(randomBytes(32))
  const other = createSecretKey(randomBytes(32))
  const ref = patientRef(key, nhs('9434765919'))
  t.equal(ref.length, 32)
  t.same(patientRef(key, nhs('943 476 5919')), ref, 'the same patient, however written')
  for (const [label, different] of Object.entries({
    'another key': patientRef(other, nhs('9434765919')),
    'another number': patientRef(key, nhs('9990000018')),
    'another system': patientRef(key, { system: 'https://a.b', value: '9434765919' }),
    'parts that join otherwise': patientRef(key, { system: 'https://a.b9', value: '434765919' })
  })) {
    t.notOk(different.equals(ref), label)
  }
})
