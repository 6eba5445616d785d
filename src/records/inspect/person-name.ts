/**
 * Compares names as people write them: in any order, with and without titles, accents and second
 * names. It never says that two names are one person's, only how much they agree.
 */
export type NameAgreement =
  /** Every word of the shorter one is in the longer one, two at least. */
  | 'agrees'
  /** Some words are in both, or are nearly the same. */
  | 'partly'
  | 'differs'
  /** One is missing, was removed, or is in another script. */
  | 'unknown'

const titles = new Set(
  'mr mrs ms miss mx master dr doctor prof professor sir dame lord lady rev revd reverend hon jr jnr sr snr ii iii iv phd md mbbs frcs frcp esq baby infant'.split(
    ' '
  )
)

/** What stands where a name was taken out, or never was. */
const placeholders =
  /^(?:anon|anonym|anonymi[sz]ed?|anonymous|deidentified|deident|identified|de|removed|redacted|unknown|none|null|na|nn|noname|no|name|not|given|available|x{2,}|test|phantom|patient|subject|sample|demo|dummy|pseudonym)$/

/** Letters that a decomposition does not take apart. */
const letters: Record<string, string> = {
  ß: 'ss',
  æ: 'ae',
  œ: 'oe',
  ø: 'o',
  đ: 'd',
  ð: 'd',
  þ: 'th',
  ł: 'l',
  ħ: 'h',
  ı: 'i'
}

/** German writes these with two letters where it has no umlauts, everybody else with one. */
const umlauts: Record<string, string> = { ä: 'ae', ö: 'oe', ü: 'ue', å: 'aa' }

/** Shortest word in which one wrong letter is taken for a slip of the pen. */
const SLIP_LETTERS_MIN = 5
const WORDS_MAX = 12

/**
 * How the name of a case agrees with that of a DICOM header (PN, PS3.5 section 6.2): up to three
 * spellings of five parts, of which the best agreement counts.
 */
export function compareNames(ours: string, header: string | undefined): NameAgreement {
  if (header === undefined) return 'unknown'
  const found = header.split('=').map(spelling => compareSpelling(ours, spelling))
  const best = (['agrees', 'partly', 'differs'] as const).find(each => found.includes(each))
  return best ?? 'unknown'
}

function compareSpelling(ours: string, theirs: string): NameAgreement {
  const [a, b] = [wordsOf(ours), wordsOf(theirs)]
  if (sameWords(a, b)) return 'agrees'
  const real = (words: string[][]) => words.filter(([word = '']) => !placeholders.test(word))
  const [left, right] = [real(a), real(b)]
  if (left.length === 0 || right.length === 0) return 'unknown'
  if (!shareScript(left, right)) return 'unknown'
  // What could not be decoded, or was blacked out, is no letter that differs.
  if (/[\ufffd*?]/.test(theirs)) return 'unknown'
  if (sameWords(left, right)) return 'agrees'
  const [short, long] = left.length <= right.length ? [left, right] : [right, left]
  const held = short.filter(word => long.some(other => areOne(word, other)))
  if (short.length >= 2 && held.length === short.length) return 'agrees'
  if (held.length > 0) return 'partly'
  const near = short.some(word => long.some(other => areNear(word, other)))
  return near ? 'partly' : 'differs'
}

/** Words in small letters without accents, each with the spellings it may have. */
function wordsOf(name: string): string[][] {
  return name
    .normalize('NFC')
    .toLowerCase()
    .replace(/['’ʼ`´]/g, '')
    .split(/[^\p{L}\p{M}\p{N}]+/u)
    .filter(word => word !== '' && !titles.has(word))
    .slice(0, WORDS_MAX)
    .map(word => [...new Set([plain(word), plain(expand(word, umlauts))])])
}

const expand = (word: string, by: Record<string, string>) =>
  [...word].map(letter => by[letter] ?? letter).join('')

function plain(word: string): string {
  return expand(word.normalize('NFKD').replace(/\p{M}/gu, ''), letters)
}

/** The same words, whatever their order and wherever they are joined: "Smith-Jones", "Smithjones". */
function sameWords(a: string[][], b: string[][]): boolean {
  if (a.length === 0 || b.length === 0) return false
  const sorted = (words: string[][]) =>
    words
      .map(([word]) => word)
      .toSorted()
      .join(' ')
  const joined = (words: string[][]) => words.map(([word]) => word).join('')
  if (a.length === 1 && b.length === 1) return false
  return sorted(a) === sorted(b) || joined(a) === joined(b)
}

const areOne = (a: string[], b: string[]) => a.length > 0 && a.some(word => b.includes(word))

/** One the beginning of the other, as in Rob and Robert, or one letter away. Initials say little. */
function areNear(a: string[], b: string[]): boolean {
  return a.some(left =>
    b.some(right => {
      const [short, long] = left.length <= right.length ? [left, right] : [right, left]
      if (short.length > 1 && long.startsWith(short)) return true
      return short.length >= SLIP_LETTERS_MIN && isOneSlip(short, long)
    })
  )
}

/** One letter more, less or another, or two changed about. */
function isOneSlip(short: string, long: string): boolean {
  let start = 0
  while (start < short.length && short[start] === long[start]) start += 1
  const [rest, other] = [short.slice(start), long.slice(start)]
  if (short.length + 1 === long.length) return rest === other.slice(1)
  if (short.length !== long.length) return false
  if (rest.slice(1) === other.slice(1)) return true
  const swapped = `${rest[1] ?? ''}${rest[0] ?? ''}${rest.slice(2)}`
  return swapped === other
}

/** Latin and, say, Greek spellings of one name have no letter in common. */
function shareScript(a: string[][], b: string[][]): boolean {
  const isLatin = (words: string[][]) => words.some(([word = '']) => /\p{Script=Latin}/u.test(word))
  const isOther = (words: string[][]) =>
    words.some(([word = '']) => /(?!\p{Script=Latin})\p{L}/u.test(word))
  return (isLatin(a) && isLatin(b)) || (isOther(a) && isOther(b))
}
