import { countries } from '../../../schemas/countries.ts'
import type { SpecialistQuery, SpecialistView } from '../../../schemas/specialist.ts'
import { countryName } from '../../audit/report/wording.ts'
import { type Form, filled } from '../form.ts'
import type { Texts } from '../texts.ts'
import { type Law, lawOf } from './law.ts'

const languageNames = new Intl.DisplayNames('en-GB', { type: 'language', fallback: 'code' })
/** Shown on one page: more than anybody reads. */
const SPECIALISTS_PER_PAGE = 20

/** A specialist as a page shows them. */
export interface ShownSpecialist extends SpecialistView {
  place: string
  speaks: string
  treats: string
  law: Law
}

export function showSpecialist(t: Texts, view: SpecialistView, now: number): ShownSpecialist {
  const { organisation, country, languages, conditions } = view
  return {
    ...view,
    place: `${organisation}, ${countryName(country)}`,
    speaks: languages.map(languageName).join(', '),
    treats: conditions.map(({ text }) => text).join(', '),
    law: lawOf(t, country, now)
  }
}

const languageName = (tag: string): string => {
  try {
    return languageNames.of(tag) ?? tag
  } catch {
    return tag
  }
}

/** What a search was asked for, as it was typed. */
export interface Search {
  name: string
  condition: string
  specialty: string
  country: string
  language: string
}

export const searchOf = (form: Form): Search => ({
  name: form.text('name'),
  condition: form.text('condition'),
  specialty: form.text('specialty'),
  country: form.text('country'),
  language: form.text('language')
})

/** The same as a question to the register. What is longer than it takes is cut: nobody types so much. */
export function queryOf(search: Search, cursor: string): SpecialistQuery {
  const { name, condition, specialty, country, language } = search
  const words = (text: string) => text.slice(0, 100)
  return {
    limit: String(SPECIALISTS_PER_PAGE),
    ...filled({ q: words(name), condition: words(condition), specialty: words(specialty) }),
    ...(countries.has(country) && { country }),
    ...filled({ language: language.slice(0, 35), cursor })
  }
}

/** Every country by its name, for a select. */
export const countryItems = (text: string) => [
  { value: '', text },
  ...[...countries]
    .map(code => ({ value: code, text: countryName(code) }))
    .sort((a, b) => a.text.localeCompare(b.text, 'en-GB'))
]

/** Languages in which opinions are written, for a select. */
const LANGUAGES = ['ar', 'cy', 'de', 'en', 'es', 'fr', 'hi', 'it', 'nl', 'pl', 'pt', 'ur', 'zh']
export const languageItems = (text: string) => [
  { value: '', text },
  ...LANGUAGES.map(tag => ({ value: tag, text: languageName(tag) }))
]
