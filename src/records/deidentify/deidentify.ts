import { type DicomSink, deflatingSink, dicomSink, type Write } from './dicom-sink.ts'
import type { Pull } from './dicom-source.ts'
import { elementBytes, type Syntax, sequenceBytes } from './elements.ts'
import { type Examined, openDataSet } from './examine.ts'
import { namesSomebody } from './identity.ts'
import { headBytes } from './part-10.ts'
import { EDITION, type Treatment, treatmentOf } from './profile.ts'
import type { Pseudonyms } from './pseudonyms.ts'
import { representationOf, type Tag, tagOf } from './representations.ts'
import { dummyValue, keptAge, shiftTemporal, trimValue } from './values.ts'
import { walkDataSet } from './walk.ts'

export interface Copying {
  pseudonyms: Pseudonyms
  examined: Examined
  /** More names of the patient than the file itself tells, in small letters. */
  names: ReadonlySet<string>
  /** A person has looked at the content of this file and released it. */
  isReviewed: boolean
}

/** What DICOM calls the profile and options that are applied: PS3.16, CID 7050. */
const methodCodes = [
  ['113100', 'Basic Application Confidentiality Profile'],
  ['113107', 'Retain Longitudinal Temporal Information Modified Dates Option'],
  ['113108', 'Retain Patient Characteristics Option']
] as const

/**
 * Writes a copy of a DICOM file in which the patient has a pseudonym: PS3.15, annex E, the basic
 * profile with the options to retain longitudinal information with modified dates, and patient
 * characteristics. The table is `profile.json`; what is not in the file's standard form, or is nobody's
 * to judge, is left out. Pixel data pass unchanged; memory is flat. The file was examined before, and
 * whether it may pass at all was decided by that. Refusals as there; what was written is then void.
 */
export async function pseudonymiseDicom(pull: Pull, write: Write, copying: Copying): Promise<void> {
  const { head, dataSet } = await openDataSet(pull)
  const { pseudonyms, examined } = copying
  const start = dicomSink(write)
  start.put(headBytes(head, classUid(examined.sopClass), pseudonyms.uid(examined.sopInstance)))
  await start.end()

  const sink: DicomSink = head.isDeflated ? deflatingSink(write) : dicomSink(write)
  const mine = ownElements(copying, head.syntax)
  await walkDataSet(dataSet, sink, head.syntax, {
    before: tag => mine.before(tag),
    treat: (tag, depth) =>
      depth === 0 && mine.has(tag) ? 'remove' : treatmentOf(tag, copying.isReviewed),
    change: (tag, treatment, value) => changed(tag, treatment, value, copying)
  })
  await sink.end()
}

/** A text this long is no description, and is left out. PS3.5 gives LT 10,240 characters at most. */
const PROSE_BYTES_MAX = 16_384
/** Shorter numbers of the patient would be found among the numbers of slices. */
const NUMBER_DIGITS_MIN = 6

/** Kinds of text in which a name could stand though the table lets them stay. */
const proseRepresentations = new Set(['LO', 'LT', 'SH', 'ST', 'UC', 'UR', 'UT'])

/**
 * What one value of these kinds may look like (PS3.5, table 6.2-1); LO and SH in bytes, of which a
 * character may take four. What is written otherwise is nobody's to judge.
 */
const valueForms: Record<string, RegExp> = {
  CS: /^[A-Z0-9_ ]{0,16}$/,
  DS: /^[\d+\-.eE ]{0,16}$/,
  IS: /^ *[+-]?\d{0,10} *$/,
  LO: /^[\s\S]{0,256}$/,
  SH: /^[\s\S]{0,64}$/,
  UI: /^[\d.]{0,64}$/
}
const numberRepresentations = new Set(['DS', 'IS'])

