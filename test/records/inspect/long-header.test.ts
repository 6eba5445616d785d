import { createCipheriv } from 'node:crypto'
import { deflateRawSync } from 'node:zlib'
import t from 'tap'
import { shortElements } from '../../../src/records/inspect/dicom-short.ts'
import { lookInside } from '../../../src/records/inspect/look-inside.ts'
import {
  dicomOf,
  type Element,
  element,
  fileMetaOf,
  type Syntax,
  syntaxes
} from '../../helpers/made-dicom.ts'

const MIB = 1024 ** 2
const UNDEFINED_LENGTH = 0xffffffff

const PATIENT: Element[] = [
  ['0010,0010 PN', 'Wrén^Robert'],
  ['0010,0020 LO', '77310'],
  ['0010,0030 DA', '19700102']
]
const AFTER: Element[] = [
  ['0020,000d UI', '1.2.3'],
  ['7fe0,0010 OW', Buffer.alloc(8)]
]

/** What is in a file, and how many of its bytes were read for it. */
async function look(bytes: Buffer) {
  let read = 0
  const summary = await lookInside('application/dicom', {
    bytes: bytes.length,
    async read(position, length) {
      read += length
      return bytes.subarray(position, position + length)
    }
  })
  return { ...summary, read }
}

/** An item without a length, in a sequence without one. */
function sequence(value: Buffer, syntax: Syntax): Buffer {
  // Both lengths are the same in either order.
  const item = (tag: string, length: number) => {
    const bytes = element([`${tag} UI`, ''], 'implicit', length)
    return syntax === 'big' ? bytes.swap16() : bytes
  }
  return Buffer.concat([
    item('fffe,e000', UNDEFINED_LENGTH),
    value,
    item('fffe,e00d', 0),
    item('fffe,e0dd', 0)
  ])
}

for (const syntax of ['explicit', 'implicit', 'big'] as const) {
  t.test(`a patient behind more than is read of a header: ${syntax}`, async t => {
    const other = element(['0010,0020 LO', '9990000042'], syntax)
    const issuer = element(['0010,0021 LO', 'NHS-NUM'], syntax)
    const long: Element[] = [
      ['0008,0005 CS', 'ISO_IR 192'],
      ['0009,0010 LO', 'CITY'],
      ['0009,1001 OB', Buffer.alloc(30 * MIB, 'x')],
      ['0009,1002 OB', Buffer.alloc(2 * MIB, 'x')]
    ]
    const { dicom, notes, read } = await look(dicomOf([...long, ...PATIENT, ...AFTER], syntax))
    t.match(dicom, {
      patient: { name: 'Wrén^Robert', birthDate: '1970-01-02', ids: [{ value: '77310' }] }
    })
    t.match(notes, [{ code: 'header-not-fully-read' }], 'which is said all the same')
    t.ok(read < 12 * MIB, `${read} bytes were read`)

    // A sequence of no length can only be walked through.
    const inside = element(['0009,1001 OB', Buffer.alloc(9 * MIB)], syntax)
    const file = Buffer.concat([
      dicomOf([['0008,0005 CS', 'ISO_IR 192']], syntax),
      element(['0009,1003 SQ', sequence(inside, syntax)], syntax, UNDEFINED_LENGTH),
      ...PATIENT.map(each => element(each, syntax)),
      element(
        ['0010,1002 SQ', sequence(Buffer.concat([other, issuer]), syntax)],
        syntax,
        UNDEFINED_LENGTH
      ),
      ...AFTER.map(each => element(each, syntax))
    ])
    t.match((await look(file)).dicom, {
      patient: {
        name: 'Wrén^Robert',
        ids: [{ value: '77310' }, { value: '9990000042', issuer: 'NHS-NUM' }]
      }
    })
  })
}

/** Bytes that no compression makes fewer. */
const dense = (bytes: number): Buffer =>
  createCipheriv('aes-128-ctr', Buffer.alloc(16), Buffer.alloc(16)).update(Buffer.alloc(bytes))

