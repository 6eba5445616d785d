import { embeddedFormat, startingFormat } from './match.ts'
import { activeMarkup, embeddedSignatures, leadingMarkup, textSignatures } from './signatures.ts'

/** Control characters other than tab, line feed, form feed and carriage return. */
const forbiddenControl = /(?![\t\n\f\r])\p{Cc}/u

/**
 * Says what keeps the bytes from being a plain text, or undefined when nothing does.
 *
 * Only UTF-8 (RFC 3629) is taken, ASCII included. ISO-8859-1 and its relatives cannot be told
 * apart, and a wrong guess changes what is read: "µg" shown as "�g" or "mg" is a wrong dose. The
 * sender can save the text as UTF-8; the specialist could not ask.
 */
export function checkPlainText(head: Buffer, isWhole: boolean): string | undefined {
  const text = decode(head, isWhole)
  if (text === undefined) return 'neither a known format nor UTF-8'
  if (forbiddenControl.test(text)) return 'text with control characters'
  if (leadingMarkup.test(text) || activeMarkup.test(text)) return 'markup'
  const start = Buffer.from(text.trimStart().slice(0, 16))
  return (startingFormat(start, textSignatures) ?? embeddedFormat(head, embeddedSignatures))?.name
}

/** Undefined when the bytes are not UTF-8. The end of a longer file's head may cut a character. */
function decode(head: Buffer, isWhole: boolean): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(head, { stream: !isWhole })
  } catch {
    return undefined
  }
}
