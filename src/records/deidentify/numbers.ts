import type { Syntax } from './elements.ts'
import { bytesOfNumber, representationOf, type Tag } from './representations.ts'

/** A text this short, without a name that is known, could be a number as well. */
const TEXT_BYTES_MIN = 8
/** Shorter parts of a name would be found among numbers by chance, in long tables above all. */
const NAME_CHARACTERS_MIN = 4
const NAME_IN_TABLE_CHARACTERS_MIN = 6
const TABLE_BYTES_MIN = 1024

const ALL_WORDS = /^[A-Za-z0-9 ^.,'=\\/:-]*$/

/** Each number is looked through for each of them. A file has ten, or means to waste our time. */
const NAMES_MAX = 64

const sought = new WeakMap<ReadonlySet<string>, string[]>()

function soughtOf(names: ReadonlySet<string>): string[] {
  const known = sought.get(names)
  if (known !== undefined) return known
  const made = [...names].filter(name => name.length >= NAME_CHARACTERS_MIN).slice(0, NAMES_MAX)
  sought.set(names, made)
  return made
}

/** Whether bytes that should be numbers are words, or have one of these names among them. */
export function hideWords(value: Buffer, ...known: ReadonlySet<string>[]): boolean {
  if (value.byteLength < NAME_CHARACTERS_MIN) return false
  const text = value.toString('latin1')
  if (value.byteLength >= TEXT_BYTES_MIN && ALL_WORDS.test(text)) return true
  const isTable = value.byteLength >= TABLE_BYTES_MIN
  const least = isTable ? NAME_IN_TABLE_CHARACTERS_MIN : NAME_CHARACTERS_MIN
  const plain = text.toLowerCase()
  return known.some(names =>
    soughtOf(names).some(name => name.length >= least && plain.includes(name))
  )
}

/** The numbers of a value; whole ones up to 32 bits only. */
export function numbersIn(value: Buffer, representation: string, { isBig }: Syntax): number[] {
  const bytes = bytesOfNumber(representation) ?? Number.NaN
  const found = []
  for (let at = 0; at + bytes <= value.length; at += bytes) {
    found.push(isBig ? value.readUIntBE(at, bytes) : value.readUIntLE(at, bytes))
  }
  return found
}

/** Whether a value that should be tags (AT) is tags that the standard knows. */
export function areKnownTags(value: Buffer, { isBig }: Syntax): boolean {
  for (let at = 0; at + 4 <= value.length; at += 4) {
    const [group, element] = isBig
      ? [value.readUInt16BE(at), value.readUInt16BE(at + 2)]
      : [value.readUInt16LE(at), value.readUInt16LE(at + 2)]
    const tag: Tag = group * 0x10000 + element
    if (representationOf(tag) === undefined) return false
  }
  return true
}
