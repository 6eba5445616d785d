import { domainToASCII } from 'node:url'

/** RFC 5321, section 4.5.3.1: of the part before the @, and of the whole path without its brackets. */
const LOCAL_BYTES_MAX = 64
const ADDRESS_BYTES_MAX = 254

/** Dot-string of RFC 5321, section 4.1.2. Quoted local parts are refused: nobody's mail needs one. */
const LOCAL_PART = /^[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*$/
/** At least two labels, the last of them not a number: an address, not a machine of this network. */
const DOMAIN =
  /^(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+(?=[a-z0-9-]*[a-z])[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/

/**
 * One e-mail address in the one form in which it is stored and sent to, or undefined when it is none
 * that a notice could be sent to. The domain is in lower case and ASCII (RFC 5890); the local part is
 * ASCII as it was given, because only its own server may say which spellings are the same. What
 * passes holds no blank, no control character and no angle bracket, so that no header and no SMTP
 * command can be smuggled in by it.
 */
export function readEmailAddress(text: string): string | undefined {
  const given = text.trim()
  const at = given.lastIndexOf('@')
  if (at < 1 || given.length > ADDRESS_BYTES_MAX) return undefined
  const local = given.slice(0, at)
  const written = given.slice(at + 1)
  // What a URL would take for its own, domainToASCII would cut off instead of refusing it.
  if (/[\s\p{Cc}/\\?#@:[\]<>%]/u.test(written)) return undefined
  const domain = domainToASCII(written)
  const address = `${local}@${domain}`
  const isAddress = LOCAL_PART.test(local) && local.length <= LOCAL_BYTES_MAX && DOMAIN.test(domain)
  return isAddress && address.length <= ADDRESS_BYTES_MAX ? address : undefined
}
