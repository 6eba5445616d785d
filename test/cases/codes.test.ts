import t from 'tap'
import { hasVerhoeffDigit, normalIcd10, normalSnomed } from '../../src/cases/codes.ts'

t.test('Verhoeff: the published example, and no single slip passes', async t => {
  t.ok(hasVerhoeffDigit('2363'))
  const right = '254837009'
  t.ok(hasVerhoeffDigit(right))
  for (let place = 0; place < right.length; place += 1) {
    for (let digit = 0; digit < 10; digit += 1) {
      if (String(digit) === right[place]) continue
      const wrong = `${right.slice(0, place)}${digit}${right.slice(place + 1)}`
      t.notOk(hasVerhoeffDigit(wrong), wrong)
    }
    const [a = '', b = ''] = right.slice(place, place + 2)
    if (b === '' || a === b) continue
    const swapped = `${right.slice(0, place)}${b}${a}${right.slice(place + 2)}`
    t.notOk(hasVerhoeffDigit(swapped), swapped)
  }
})

t.test('SNOMED CT concepts', async t => {
  // Myocardial infarction, breast cancer, diabetes, the root, and a long one with a namespace.
  for (const code of ['22298006', '254837009', '73211009', '138875005', '999000041000000102']) {
    t.equal(normalSnomed(` ${code} `), code)
  }
  for (const [label, code] of Object.entries({
    'wrong check digit': '22298007',
    'a description': '37436014',
    'a zero first': '022298006',
    'too short': '10007',
    'too long': '1234567890123456789',
    letters: '2229800A',
    'digits of another script': '٢٢٢٩٨٠٠٦',
    nothing: ''
  })) {
    t.throws(() => normalSnomed(code), { code: 'snomed-code-invalid' }, label)
  }
})

t.test('ICD-10 codes', async t => {
  const codes = { 'C71.2': 'C71.2', c712: 'C71.2', ' U07.1 ': 'U07.1', I10: 'I10', C73X: 'C73.X' }
  for (const [given, normal] of Object.entries({ ...codes, 'M51.16': 'M51.16' })) {
    t.equal(normalIcd10(given), normal, given)
  }
  for (const code of [
    '',
    '71.2',
    'C7',
    'C71.',
    'C71..2',
    'CC1.2',
    'C71.2345',
    'C71 2',
    'C71.2; x'
  ]) {
    t.throws(() => normalIcd10(code), { code: 'icd-code-invalid' }, code)
  }
})
