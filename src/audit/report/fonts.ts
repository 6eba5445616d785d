import { createRequire } from 'node:module'
import type { Font } from 'fontkit'

/** Shown for one character that cannot be: its number in Unicode, as in [U+202E]. */
const named = (character: string): string =>
  `[U+${(character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}]`

/** Longer text is cut, and says so: no value may fill more than part of a page. */
const TEXT_CHARACTERS_MAX = 700
/** More accents than this on one letter would reach into the lines above and below. */
const MARKS_MAX = 2

const MARKS = new RegExp(`(?<=\\p{M}{${MARKS_MAX}})\\p{M}`, 'gu')
/** Controls, signs that turn the direction of text, and what Unicode has not assigned. */
const INVISIBLE = /\p{C}/u
const RIGHT_TO_LEFT =
  '[\\p{Script=Hebrew}\\p{Script=Arabic}\\p{Script=Syriac}\\p{Script=Thaana}\\p{Script=Nko}]'
const BETWEEN_RIGHT_TO_LEFT = new RegExp(`(?<=${RIGHT_TO_LEFT}) (?=${RIGHT_TO_LEFT})`, 'gu')
const AFTER_RIGHT_TO_LEFT = new RegExp(`(?<=${RIGHT_TO_LEFT}) `, 'gu')

export interface Fonts {
  regular: Font
  bold: Font
  /** For what is to be copied letter by letter. */
  fixed: Font
}

let known: Fonts | undefined

/**
 * DejaVu, which has the letters of nearly all European languages, Arabic and Hebrew. The fonts that
 * every PDF reader brings have Western European letters only, and pdfkit prints others wrongly with
 * them. Read once for the process: each takes a tenth of a second.
 */
export async function fonts(): Promise<Fonts> {
  if (known !== undefined) return known
  const { openSync } = await import('fontkit')
  const { resolve } = createRequire(import.meta.url)
  const open = (name: string) => openSync(resolve(`dejavu-fonts-ttf/ttf/${name}.ttf`)) as Font
  known = {
    regular: open('DejaVuSans'),
    bold: open('DejaVuSans-Bold'),
    fixed: open('DejaVuSansMono')
  }
  return known
}

/**
 * Text as it may be printed: on one line however it was written, with no sign that is invisible,
 * turns the text around or leaves its line, and none that the font would leave out. Such are given
 * by their number. What is longer than so many characters is cut, and says so.
 */
export function printable(text: string, font: Font, charactersMax = TEXT_CHARACTERS_MAX): string {
  const line = text.normalize('NFC').replace(/\s+/gu, ' ').trim().replace(MARKS, named)
  let shown = ''
  for (const character of line) {
    shown += isShown(character, font) ? character : named(character)
    if (shown.length > charactersMax) return `${shown} … (cut here; the JSON form is whole)`
  }
  // pdfkit lays out word by word: words that are read from the right must stay one piece, and the
  // space after them would come to stand before them.
  return shown.replace(BETWEEN_RIGHT_TO_LEFT, '\u00a0').replace(AFTER_RIGHT_TO_LEFT, '  ')
}

function isShown(character: string, font: Font): boolean {
  if (character >= ' ' && character <= '~') return true
  return !INVISIBLE.test(character) && font.hasGlyphForCodePoint(character.codePointAt(0) ?? 0)
}
