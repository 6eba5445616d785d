import { isDefinedCharacterSet } from './character-sets.ts'
import { type Element, type Syntax, unreadable } from './elements.ts'
import type { Examined } from './examine.ts'
import { namesSomebody } from './identity.ts'
import { areKnownTags, hideWords } from './numbers.ts'
import { mayPassReviewed, type Treatment, treatmentOf } from './profile.ts'
import type { Pseudonyms } from './pseudonyms.ts'
import {
  agreedRepresentation,
  isLengthOfNumbers,
  kindOf,
  type Tag,
  tagOf
} from './representations.ts'
import { tableLengths } from './tables.ts'
import { dummyValue, keptAge, shiftTemporal, trimValue } from './values.ts'
import { PIXEL_DATA, type Visitor } from './walk.ts'

export interface Judging {
  pseudonyms: Pseudonyms
  examined: Examined
  names: ReadonlySet<string>
  isReviewed: boolean
  /** Whether the transfer syntax has pixel data in fragments. */
  isEncapsulated: boolean
}

/** In longer ones, which are waveforms, names are not looked for. */
const SEARCHED_BYTES_MAX = 1_048_576

const CHARACTER_SET = tagOf('0008,0005')
/** Pixel data, whole numbers or not. */
const pixelTags = new Set<Tag>([PIXEL_DATA, 0x7fe00008, 0x7fe00009])

/**
 * Decides about every element of one file by the table of the profile, and about every value that the
 * table lets stay by whether it is what a value of its kind can be.
 */
export function judgeOf(judging: Judging): Required<Pick<Visitor, 'begin' | 'treat' | 'change'>> {
  const { isReviewed } = judging
  const tables = tableLengths()
  return {
    begin: tables.begin,
    treat(element, { depth }) {
      const { tag, length } = element
      const representation = agreedRepresentation(tag, element.representation)
      if (depth === 0 && pixelTags.has(tag)) return pixels(element, representation, judging)
      if (representation === undefined) return 'remove'
      const treatment = treatmentOf(tag, isReviewed)
      const kind = kindOf(representation)
      if (kind === 'text' || kind === 'sequence') return treatment
      if (treatment === 'dummy') return 'empty'
      if (treatment !== 'keep') return treatment
      if (isReviewed && mayPassReviewed(tag)) return 'pass'
      const bytes = length ?? Number.NaN
      const fits = tables.fits(tag, length, depth) ?? isLengthOfNumbers(tag, representation, bytes)
      if (!fits) return 'remove'
      return bytes > SEARCHED_BYTES_MAX ? 'pass' : 'keep'
    },
    change({ tag, representation: written }, treatment, value, { depth, syntax }) {
      const representation = agreedRepresentation(tag, written) ?? 'UN'
      if (treatment !== 'keep') return replaced(representation, treatment, value, judging)
      const keep = kindOf(representation) === 'text' ? keptText : keptNumbers
      const kept = keep(tag, representation, value, judging, syntax)
      if (kept !== undefined) tables.note(tag, kept, representation, depth, syntax)
      return kept
    }
  }
}

/** Pixel data pass, unless what the file says of them is not so. */
function pixels(
  { tag, length }: Element,
  representation: string | undefined,
  { isEncapsulated }: Judging
): Treatment {
  const isInFragments = isEncapsulated && tag === PIXEL_DATA
  if (representation === undefined || (length === undefined) !== isInFragments) {
    throw unreadable('pixel data')
  }
  return 'pass'
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
  UI: /^$|^[0-2](\.\d+){1,40}$/
}
const numberRepresentations = new Set(['DS', 'IS'])

/** What stands for a value that does not stay as it is. */
function replaced(
  representation: string,
  treatment: Treatment,
  value: Buffer,
  { pseudonyms }: Judging
): Buffer | undefined {
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
    default:
      return undefined
  }
}

/** A text that the table lets stay, or what stands for it. */
function keptText(
  tag: Tag,
  representation: string,
  value: Buffer,
  { examined, names }: Judging
): Buffer | undefined {
  const isUidOfNobody = (uid: string) =>
    !uid.split('.').some(part => isNumberOf(part, examined.names, names))
  const text = value.toString('latin1')
  if (!isWellFormed(text, representation)) return undefined
  if (tag === CHARACTER_SET) return isDefinedCharacterSet(text) ? value : undefined
  if (numberRepresentations.has(representation)) {
    const isTheirs = text.split('\\').some(one => isNumberOf(one, examined.names, names))
    return isTheirs ? undefined : value
  }
  if (representation === 'CS') return isNamed(value, examined.names, names) ? undefined : value
  if (representation === 'UI') return text.split('\\').every(isUidOfNobody) ? value : undefined
  if (!proseRepresentations.has(representation)) return undefined
  if (value.byteLength > PROSE_BYTES_MAX) return undefined
  return isNamed(value, examined.names, names) ? dummyValue(representation, true) : value
}

/** Numbers that the table lets stay, unless they are none. */
function keptNumbers(
  _tag: Tag,
  representation: string,
  value: Buffer,
  { examined, names }: Judging,
  syntax: Syntax
): Buffer | undefined {
  if (representation === 'AT' && !areKnownTags(value, syntax)) return undefined
  return hideWords(value, examined.names, names) ? undefined : value
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
