/** Only to be parsed against: what leads anywhere else does not lead here. */
const HERE = 'http://here.invalid'
const PATH_CHARACTERS_MAX = 2000

/**
 * Where somebody wanted to go, if that is a page of this service, else undefined: whoever writes a link
 * to our pages could otherwise send people on from here to another site (OWASP ASVS 5.0, 3.7). What
 * browsers read into an address is read into it before it is judged.
 */
export function localPath(text: string): string | undefined {
  if (!text.startsWith('/') || text.length > PATH_CHARACTERS_MAX) return undefined
  const url = URL.canParse(text, HERE) ? new URL(text, HERE) : undefined
  if (url === undefined || url.origin !== HERE || url.username !== '') return undefined
  const path = url.pathname + url.search
  // Dots are taken away by the parser: /.//evil is //evil by now.
  return /^\/(?![/\\])/.test(path) ? path : undefined
}
