import { Refusal } from '../errors.ts'

/** A strong entity tag (RFC 9110, section 8.8.3) of a number that grows with each change. */
export const etagOf = (version: number): string => `"${version}"`

/**
 * The version that a change is meant for. It must be said (RFC 6585, section 3), so that nobody
 * overwrites what they have not seen. Throws Refusal `if-match-missing` or `if-match-invalid`.
 */
export function versionOf(ifMatch: string | undefined): number {
  if (ifMatch === undefined) throw new Refusal('if-match-missing')
  const digits = /^"([1-9][0-9]{0,14})"$/.exec(ifMatch.trim())?.[1]
  if (digits === undefined) throw new Refusal('if-match-invalid')
  return Number(digits)
}