t.test('a patient behind more than is unpacked of a deflated header at first', async t => {
  for (const kib of [20, 300, 3000]) {
    const long: Element[] = [
      ['0008,0005 CS', 'ISO_IR 192'],
      ['0009,0010 LO', 'CITY'],
      ['0009,1001 OB', dense(kib * 1024)]
    ]
    const pixels: Element = ['7fe0,0010 OW', dense(9 * MIB)]
    const { dicom, notes } = await look(dicomOf([...long, ...PATIENT, pixels], 'deflated'))
    t.match(dicom, { patient: { name: 'Wrén^Robert', ids: [{ value: '77310' }] } }, `${kib} KiB`)
    t.strictSame(notes, [], 'all of it was read')
  }
  // More is unpacked of none; that is no fault of the file.
  const long: Element = ['0009,1001 OB', dense(6 * MIB)]
  const file = dicomOf([['0008,0060 CS', 'CT'], long, ...PATIENT, ...AFTER], 'deflated')
  t.match(await look(file), {
    dicom: { modality: 'CT' },
    notes: [{ code: 'header-not-fully-read' }]
  })
})

t.test('a deflated data set behind long file meta information', async t => {
  const meta = fileMetaOf(syntaxes.deflated)
  const body = deflateRawSync(Buffer.concat([...PATIENT, ...AFTER].map(each => element(each))))
  // So that the data set begins before, at, and behind the end of what is read at first.
  for (const bytes of [15_000, 16_204, 16_206, 16_208, 20_000]) {
    const more = element(['0002,0102 OB', Buffer.alloc(bytes)])
    const start = Buffer.from(meta)
    start.writeUInt32LE(meta.readUInt32LE(140) + more.length, 140)
    const { dicom } = await look(Buffer.concat([start, more, body]))
    t.match(dicom, { patient: { birthDate: '1970-01-02' } }, `${meta.length + more.length}`)
  }
})

t.test('a header that cannot be stepped through ends somewhere', async t => {
  const filler = Buffer.alloc(9 * MIB)
  const hostile: [string, Buffer][] = [
    ['no end of a sequence', element(['0009,1001 SQ', filler], 'explicit', UNDEFINED_LENGTH)],
    ['longer than the file', element(['0009,1001 OB', filler], 'explicit', 0xfffffff0)],
    [
      'a hundred thousand elements',
      Buffer.concat(Array(100_000).fill(element(['0009,1001 LO', Buffer.alloc(100)])))
    ],
    [
      'one long element after the other',
      Buffer.concat(Array(700).fill(element(['0009,1001 OB', Buffer.alloc(70_000)])))
    ]
  ]
  for (const [story, middle] of hostile) {
    const file = Buffer.concat([
      dicomOf([['0008,0060 CS', 'CT']]),
      middle,
      ...PATIENT.map(each => element(each))
    ])
    const found = await look(file).catch((err: unknown) => err)
    t.match(
      found instanceof Error ? found : JSON.stringify(found),
      found instanceof Error ? { code: /^file-/ } : /"notes":\[\{/,
      story
    )
  }
})

t.test('whatever the bytes are, it comes to an end within them', async t => {
  const elements = PATIENT.map(each => element(each))
  const honest = Buffer.concat([
    element(
      ['0009,1003 SQ', sequence(Buffer.concat(elements), 'explicit')],
      'explicit',
      UNDEFINED_LENGTH
    ),
    ...elements
  ])
  let state = 20261123
  const next = (below: number) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
    return (state >>> 8) % below
  }
  for (let n = 0; n < 2000; n += 1) {
    const mutant = Buffer.from(honest)
    for (let change = next(5); change >= 0; change -= 1) {
      mutant[next(mutant.length)] = [0, 1, 0xff, 0xfe, next(256)][next(5)] ?? 0
    }
    const bytes = mutant.subarray(0, next(4) === 0 ? next(mutant.length) : mutant.length)
    let read = 0
    const source = {
      bytes: bytes.length,
      async read(position: number, length: number) {
        read += 1
        if (position < 0 || length < 0 || read > 200) throw new Error('A read that is none.')
        return bytes.subarray(position, position + length)
      }
    }
    const encoding = { isExplicit: next(3) > 0, isBig: next(3) === 0 }
    const short = await shortElements(source, 0, encoding)
    if (short.length > bytes.length) t.fail(`more than there is: ${mutant.toString('hex')}`)
  }
  t.pass('2,000 of them')
})
