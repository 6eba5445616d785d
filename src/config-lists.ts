import { isIP } from 'node:net'

/** An address, alone or with the length of a network prefix (RFC 4632, section 3.1). */
export function isRange(text: string): boolean {
  const [, address = '', bits] = /^([^/]+)(?:\/(\d{1,3}))?$/.exec(text) ?? []
  const family = isIP(address)
  return family !== 0 && Number(bits ?? 0) <= (family === 4 ? 32 : 128)
}

/** What commas separate, without blanks around it and without what is empty. */
export function list(text: string | undefined): string[] {
  return (text ?? '')
    .split(',')
    .map(entry => entry.trim())
    .filter(entry => entry !== '')
}
