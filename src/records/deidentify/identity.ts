import { trimValue } from './values.ts'

/** Shorter parts of a name would be found everywhere. */
const NAME_CHARACTERS_MIN = 3
const JOINED_CHARACTERS_MIN = 4
const NUMBER_CHARACTERS_MIN = 4

/** What would name the patient if it stood where the table lets text stay. All in small letters. */
export interface Identity {
  names: ReadonlySet<string>
}

/** Parts of one name that are taken two and two; it has seldom more than four. */
const PARTS_MAX = 8

/** A name in its parts, in small letters: at DICOM's ^, = and whatever else people put between them. */
function splitName(name: string): string[] {
  return name
    .toLowerCase()
    .split(/[\s^=\\,;.()'"-]+/)
    .filter(part => part !== '')
}

/** The parts of a name, and two by two: those too short to be looked for alone, and written as one. */
export function partsOfName(name: string): string[] {
  const parts = splitName(name)
  const isShort = (part: string) => part.length < NAME_CHARACTERS_MIN
  const few = parts.slice(0, PARTS_MAX)
  const pairs = few.flatMap((one, n) =>
    few
      .filter((_, m) => m !== n)
      .flatMap(other => [
        ...(isShort(one) || isShort(other) ? [`${one} ${other}`] : []),
        ...(one.length + other.length < JOINED_CHARACTERS_MIN ? [] : [`${one}${other}`])
      ])
  )
  return [...parts.filter(part => !isShort(part)), ...pairs]
}

const titles = new Set(['mr', 'ms', 'mx', 'dr', 'jr', 'sr', 'st'])

/**
 * Names of two letters as they stand in a text that a person writes: Ng, NG. In small letters they are
 * mostly other words.
 */
export function shortNamesIn(text: string, name: string): string[] {
  const short = splitName(name).filter(part => part.length === 2 && !titles.has(part))
  const words = new Set(text.split(/[^\p{L}\p{N}]+/u))
  return short.filter(
    part => words.has(part.toUpperCase()) || words.has(`${part[0]?.toUpperCase()}${part.slice(1)}`)
  )
}

const months =
  'january february march april may june july august september october november december'.split(' ')

/** A date, given as 1951-03-17, as people write it. */
export function formsOfDate(date: string): string[] {
  const [year = '', month = '', day = ''] = date.split('-')
  const numbers = [
    [day, month],
    [String(Number(day)), String(Number(month))],
    // As in America.
    [month, day],
    [String(Number(month)), String(Number(day))]
  ].flatMap(both => [year, year.slice(2)].map(last => [...both, last].join(' ')))
  const name = months[Number(month) - 1] ?? ''
  const words = [name, name.slice(0, 3)].flatMap(word =>
    [String(Number(day)), day, ordinal(Number(day))].flatMap(which => [
      `${which} ${word} ${year}`,
      `${which} of ${word} ${year}`,
      `${word} ${which} ${year}`
    ])
  )
  const joined = [`${year}${month}${day}`, `${day}${month}${year}`]
  return [date, ...joined, ...numbers, ...words]
}

function ordinal(day: number): string {
  const last = day > 10 && day < 14 ? 0 : day % 10
  return `${day}${['th', 'st', 'nd', 'rd'][last] ?? 'th'}`
}

/** A number as it is and without what people put into it. */
export function formsOfNumber(number: string): string[] {
  return number
    .split('\\')
    .flatMap(one => [trimValue(one), one.replace(/[\s-]/g, '')])
    .map(form => form.toLowerCase())
    .filter(form => form.length >= NUMBER_CHARACTERS_MIN)
}

/** Names as they are looked for: single words, and by their number those of several. */
interface Sought {
  words: Set<string>
  phrases: Map<number, Set<string>>
}

/** Longer phrases are no name, number or date. */
const PHRASE_WORDS_MAX = 12

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
  const made: Sought = { words: new Set(), phrases: new Map() }
  for (const name of names) {
    const words = wordsOf(name)
    if (words.length > PHRASE_WORDS_MAX) continue
    const one = words.join(' ')
    if (words.length === 1) made.words.add(one)
    else if (words.length > 1) {
      made.phrases.set(words.length, (made.phrases.get(words.length) ?? new Set()).add(one))
    }
  }
  sought.set(names, made)
  return made
}

/**
 * Whether any of these stands in the text as a word, or words, of its own; however it is written:
 * 999.000.0018 is found by 999 000 0018. It goes through the text a few times at most, however many
 * names there are, so a long one costs no more than its length.
 */
export function namesSomebody(text: string, names: ReadonlySet<string>): boolean {
  const { words, phrases } = soughtOf(names)
  const found = wordsOf(text)
  if (found.some(word => words.has(word))) return true
  return [...phrases].some(([count, known]) =>
    found.some((_, n) => known.has(found.slice(n, n + count).join(' ')))
  )
}
