import { Refusal } from '../errors.ts'

/** A strong entity tag (RFC 9110, section 8.8.3), or a weak one, which never matches here. */
const TAG = /^(W\/)?"([\x21\x23-\x7e]*)"$/

/** The entity tag of a version. */
export const etagOf = (version: number): string => `"${version}"`

/**
 * Requires that a caller has seen the version they are about to replace (RFC 9110, section 13.1.1;
 * RFC 6585, section 3). `*` names no version, so it does not do. Refusals `if-match-missing`,
 * `if-match-invalid`, `version-changed`.
 */
export function requireMatch(
  header: string | undefined,
  version: number,
  about?: Refusal['extra']['about']
): void {
  const extra = about === undefined ? {} : { about }
  const tags = (header ?? '').split(',').map(tag => tag.trim())
  if (header === undefined || tags.join('') === '' || tags.includes('*')) {
    throw new Refusal('if-match-missing', undefined, extra)
  }
  const found = tags.map(tag => TAG.exec(tag))
  if (found.includes(null)) throw new Refusal('if-match-invalid', undefined, extra)
  const isMatch = found.some(tag => tag?.[1] === undefined && tag?.[2] === String(version))
  if (!isMatch) throw new Refusal('version-changed', undefined, extra)
}
