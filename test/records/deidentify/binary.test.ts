import t from 'tap'
import { copyOf, ctSlice, fragmentedSlice, type Planted } from '../../helpers/dicom.ts'

// What is no text: numbers, tables and pixels stay where they can be nothing else.

const NAME = 'QUILLFEATHER'
const shorts = (...numbers: number[]): Buffer => {
  const bytes = Buffer.alloc(numbers.length * 2)
  for (const [n, number] of numbers.entries()) bytes.writeUInt16LE(number, n * 2)
  return bytes
}
const longs = (...numbers: number[]): Buffer => {
  const bytes = Buffer.alloc(numbers.length * 4)
  for (const [n, number] of numbers.entries()) bytes.writeUInt32LE(number, n * 4)
  return bytes
}
const double = (number: number): Buffer => {
  const bytes = Buffer.alloc(8)
  bytes.writeDoubleLE(number)
  return bytes
}
/** Bytes that are easily found again, and are no words. */
const noise = (bytes: number, seed = 7): Buffer =>
  Buffer.from(Array.from({ length: bytes }, (_, n) => ((n * 37 + seed) % 251) | 0x80))

async function keeps(planted: Planted[], what: Buffer): Promise<boolean> {
  const { copy } = await copyOf(ctSlice(planted))
  return copy.includes(what)
}

t.test('numbers stay where there are as many as there should be', async t => {
  const cases: [string, Planted, boolean][] = [
    ['one', ['0028,0100', 'US', noise(2)], true],
    ['two where one should be', ['0028,0100', 'US', noise(4)], false],
    ['half of one', ['0018,9073', 'FD', noise(4)], false],
    ['a signed one where it may be', ['0028,0106', 'SS', noise(2)], true],
    ['a signed one where it may not', ['0028,0100', 'SS', noise(2)], false],
    ['bytes for a number', ['0028,0100', 'OB', noise(2)], false],
    ['a number for a text', ['0018,1030', 'US', noise(2)], false],
    ['one of unknown kind', ['0028,0100', 'UN', noise(2)], true],
    ['two of unknown kind', ['0028,0100', 'UN', noise(4)], false],
    ['three of three', ['0018,9105', 'FD', noise(24)], true],
    ['two of three', ['0018,9105', 'FD', noise(16)], false],
    ['as many as one likes', ['0020,9157', 'UL', noise(40)], true],
    ['more than anybody likes', ['0020,9157', 'UN', noise(4 * 70_000)], false],
    ['pairs', ['0022,0032', 'FL', noise(16)], true],
    ['half a pair', ['0022,0032', 'FL', noise(12)], false]
  ]
  for (const [name, planted, stays] of cases) {
    t.equal(await keeps([planted], planted[2] as Buffer), stays, name)
  }
})

t.test('words in the place of numbers go', async t => {
  for (const planted of [
    ['0018,9073', 'FD', 'ZETAMULL'],
    ['0020,9157', 'UL', 'Zeta Muller, of Leeds   '],
    ['0028,0009', 'AT', 'ZETA'],
    ['0028,0009', 'AT', Buffer.from('09001010', 'hex')]
  ] as Planted[]) {
    t.notOk(await keeps([planted], Buffer.from(planted[2] as string)), planted[0])
  }
  const hidden = Buffer.concat([longs(1, 2), Buffer.from(NAME), longs(3)])
  t.notOk(await keeps([['0020,9157', 'UL', hidden]], hidden), 'a name among numbers')
  t.ok(await keeps([['0018,9073', 'FD', double(1234.5)]], double(1234.5)), 'a number')
  const time = Buffer.from('18006310', 'hex')
  t.ok(await keeps([['0028,0009', 'AT', time]], time), 'a tag of the standard')
})

