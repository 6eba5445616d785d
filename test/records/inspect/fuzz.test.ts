import { readFileSync } from 'node:fs'
import { deflateSync } from 'node:zlib'
import t from 'tap'
import { Refusal } from '../../../src/errors.ts'
import { decodeText } from '../../../src/records/inspect/dicom-text.ts'
import { lookInside } from '../../../src/records/inspect/look-inside.ts'
import { matchHeader } from '../../../src/records/inspect/patient-match.ts'
import type { FileType } from '../../../src/records/inspect/signatures.ts'
import { READ_BYTES_MAX } from '../../../src/records/inspect/source.ts'
import { lineOfRecord, studiesOf } from '../../../src/records/inspect/study.ts'
import { madeScan, type Syntax } from '../../helpers/made-dicom.ts'
import { pathologyReport, transferSyntaxes } from '../../samples/samples.ts'
import { jpeg, png, tiff } from './made-files.ts'

// Mutations of honest files, always the same ones: counted, not timed.

const MUTANTS_EACH = 400
/** A summary is sealed in a row of the database. */
const SUMMARY_CHARACTERS_MAX = 64_000

/** Marsaglia's xorshift: the same numbers in every run. */
function numbersFrom(seed: number): (below: number) => number {
  let state = seed
  return below => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) % below
  }
}

const interesting = [0, 1, 2, 0x7f, 0x80, 0xff, 0x5c, 0x1b, 0x5e, 0x2f, 0x23]

function mutate(file: Buffer, next: (below: number) => number): Buffer {
  const mutant = Buffer.from(file)
  for (let change = next(6); change >= 0; change -= 1) {
    // Most of what is parsed stands at the beginning.
    const at = next(next(2) === 0 ? Math.min(mutant.length, 2000) : mutant.length)
    const kind = next(4)
    if (kind === 0) mutant[at] = next(256)
    else if (kind === 1) mutant[at] = interesting[next(interesting.length)] ?? 0
    else if (kind === 2 && at + 4 <= mutant.length) mutant.writeUInt32LE(next(2) * 0xffffffff, at)
    else mutant.copy(mutant, at, next(mutant.length), mutant.length)
  }
  return next(4) === 0 ? mutant.subarray(0, next(mutant.length)) : mutant
}

const patient = {
  identifier: { system: 'https://fhir.nhs.uk/Id/nhs-number', value: '9990000018' },
  name: 'QUILLFEATHER, Ottoline',
  birthDate: '1951-03-17'
}

async function survives(type: FileType, file: Buffer): Promise<'taken' | 'refused'> {
  let read = 0
  const source = {
    bytes: file.length,
    async read(position: number, length: number) {
      if (!(position >= 0 && length > 0)) throw new Error(`Read ${length} at ${position}.`)
      const bytes = file.subarray(position, position + length)
      read += bytes.length
      if (read > READ_BYTES_MAX) throw new Error('Read too much.')
      return bytes
    }
  }
  try {
    const summary = await lookInside(type, source)
    if (JSON.stringify(summary).length > SUMMARY_CHARACTERS_MAX) throw new Error('Too long.')
    // Whatever was seen can be shown and compared.
    matchHeader(patient, summary.dicom)
    lineOfRecord([{ ...summary, type }], studiesOf([summary]))
    return 'taken'
  } catch (err) {
    if (err instanceof Refusal && /^(file|image)-/.test(err.code)) return 'refused'
    throw err
  }
}

const syntaxes: Syntax[] = ['implicit', 'explicit', 'big', 'deflated']
const named = {
  name: 'Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B',
  characterSet: '\\ISO 2022 IR 87'
}
const packed = deflateSync('<< /JS (1) >>').toString('latin1')
const objects = `1 0 obj\n<< /Type /ObjStm /Filter /FlateDecode >>\nstream\n${packed}\nendstream\nendobj`

const seeds: [string, FileType, Buffer][] = [
  ...syntaxes.map((syntax): [string, FileType, Buffer] => [
    `${syntax} DICOM`,
    'application/dicom',
    madeScan({ ...named, syntax, id: '9990000018', otherIds: 'A\\B', birthDate: '19510317' })
  ]),
  ...transferSyntaxes().map((path): [string, FileType, Buffer] => [
    path.split('/').at(-1) ?? '',
    'application/dicom',
    readFileSync(path).subarray(0, 20_000)
  ]),
  ['a report', 'application/pdf', readFileSync(pathologyReport)],
  ['a PDF', 'application/pdf', Buffer.from(`%PDF-1.7\n${objects}\n%%EOF`, 'latin1')],
  ['a TIFF', 'image/tiff', tiff({ little: true, big: false })],
  ['a BigTIFF', 'image/tiff', tiff({ little: false, big: true })],
  ['a PNG', 'image/png', png()],
  ['a JPEG', 'image/jpeg', jpeg({ padding: 2 })]
]

t.test(
  'every mutant of every format is taken or refused, and costs no more than it may',
  async t => {
    const next = numbersFrom(20261123)
    for (const [name, type, file] of seeds) {
      const ends = { taken: 0, refused: 0 }
      for (let mutant = 0; mutant < MUTANTS_EACH; mutant += 1) {
        ends[await survives(type, mutate(file, next))] += 1
      }
      t.equal(ends.taken + ends.refused, MUTANTS_EACH, `${name}: ${JSON.stringify(ends)}`)
    }
  }
)

t.test('any bytes in any character set are some text', async t => {
  const next = numbersFrom(77)
  const sets = ['', 'ISO_IR 100', 'ISO_IR 192', 'GB18030', 'ISO 2022 IR 13', 'ISO 2022 IR 149', 'x']
  for (let round = 0; round < 3000; round += 1) {
    const bytes = Buffer.from(
      Array.from({ length: next(40) }, () => (next(5) === 0 ? 0x1b : next(256)))
    )
    const text = decodeText(bytes, [sets[next(sets.length)] ?? '', 'ISO 2022 IR 87'])
    if (!text.isWellFormed()) t.fail(bytes.toString('hex'))
  }
  t.pass('3,000 of them')
})
