import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

const FOLDER = join(import.meta.dirname, 'texts')

/** One text, or one for each plural form of the language (Unicode CLDR), told by `count`. */
type Text = string | Partial<Record<Intl.LDMLPluralRule, string>>

export type TextParameters = Record<string, string | number>

/** Finds a text of the pages by its name and puts the values in: `{name}`. Throws for an unknown one. */
export interface Texts {
  (name: string, parameters?: TextParameters): string
  has(name: string): boolean
}

/**
 * Reads every text of the pages in one language: the files of `texts/<language>`, in which a name is
 * `<file>.<key>`. Another language is another folder.
 */
export function readTexts(language: string): Texts {
  const texts = new Map<string, Text>()
  for (const file of readdirSync(join(FOLDER, language))) {
    const found = JSON.parse(readFileSync(join(FOLDER, language, file), 'utf8'))
    const area = file.replace(/\.json$/, '')
    for (const [key, text] of Object.entries<Text>(found)) texts.set(`${area}.${key}`, text)
  }
  const plurals = new Intl.PluralRules(language)
  const numbers = new Intl.NumberFormat(language === 'en' ? 'en-GB' : language)
  const find = (name: string, parameters: TextParameters = {}) => {
    const text = texts.get(name)
    if (text === undefined) throw new Error(`The pages have no text called ${name}.`)
    const chosen = typeof text === 'string' ? text : pluralOf(text, plurals, parameters)
    return chosen.replace(/\{(\w+)\}/g, (_, key: string) => {
      const value = parameters[key]
      if (value === undefined) throw new Error(`The text ${name} needs ${key}.`)
      return typeof value === 'number' ? numbers.format(value) : value
    })
  }
  return Object.assign(find, { has: (name: string) => texts.has(name) })
}

function pluralOf(
  text: Exclude<Text, string>,
  plurals: Intl.PluralRules,
  { count }: TextParameters
): string {
  return text[plurals.select(Number(count))] ?? text.other ?? ''
}
