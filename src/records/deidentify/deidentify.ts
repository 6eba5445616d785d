import { commentFilter } from './codestream.ts'
import { type DicomSink, deflatingSink, dicomSink, type Write } from './dicom-sink.ts'
import type { Pull } from './dicom-source.ts'
import { elementBytes, type Syntax, sequenceBytes } from './elements.ts'
import { type Examined, openDataSet } from './examine.ts'
import { judgeOf } from './judge.ts'
import { headBytes, isEncapsulated } from './part-10.ts'
import { EDITION } from './profile.ts'
import type { Pseudonyms } from './pseudonyms.ts'
import { type Tag, tagOf } from './representations.ts'
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
 * to judge, is left out. Pixel data decode to what they were; memory is flat. The file was examined before, and
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
  const judge = judgeOf({ ...copying, isEncapsulated: isEncapsulated(head.transferSyntax) })
  await walkDataSet(dataSet, sink, head.syntax, {
    begin: judge.begin,
    before: element => mine.before(element?.tag ?? Number.POSITIVE_INFINITY),
    treat: (element, place) =>
      place.depth === 0 && mine.has(element.tag) ? 'remove' : judge.treat(element, place),
    change: judge.change,
    pixels: {
      // Anything could stand in a table that is not of the fragments; none need be there.
      offsetTable: table => (examined.offsetsHold ? table : Buffer.alloc(0)),
      filter: commentFilter(head.transferSyntax)
    }
  })
  await sink.end()
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
