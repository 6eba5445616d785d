import t from 'tap'
import { heldReason, type Signs } from '../../../src/records/deidentify/held.ts'
import { namesSomebody } from '../../../src/records/deidentify/identity.ts'
import { pseudonymsOf } from '../../../src/records/deidentify/pseudonyms.ts'
import { ageAt, keptAge, shiftTemporal } from '../../../src/records/deidentify/values.ts'
import { CT, copyOf, ctSlice, testKey } from '../../helpers/dicom.ts'

t.test('dates are shifted by whole days and stay dates', async t => {
  for (const [text, representation, days, now] of [
    ['20240301', 'DA', -1, '20240229'],
    ['20230301', 'DA', -1, '20230228'],
    ['20240101', 'DA', -365, '20230101'],
    ['1995.06.26', 'DA', -7, '19950619'],
    ['20240105\\20240112 ', 'DA', -7, '20231229\\20240105'],
    ['20240105-20240112', 'DA', -7, '20231229-20240105'],
    ['20240105-', 'DA', -7, '20231229-'],
    ['-20240105', 'DA', -7, '-20231229'],
    ['', 'DA', -7, ''],
    ['20240230', 'DA', -7, undefined],
    ['Smith', 'DA', -7, undefined],
    ['00010101', 'DA', -7, undefined],
    ['20240301101500.123456+0100', 'DT', -1, '20240229101500.123456+0100'],
    ['202403011015', 'DT', -1, '202402291015'],
    ['20240301-0500', 'DT', -1, '20240229-0500'],
    ['20240301-20240302', 'DT', -1, '20240229-20240301'],
    ['202403', 'DT', -31, '202402'],
    ['2024', 'DT', -365, '2023'],
    ['20240301Smith', 'DT', -1, undefined],
    ['101500.123', 'TM', -1, '101500.123'],
    ['Smith', 'TM', -1, undefined],
    ['+0100', 'SH', -1, '+0100'],
    ['Leeds', 'SH', -1, undefined]
  ] as const) {
    t.equal(shiftTemporal(text, representation, days), now, `${text} by ${days}`)
  }
})

t.test('ages stay, above 89 as 90', async t => {
  t.equal(keptAge('033Y'), '033Y')
  t.equal(keptAge('089Y '), '089Y')
  t.equal(keptAge('090Y'), '090Y')
  t.equal(keptAge('104Y'), '090Y')
  t.equal(keptAge('018M'), '018M')
  t.equal(keptAge('born 1951'), undefined)
  t.equal(ageAt('19510317', '20240229'), '072Y')
  t.equal(ageAt('19510317', '20240317'), '073Y')
  t.equal(ageAt('19200101', '20240101'), '090Y')
  t.equal(ageAt('', '20240101'), undefined)
  t.equal(ageAt('20240102', '20240101'), undefined)
})

t.test('the age on the day of the study stands in for the birth date', async t => {
  const { copy } = await copyOf(ctSlice())
  t.ok(copy.includes('072Y'))
  t.notOk(copy.includes('19510317'))
  const { copy: told } = await copyOf(ctSlice([['0010,1010', 'AS', '071Y']]))
  t.ok(told.includes('071Y'))
  t.notOk(told.includes('072Y'), 'what the file says itself counts')
})

t.test('one key gives one pseudonym, another gives all others', async t => {
  const [one, same, other] = [1, 1, 2].map(fill => pseudonymsOf(testKey(fill)))
  t.equal(one?.patient, same?.patient)
  t.match(one?.patient, /^[0-9A-Z]{8}$/)
  t.not(one?.patient, other?.patient)
  t.equal(Number(one?.days) % 7, 0)
  t.ok(Number(one?.days) < -30 && Number(one?.days) > -3653)
  t.match(one?.uid('1.2.3'), /^2\.25\.[1-9]\d{30,38}$/)
  t.equal(one?.uid('1.2.3'), one?.uid('1.2.3\0'))
  t.not(one?.uid('1.2.3'), other?.uid('1.2.3'))
  t.equal(one?.uid('1.2.840.10008.1.4.1.1'), '1.2.840.10008.1.4.1.1', 'an atlas is nobody')
  t.not(one?.uid('1.2.840.10008.9990000018'), '1.2.840.10008.9990000018')
})