t.test('long binary values go, but for tables of the length that is said before', async t => {
  for (const [tag, representation] of [
    ['0028,2000', 'OB'],
    ['0028,1221', 'OW'],
    ['0028,1408', 'OW'],
    ['0066,0023', 'OW'],
    ['0066,0016', 'OF'],
    ['0018,1638', 'OF'],
    ['0040,A074', 'OB'],
    ['7FE0,0001', 'OV'],
    ['7FE0,0020', 'OW']
  ] as const) {
    t.notOk(await keeps([[tag, representation, noise(64)]], noise(64)), tag)
  }
  const palette = (
    entries: number,
    bits: number,
    bytes: number,
    first = noise(bytes)
  ): Planted[] => [
    ['0028,1101', 'US', shorts(entries, 0, bits)],
    ['0028,1201', 'OW', first]
  ]
  t.ok(await keeps(palette(256, 16, 512), noise(512)), 'a palette')
  t.ok(await keeps(palette(255, 8, 256), noise(256)), 'a palette of bytes, made even')
  t.notOk(await keeps(palette(256, 16, 514), noise(514)), 'and two bytes more')
  t.notOk(await keeps([['0028,1201', 'OW', noise(512)]], noise(512)), 'and no word of it')
  const named = Buffer.concat([noise(512 - NAME.length), Buffer.from(NAME)])
  t.notOk(await keeps(palette(256, 16, 512, named), Buffer.from(NAME)), 'and a name in it')

  const waveform = (bytes: number): Planted => [
    '5400,0100',
    'SQ',
    [
      [
        ['003A,0005', 'US', shorts(2)],
        ['003A,0010', 'UL', longs(50)],
        ['5400,1004', 'US', shorts(16)],
        ['5400,1010', 'OW', noise(bytes)]
      ]
    ]
  ]
  t.ok(await keeps([waveform(200)], noise(200)), 'a waveform')
  t.notOk(await keeps([waveform(202)], noise(202)), 'and a sample more')
  const two: Planted = [
    '5400,0100',
    'SQ',
    [...(waveform(200)[2] as Planted[][]), [['5400,1010', 'OW', noise(200, 9)]]]
  ]
  t.notOk(await keeps([two], noise(200, 9)), 'what one item says is not of the next')
  const lut = (bytes: number): Planted => [
    '0028,3000',
    'SQ',
    [
      [
        ['0028,3002', 'US', shorts(128, 0, 16)],
        ['0028,3006', 'OW', noise(bytes)]
      ]
    ]
  ]
  t.ok(await keeps([lut(256)], noise(256)), 'a look-up table')
  t.notOk(await keeps([lut(258)], noise(258)), 'and an entry more')
})

t.test('only character sets of the standard stay', async t => {
  const of = (set: string) => keeps([['0008,0005', 'CS', set]], Buffer.from(set))
  t.ok(await of('ISO_IR 192'))
  t.ok(await of('\\ISO 2022 IR 87'))
  t.notOk(await of('ISO_IR 192\\ZETA'))
  t.notOk(await of('ZETA MULLER'))
})

t.test('a class that is the number of the patient goes', async t => {
  const item = (uid: string): Planted => ['0008,1140', 'SQ', [[['0008,1150', 'UI', uid]]]]
  t.ok(await keeps([item('1.2.840.10008.5.1.4.1.1.2')], Buffer.from('1.2.840.10008.5.1.4.1.1.2')))
  t.notOk(await keeps([item('9990000018')], Buffer.from('9990000018')))
  t.notOk(await keeps([item('1.2.9990000018')], Buffer.from('9990000018')))
})

t.test('pixel data are of the form that the transfer syntax says', async t => {
  const jpegInFragments = fragmentedSlice('1.2.840.10008.1.2.1', [noise(8)])
  await t.rejects(copyOf(jpegInFragments), { code: 'dicom-unreadable' }, 'no fragments')
  const plain = ctSlice()
  const at = plain.indexOf('1.2.840.10008.1.2.1\0')
  plain.write('1.2.840.10008.1.2.5\0', at)
  await t.rejects(copyOf(plain), { code: 'dicom-unreadable' }, 'fragments')
  const wrong = ctSlice([['7FE0,0010', 'UT', 'Quillfeather']])
  await t.rejects(copyOf(wrong), { code: 'dicom-unreadable' }, 'no text')
  const inside: Planted = ['5200,9229', 'SQ', [[['7FE0,0010', 'OW', noise(64)]]]]
  t.notOk(await keeps([inside], noise(64)), 'and not within a sequence')
})

t.test('a table of offsets stays where it is one', async t => {
  const rle = '1.2.840.10008.1.2.5'
  const fragments = [noise(10), noise(20, 3), noise(6, 5)]
  const copied = async (table: Buffer) => {
    const { copy } = await copyOf(fragmentedSlice(rle, fragments, { table }), { pieceBytes: 33 })
    for (const fragment of fragments) t.ok(copy.includes(fragment), 'with all fragments')
    const start = copy.indexOf(Buffer.from('e07f10004f420000ffffffff', 'hex')) + 20
    return copy.subarray(start, start + copy.readUInt32LE(start - 4))
  }
  for (const table of [longs(), longs(0), longs(0, 18, 46), longs(0, 46)]) {
    t.same(await copied(table), table)
  }
  for (const table of [
    longs(4),
    longs(0, 19),
    longs(0, 18, 46, 60),
    longs(0, 18, 46, 46),
    longs(46, 0),
    Buffer.from('NG^LI 9990000018'),
    Buffer.concat([longs(0, 18), Buffer.from('Li')])
  ]) {
    t.same(await copied(table), longs(), table.toString('hex'))
  }
})
