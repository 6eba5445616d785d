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

const isWord = (text: string, at: number): boolean => /[\p{L}\p{N}]/u.test(text.charAt(at))

/** Whether any of these stands in the text as a word of its own. */
export function namesSomebody(text: string, names: ReadonlySet<string>): boolean {
  const small = text.toLowerCase()
  for (const name of names) {
    for (let at = small.indexOf(name); at >= 0; at = small.indexOf(name, at + 1)) {
      if (!isWord(small, at - 1) && !isWord(small, at + name.length)) return true
    }
  }
  return false
}