t.test('what may carry a name in its picture or text waits for a person', async t => {
  const signs: Signs = {
    sopClass: CT,
    modality: 'CT',
    imageType: 'ORIGINAL\\PRIMARY\\AXIAL',
    conversionType: '',
    burnedIn: '',
    visualFeatures: '',
    photometric: 'MONOCHROME2',
    overlayInPixels: false
  }
  const of = (change: Partial<Signs>) => heldReason({ ...signs, ...change })
  const storage = '1.2.840.10008.5.1.4.1.1.'
  t.equal(of({}), undefined)
  t.equal(of({ burnedIn: 'YES' }), 'burned-in')
  t.equal(of({ overlayInPixels: true }), 'overlay-in-pixels')
  t.equal(of({ photometric: 'RGB' }), 'likely-burned-in')
  t.equal(of({ imageType: 'DERIVED\\SECONDARY\\SCREEN SAVE' }), 'capture')
  t.equal(of({ conversionType: 'WSD' }), 'capture')
  t.equal(of({ modality: 'US' }), 'likely-burned-in')
  t.equal(of({ visualFeatures: 'YES' }), 'photograph')
  t.equal(of({ sopClass: '' }), 'kind-unknown')
  t.equal(of({ sopClass: '1.2.3' }), 'kind-unknown')
  for (const [kind, reason] of [
    ['6.1', 'likely-burned-in'],
    ['3.1', 'likely-burned-in'],
    ['7', 'capture'],
    ['7.4', 'capture'],
    ['88.33', 'report'],
    ['11.1', 'report'],
    ['104.1', 'document'],
    ['77.1.4', 'photograph'],
    ['77.1.5.1', 'photograph'],
    ['66', 'kind-unknown'],
    ['9.4.1', 'kind-unknown']
  ]) {
    t.equal(of({ sopClass: `${storage}${kind}`, burnedIn: 'NO' }), reason, `${kind}`)
  }
  for (const kind of ['1', '1.1', '1.1.1', '12.1', '12.2.1', '77.1.6', '481.1', '13.1.3']) {
    const sopClass = `${storage}${kind}`
    t.equal(of({ sopClass, modality: '' }), 'likely-burned-in', `${kind}, silent`)
    t.equal(of({ sopClass, modality: '', burnedIn: 'NO' }), undefined, `${kind}, says no`)
  }
  for (const kind of ['2.1', '4', '4.1', '20', '128', '130', '66.4', '481.2', '481.3', '481.5']) {
    t.equal(of({ sopClass: `${storage}${kind}`, modality: '' }), undefined, kind)
  }
})

t.test('a name is found however it is written, and only as words of its own', async t => {
  const names = new Set(['m\u00fcller', 'zeta', '999 000 0018', '9990000018', '1970-01-01'])
  for (const text of [
    'seen by Zeta today',
    'MULLER^ZETA',
    'M\u00dcLLER',
    'Mu\u0308ller',
    'NHS 999.000.0018.',
    'NHS 9990000018',
    'born 1970/01/01'
  ]) {
    t.ok(namesSomebody(text, names), text)
  }
  for (const text of ['zetas', 'a mullered one', '19990000018', '999 000 00180', '']) {
    t.notOk(namesSomebody(text, names), text)
  }
  const many = new Set(Array.from({ length: 1000 }, (_, n) => 'a'.repeat(n + 3)))
  t.notOk(namesSomebody('a'.repeat(1_000_000), many), 'a long text is gone through once')
})

t.test('what is not written as its kind of value is written is left out', async t => {
  const names = ['muller', '9990000018', '999000']
  const kept = async (...planted: Parameters<typeof ctSlice>[0] & object) =>
    (await copyOf(ctSlice(planted), { names })).copy.toString('latin1')
  t.match(await kept(['0018,0015', 'CS', 'BRAIN']), 'BRAIN')
  t.notMatch(await kept(['0018,0015', 'CS', 'MULLER ZETA']), 'MULLER', 'a name as a code')
  t.notMatch(await kept(['0018,0015', 'CS', 'x'.repeat(40)]), 'xxxx', 'a code that is too long')
  t.match(await kept(['0020,0013', 'IS', '4711']), '4711')
  t.notMatch(await kept(['0020,0011', 'IS', '999000']), '999000', 'a number of the patient')
  t.notMatch(await kept(['0008,0030', 'TM', '9990000018']), '9990000018', 'no time of day')
  t.notMatch(await kept(['0018,0024', 'SH', 'y'.repeat(4000)]), 'yyyy', 'a short text that is long')
  t.notMatch(await kept(['0018,0024', 'SH', 'Sequence of M\u00fcller']), 'ller', 'a name in UTF-8')
})
