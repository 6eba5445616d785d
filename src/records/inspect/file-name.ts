/** Room for a name in any file system, with some left for what a receiver may add. */
export const FILE_NAME_BYTES_MAX = 150

/** A longer last part is a part of the name, not an extension. */
const EXTENSION_CHARACTERS_MAX = 16

/** What a name may not hold on some system: path and wildcard characters, and ADS colons. */
const pathCharacters = /[\\/:*?"<>|]/g

/**
 * Controls, line separators, and the invisible characters that hide or reorder text, as in a name
 * that ends in "exe" and shows "fdp" there. Joiners stay: some scripts are misspelt without them.
 */
const hiddenCharacters = /(?![\u200c\u200d])[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu

/** Names Windows gives to devices, with any extension. */
const deviceName = /^(?:con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$)(?:\.|$)/i

/**
 * A name that any system can keep as one file, shows as it is, and cannot read as a path. At most
 * `FILE_NAME_BYTES_MAX` bytes of UTF-8, in normal form C, with its extension kept. When nothing is
 * left, `fallback` stands in, which must be such a name itself. Twice does no more than once.
 */
export function safeFileName(name: string | undefined, fallback: string): string {
  const last = (name ?? '').toWellFormed().split(/[\\/]/).at(-1) ?? ''
  const clean = last
    .normalize('NFC')
    .replace(hiddenCharacters, '')
    .replace(pathCharacters, '')
    .normalize('NFC')
  const short = trimEnds(shorten(trimEnds(clean)))
  if (short === '') return fallback
  return deviceName.test(short) ? safeFileName(`_${short}`, fallback) : short
}

/** One character at a time: as one pattern, a long name of dots would take seconds. */
const END = /[.\s]/u

/** Leading dots hide a file, and Windows drops dots and spaces at the end. */
function trimEnds(name: string): string {
  let [start, end] = [0, name.length]
  while (start < end && END.test(name.charAt(start))) start += 1
  while (end > start && END.test(name.charAt(end - 1))) end -= 1
  return name.slice(start, end)
}

/** Cuts the stem, never the extension, and never inside a character. */
function shorten(name: string): string {
  const extension = extensionWithDot(name)
  const stem = name.slice(0, name.length - extension.length)
  let room = FILE_NAME_BYTES_MAX - Buffer.byteLength(extension)
  if (Buffer.byteLength(stem) <= room) return name
  let kept = ''
  for (const character of stem) {
    room -= Buffer.byteLength(character)
    if (room < 0) break
    kept += character
  }
  return trimEnds(kept) + extension
}

/** ".pdf" of "letter.pdf"; empty when the name has none. */
function extensionWithDot(name: string): string {
  const dot = name.lastIndexOf('.')
  const extension = name.slice(dot)
  if (dot < 1 || extension.length > EXTENSION_CHARACTERS_MAX) return ''
  return extension
}

/** The extension in small letters and without its dot, as a receiver's system will see it. */
export function extensionOf(name: string): string {
  return extensionWithDot(safeFileName(name, '')).slice(1).toLowerCase()
}

/**
 * The Content-Disposition of a download: RFC 6266 with the extended value of RFC 8187. Always
 * `attachment`, so that no browser shows a stored file as a page. Any string will do; it goes
 * through `safeFileName` first.
 */
export function contentDisposition(name: string): string {
  const safe = safeFileName(name, 'record')
  // Compatibility forms may turn into quotes or path characters, and some browsers decode "%" in
  // the plain form. All that is only in the extended one.
  const ascii = safe.normalize('NFKD').replace(/\p{M}/gu, '')
  const plain = safeFileName(ascii.replace(/[^\x20-\x7e]|[%"\\/]/gu, '_'), 'record')
  const extended = encodeURIComponent(safe).replace(/['()*]/g, percentEncoded)
  return `attachment; filename="${plain}"; filename*=UTF-8''${extended}`
}

function percentEncoded(character: string): string {
  return `%${character.charCodeAt(0).toString(16).toUpperCase()}`
}
