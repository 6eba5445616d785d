// The C2SP formats allow one spelling of everything. A second spelling that were accepted would
// give one signed statement several texts, and a place to hide in.

const DECIMAL = /^(?:0|[1-9][0-9]{0,15})$/
/** Everything below U+0020 except the newline. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: They are what is refused.
const CONTROL = /[\u0000-\u0009\u000b-\u001f]/
const WHITE_SPACE_OR_PLUS = /[\p{White_Space}+]/u

// A byte order mark is kept: it is part of what was signed.
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** The number of an ASCII decimal without sign or leading zeros, if it is a safe integer. */
export function parseDecimal(text: string): number | undefined {
  if (!DECIMAL.test(text)) return undefined
  const value = Number(text)
  return Number.isSafeInteger(value) ? value : undefined
}

/** The bytes of RFC 4648 base64 (section 4) with padding, if there is no other way to write them. */
export function parseBase64(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, 'base64')
  return bytes.toString('base64') === text ? bytes : undefined
}

/** The text, if it is well-formed Unicode whose only control character is the newline. */
export function parsePlainText(input: string | Uint8Array): string | undefined {
  const text = typeof input === 'string' ? input : decodeUtf8(input)
  if (text === undefined || !text.isWellFormed() || CONTROL.test(text)) return undefined
  return text
}

function decodeUtf8(bytes: Uint8Array): string | undefined {
  try {
    return utf8.decode(bytes)
  } catch {
    return undefined
  }
}

/** The bytes a text has in UTF-8, or that were given. */
export function byteLengthOf(input: string | Uint8Array): number {
  return typeof input === 'string' ? Buffer.byteLength(input) : input.byteLength
}

/** Whether signed-note, section "Format", allows this as the name of a key. */
export function isKeyName(name: string): boolean {
  return name !== '' && !WHITE_SPACE_OR_PLUS.test(name) && parsePlainText(name) !== undefined
}
