import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import t from 'tap'
import { Refusal } from '../../../src/errors.ts'
import type { Declared } from '../../../src/records/inspect/declared.ts'
import { INSPECT_BYTES, inspect } from '../../../src/records/inspect/inspect.ts'
import {
  acceptedTypes,
  binarySignatures,
  embeddedSignatures,
  textSignatures
} from '../../../src/records/inspect/signatures.ts'
import { brainSeries, letter, pathologyReport } from '../../samples/samples.ts'
import { ageFile, dicom, jpeg, pdf, png, tiff } from './made-files.ts'

/** Whatever the bytes are, they are either one of the accepted types or refused. */
function survives(head: Buffer, isWhole: boolean, declared: Declared = {}): void {
  const before = Buffer.from(head)
  try {
    const { type, endToEnd } = inspect(head, isWhole, declared)
    if (!(type in acceptedTypes) || endToEnd !== (type === 'application/age')) {
      throw new Error(`Impossible answer: ${type}.`)
    }
  } catch (error) {
    if (!(error instanceof Refusal) || !error.code.startsWith('file-')) throw error
  }
  if (!before.equals(head)) throw new Error('The head was changed.')
}

const [slice = ''] = brainSeries()
const real = [slice, pathologyReport, letter].map(path =>
  readFileSync(path).subarray(0, INSPECT_BYTES)
)
const made = [
  dicom(),
  png(),
  jpeg(),
  pdf('2.0'),
  tiff({ little: true, big: false }),
  tiff({ little: false, big: true }),
  ...Object.values(ageFile())
]

t.test('every cut of every format is answered or refused, never worse', async t => {
  let cuts = 0
  for (const file of [...real, ...made]) {
    for (let end = 0; end <= file.length; end++) {
      survives(file.subarray(0, end), true)
      survives(file.subarray(0, end), false)
      cuts++
    }
  }
  t.ok(cuts > 8000)
})

t.test('random heads, and random bytes after every known beginning', async () => {
  const starts = [...binarySignatures, ...textSignatures, ...embeddedSignatures]
    .map(({ bytes }) => bytes)
    .concat(real, made)
  const head = fc
    .tuple(
      fc.constantFrom(Buffer.alloc(0), ...starts),
      fc.nat({ max: 200 }),
      fc.uint8Array({ maxLength: 300 })
    )
    .map(([start, cut, rest]) => Buffer.concat([start.subarray(0, cut), rest]))
  const declared = fc.record(
    { contentType: fc.string(), fileName: fc.string({ unit: 'binary' }) },
    { requiredKeys: [] }
  )
  fc.assert(fc.property(head, fc.boolean(), declared, survives), { numRuns: 3000 })
})

t.test('a real head with some bytes changed', async () => {
  const changes = fc.array(fc.tuple(fc.nat({ max: 400 }), fc.nat({ max: 255 })), { maxLength: 6 })
  fc.assert(
    fc.property(fc.constantFrom(...real, ...made), changes, fc.boolean(), (file, list, isWhole) => {
      const head = Buffer.from(file)
      for (const [at, value] of list) head[at % head.length] = value
      survives(head, isWhole)
    }),
    { numRuns: 3000 }
  )
})
