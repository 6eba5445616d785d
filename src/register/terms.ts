import type { EntryDetails } from './entry.ts'

export type TermKind = 'condition' | 'specialty' | 'language'
export interface Term {
  kind: TermKind
  term: string
}

/** Longer words are cut: nobody types more to find something. */
const TERM_CHARACTERS_MAX = 60

/** Words of one query: what is beyond them is not searched for. */
const QUERY_WORDS_MAX = 8

/** ICD-10: a category, and what it is divided into. */
const ICD10_SUBCATEGORY = /^([a-z][0-9]{2})\.[0-9]{1,2}$/

/** Everything an entry is found by, each once. */
export function termsOf(details: EntryDetails): Term[] {
  const { conditions, specialty, subSpecialties, languages } = details
  const found = new Map<string, Term>()
  const add = (kind: TermKind, words: string[]) => {
    for (const term of words) found.set(`${kind} ${term}`, { kind, term })
  }
  for (const { text, snomed, icd10 } of conditions) {
    add('condition', wordsOf(text))
    if (snomed !== undefined) add('condition', [snomed])
    if (icd10 !== undefined) add('condition', [icd10.toLowerCase()])
  }
  add('specialty', wordsOf([specialty ?? '', ...subSpecialties].join(' ')))
  for (const tag of languages) add('language', languageTerms(tag))
  return [...found.values()]
}

/**
 * What a query asks for: of each list one term must be there. A word is asked for by its beginning; a
 * subcategory of ICD-10 is also treated by whoever treats the whole category.
 */
export function askedWords(query: string): { prefix: string; whole?: string }[] {
  return wordsOf(query)
    .slice(0, QUERY_WORDS_MAX)
    .map(word => {
      const category = ICD10_SUBCATEGORY.exec(word)?.[1]
      return { prefix: word, ...(category !== undefined && { whole: category }) }
    })
}

/** A language tag, and every shorter one that it is a kind of: en-GB is English. */
function languageTerms(tag: string): string[] {
  const parts = tag.toLowerCase().split('-')
  return parts.map((_, last) => parts.slice(0, last + 1).join('-'))
}

/** Words without case and accents. A dot inside stays: it is part of a code. */
export function wordsOf(text: string): string[] {
  const words = plain(text).match(/[\p{L}\p{N}]+(?:\.[0-9]+)?/gu) ?? []
  return [...new Set(words.map(word => word.slice(0, TERM_CHARACTERS_MAX)))]
}

/** Letters without case and accents, so that "Muller" finds "Müller". */
export function plain(text: string): string {
  return text.normalize('NFKD').replace(/\p{M}/gu, '').toLowerCase().trim()
}
