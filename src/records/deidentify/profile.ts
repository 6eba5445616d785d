import profile from './profile.json' with { type: 'json' }
import { groupOf, kindOf, representationOf, type Tag, tagOf } from './representations.ts'

/**
 * What becomes of an element (DICOM PS3.15, section E.3 and table E.1-1a):
 * `remove`, `empty` (zero length), `dummy` (a value that says nothing), `uid` (another UID, always the
 * same for the same one), `date` (shifted), `age` (kept up to 89), `enter` (a sequence whose items are
 * treated by the same table), `keep` (if its value is what it should be), `pass` (unseen).
 */
export type Treatment =
  | 'remove'
  | 'empty'
  | 'dummy'
  | 'uid'
  | 'date'
  | 'age'
  | 'enter'
  | 'keep'
  | 'pass'

export const EDITION = profile.edition

interface Row {
  basic: string
  dates: string
  patient: string
}

const rows = new Map<Tag, Row>()
for (const [tag = '', , basic = '', dates = '', patient = ''] of profile.rows) {
  rows.set(tagOf(tag), { basic, dates, patient })
}
for (const [tag = '', , basic = ''] of profile.beyond) {
  rows.set(tagOf(tag), { basic, dates: '', patient: '' })
}

const PATIENT_AGE = tagOf('0010,1010')

/** Content that somebody has looked at and released is entered, not replaced. */
const reviewable = new Set(['0040,A730', '0070,0001', '0042,0011', '0040,B020'].map(tagOf))

/**
 * Long binary values that are content like it: documents, points and faces of surfaces, grids. Of no
 * other does anybody know what is in it.
 */
const reviewedBinary = new Set(
  `0042,0011 0064,0009 0066,0016 0066,0021 0066,0022 0066,0023 0066,0024 0066,0025 0066,0029 0066,0040
  0066,0041 0066,0042 0066,0043`
    .split(/\s+/)
    .map(tagOf)
)
export const mayPassReviewed = (tag: Tag): boolean => reviewedBinary.has(tag)

/** Free text of a kind that tells nothing of a person, or that stands in reviewed content. */
const keptText = new Set(
  [
    '0008,010E', // Coding Scheme URL
    '0008,0115', // Coding Scheme Name
    '0008,0120', // URN Code Value
    '0018,7006', // Detector Description
    '0018,7008', // Detector Mode
    '0066,0032' // Algorithm Parameters
  ].map(tagOf)
)
const reviewedText = new Set(['0040,A160', '0070,0006'].map(tagOf))

/** UIDs that name a kind of thing and not a thing. */
const classUids = new Set(
  `0008,0016 0008,001A 0008,001B 0008,0062 0008,010C 0008,010D 0008,0117 0008,0118 0008,1150 0008,115A
  0008,3002 0008,040E 0034,0003 3010,0052 3010,0053`
    .split(/\s+/)
    .map(tagOf)
)

/** Whole groups: commands, directories, DICOS (security screening). */
const REMOVED_GROUPS = new Set([0x0000, 0x0002, 0x0004, 0x4010])

/**
 * What the table says of an element, and where it leaves a choice or says nothing, what is safest.
 * `isReviewed` says that a person has looked at the content of the file and released it.
 */
export function treatmentOf(tag: Tag, isReviewed: boolean): Treatment {
  const group = groupOf(tag)
  const representation = representationOf(tag)
  // Private; what nobody but its maker knows; curves and overlays whole; group lengths.
  if (group % 2 === 1 || isCurveOrOverlay(group) || REMOVED_GROUPS.has(group)) return 'remove'
  if (tag % 0x10000 === 0 || representation === undefined) return 'remove'
  const row = rows.get(tag)
  if (row === undefined) return unlisted(tag, representation, isReviewed)
  if (isReviewed && reviewable.has(tag)) return representation === 'SQ' ? 'enter' : 'keep'
  if (isReviewed && reviewedText.has(tag)) return 'keep'
  if (row.dates === 'C' && representation !== 'OB') return 'date'
  if (tag === PATIENT_AGE) return 'age'
  if (row.patient === 'K') return 'keep'
  // Free text cannot be cleaned by a machine that must not err.
  if (row.patient === 'C') return 'remove'
  return byBasicProfile(row.basic, representation)
}

/** `X/Z/D` and its like leave the choice to what the kind of object needs, which is valid for all. */
function byBasicProfile(basic: string, representation: string): Treatment {
  if (basic === 'X/Z/U*') return 'enter'
  const allowed = basic.split('/')
  if (representation === 'SQ') {
    if (allowed.includes('Z')) return 'empty'
    return allowed.includes('X') ? 'remove' : 'empty'
  }
  if (allowed.includes('U')) return 'uid'
  if (allowed.includes('D')) return representation === 'UI' ? 'uid' : 'dummy'
  return allowed.includes('Z') ? 'empty' : 'remove'
}

/** Attributes of which the table says nothing may stay. Not so those kinds that could name somebody. */
function unlisted(tag: Tag, representation: string, isReviewed: boolean): Treatment {
  if (representation === 'SQ') return 'enter'
  if (kindOf(representation) !== 'text') return 'keep'
  if (representation === 'UI') return classUids.has(tag) ? 'keep' : 'uid'
  if (['DA', 'DT', 'TM'].includes(representation)) return 'date'
  if (representation === 'AS') return 'age'
  if (representation === 'PN') return 'dummy'
  if (keptText.has(tag) || (isReviewed && reviewedText.has(tag))) return 'keep'
  return ['AE', 'LT', 'ST', 'UR', 'UT'].includes(representation) ? 'remove' : 'keep'
}

function isCurveOrOverlay(group: number): boolean {
  return (group & 0xff00) === 0x5000 || (group & 0xff00) === 0x6000
}
