import { trimValue } from './values.ts'

/** Shorter parts of a name would be found everywhere. */
const NAME_CHARACTERS_MIN = 3
const NUMBER_CHARACTERS_MIN = 4

/** What would name the patient if it stood where the table lets text stay. All in small letters. */
export interface Identity {
  names: ReadonlySet<string>
}

/** The parts of a name: DICOM's ^, = and whatever else people put between them. */
export function partsOfName(name: string): string[] {
  return name
    .toLowerCase()
    .split(/[\s^=\\,;.()'"-]+/)
    .filter(part => part.length >= NAME_CHARACTERS_MIN)
}

/** A number as it is and without what people put into it. */
export function formsOfNumber(number: string): string[] {
  return number
    .split('\\')
    .flatMap(one => [trimValue(one), one.replace(/[\s-]/g, '')])
    .map(form => form.toLowerCase())
    .filter(form => form.length >= NUMBER_CHARACTERS_MIN)
}

/** Names as they are looked for: single words, and those of several words with one space between. */
interface Sought {
  words: Set<string>
  phrases: string[]
}

const sought = new WeakMap<ReadonlySet<string>, Sought>()

/** The words of a text, without case, accents or what stands between them. */
function wordsOf(text: string): string[] {
  const plain = text
    .normalize('NFKD')
    .replace(/\p{M}+/gu, '')
    .toLowerCase()
  return plain.split(/[^\p{L}\p{N}]+/u).filter(word => word !== '')
}

function soughtOf(names: ReadonlySet<string>): Sought {
  const known = sought.get(names)
  if (known !== undefined) return known
  const all = [...names].map(wordsOf)
  const made = {
    words: new Set(all.flatMap(words => (words.length === 1 ? words : []))),
    phrases: all.filter(words => words.length > 1).map(words => ` ${words.join(' ')} `)
  }
  sought.set(names, made)
  return made
}

/**
 * Whether any of these stands in the text as a word, or words, of its own; however it is written:
 * 999.000.0018 is found by 999 000 0018. It goes through the text once, so a long one costs no more
 * than its length.
 */
export function namesSomebody(text: string, names: ReadonlySet<string>): boolean {
  const { words, phrases } = soughtOf(names)
  const found = wordsOf(text)
  if (found.some(word => words.has(word))) return true
  const line = ` ${found.join(' ')} `
  return phrases.some(phrase => line.includes(phrase))
}