function changed(
  tag: Tag,
  treatment: Treatment,
  value: Buffer,
  { pseudonyms, examined, names }: Copying
): Buffer | undefined {
  const representation = representationOf(tag) ?? 'UN'
  const text = value.toString('latin1')
  switch (treatment) {
    case 'date':
      return Buffer.from(shiftTemporal(text, representation, pseudonyms.days) ?? '', 'latin1')
    case 'uid':
      return Buffer.from(text.split('\\').map(pseudonyms.uid).join('\\'), 'latin1')
    case 'age':
      return Buffer.from(keptAge(text) ?? '', 'latin1')
    case 'dummy':
      return trimValue(text) === '' ? Buffer.alloc(0) : dummyValue(representation, true)
    case 'keep':
      if (!isWellFormed(text, representation)) return undefined
      if (numberRepresentations.has(representation)) {
        const isTheirs = text.split('\\').some(one => isNumberOf(one, examined.names, names))
        return isTheirs ? undefined : value
      }
      if (representation === 'CS') return isNamed(value, examined.names, names) ? undefined : value
      if (!proseRepresentations.has(representation)) return value
      if (value.byteLength > PROSE_BYTES_MAX) return undefined
      return isNamed(value, examined.names, names) ? dummyValue(representation, true) : value
    default:
      return undefined
  }
}

/** Whether each value has the form of its kind; padding apart. */
function isWellFormed(text: string, representation: string): boolean {
  const form = valueForms[representation]
  if (form === undefined) return true
  return text.split('\\').every(one => form.test(one.replace(/\0+$/, '')))
}

function isNumberOf(text: string, ...known: ReadonlySet<string>[]): boolean {
  const digits = text.replace(/\D/g, '')
  return digits.length >= NUMBER_DIGITS_MIN && known.some(names => names.has(digits))
}

/** Whether bytes name somebody, in whichever of the two character sets that nearly all files use. */
function isNamed(value: Buffer, ...known: ReadonlySet<string>[]): boolean {
  const readings = [value.toString('latin1'), value.toString('utf8')]
  return known.some(names => readings.some(text => namesSomebody(text, names)))
}

/** The elements that say what the copy is, each written in its place, whatever the original says. */
function ownElements({ pseudonyms, examined, isReviewed }: Copying, syntax: Syntax) {
  const text = (tag: string, representation: string, value: string): [Tag, Buffer] => [
    tagOf(tag),
    elementBytes(tagOf(tag), representation, Buffer.from(value, 'latin1'), syntax)
  ]
  const codes = methodCodes.map(([code, meaning]) => [
    text('0008,0100', 'SH', code)[1],
    text('0008,0102', 'SH', 'DCM')[1],
    text('0008,0104', 'LO', meaning)[1]
  ])
  const method = [
    EDITION,
    'Retain modified dates',
    'Retain patient characteristics',
    ...(isReviewed ? ['Content released by a person'] : [])
  ]
  const own: [Tag, Buffer][] = [
    text('0010,0010', 'PN', `Pseudonym^${pseudonyms.patient}`),
    text('0010,0020', 'LO', pseudonyms.patient),
    ...(examined.age === undefined ? [] : [text('0010,1010', 'AS', examined.age)]),
    text('0012,0062', 'CS', 'YES'),
    text('0012,0063', 'LO', method.join('\\')),
    [tagOf('0012,0064'), sequenceBytes(tagOf('0012,0064'), codes, syntax)],
    text('0028,0303', 'CS', 'MODIFIED')
  ]
  const tags = new Set(own.map(([tag]) => tag))
  return {
    has: (tag: Tag) => tags.has(tag),
    /** Those that come before this tag and were not written yet. */
    before(tag: Tag): Buffer | undefined {
      const pieces: Buffer[] = []
      while (own[0] !== undefined && own[0][0] < tag) {
        const [, bytes] = own.shift() as [Tag, Buffer]
        pieces.push(bytes)
      }
      return pieces.length === 0 ? undefined : Buffer.concat(pieces)
    }
  }
}

const classUid = (text: string): string => (/^[\d.]{1,64}$/.test(text) ? text : '')
