import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { deflateRawSync } from 'node:zlib'
import t from 'tap'
import { pseudonymiseDicom } from '../../../src/records/deidentify/deidentify.ts'
import type { Pull } from '../../../src/records/deidentify/dicom-source.ts'
import { explicitLittle } from '../../../src/records/deidentify/elements.ts'
import { examineDicom } from '../../../src/records/deidentify/examine.ts'
import { headBytes } from '../../../src/records/deidentify/part-10.ts'
import { pseudonymsOf } from '../../../src/records/deidentify/pseudonyms.ts'
import { CT, ctSlice, type Planted, testKey } from '../../helpers/dicom.ts'
import { codeFor, type Many } from './copy-many.ts'

// Whatever is sent: a copy or a refusal with a code, soon and in little memory.

const codes = ['dicom-unreadable', 'dicom-too-complex']

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

/** Copies files by the thousand in a process of their own, in which nobody follows each promise. */
function copyMany(): Many {
  const script = join(import.meta.dirname, 'copy-many.ts')
  const run = spawnSync(process.execPath, ['--no-warnings', script], {
    encoding: 'utf8',
    env: { PATH: process.env['PATH'] ?? '' }
  })
  if (run.status !== 0) throw new Error(run.stderr.slice(-2000))
  return JSON.parse(run.stdout)
}

t.test('cut or changed anywhere, a file is copied or refused, and never more', async t => {
  const { cut, changed } = copyMany()
  t.equal(cut.length, 2)
  for (const { bytes, refused, copied } of cut) {
    // Between two elements a shorter file is a whole one.
    t.same(
      copied.filter(length => length > bytes - 44),
      [],
      'never in its pixels'
    )
    t.ok(refused > bytes - 200, `${refused} of ${bytes}`)
  }
  t.same(
    Object.keys(changed).filter(code => code !== 'copied' && !codes.includes(code)),
    []
  )
  t.ok(Number(changed['dicom-unreadable']) > 100, JSON.stringify(changed))
})

t.test('a large picture passes with flat memory', async t => {
  const bytes = 512 * 1024 ** 2
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
