import { createHmac, type KeyObject, randomInt, timingSafeEqual } from 'node:crypto'
import { canonicalContext } from '../sealing/keys.ts'

/** Crockford's base 32: no I, L, O and U, so that what is read out aloud is written down right. */
const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'
/** Of 5 bits each: 50 bits, of which five tries leave nothing to hope for. */
const CODE_CHARACTERS = 10
const GROUP_CHARACTERS = 5

/** Codes that may be tried on one link. The database holds to it too. */
export const TRIES_MAX = 5
/** How long link and code are good for. */
export const ENROLMENT_HOURS = 72

/** A fresh random code, in two groups: 7ZK4M-QX3PB. */
export function newCode(): string {
  const characters = Array.from({ length: CODE_CHARACTERS }, () => ALPHABET[randomInt(32)])
  const code = characters.join('')
  return `${code.slice(0, GROUP_CHARACTERS)}-${code.slice(GROUP_CHARACTERS)}`
}

/**
 * A code of 150 bits, in six groups: nobody has to count tries of it, so nobody can use them up for whom
 * it is meant.
 */
export const newLongCode = (): string => [newCode(), newCode(), newCode()].join('-')

/**
 * What is stored of a code: a keyed hash, bound to its link. 50 bits are few for whoever has a plain
 * hash, but this key is not in the database, and without it there is nothing to try codes on.
 */
export function codeRef(lookup: KeyObject, linkId: string, code: string): Buffer {
  return createHmac('sha256', lookup)
    .update(canonicalContext('enrolment-code', linkId, normalCode(code)))
    .digest()
}

/** Whether two of them are the same, in a time that does not tell how far they are. */
export function isSameCode(stored: Buffer | null, given: Buffer): boolean {
  return stored !== null && stored.length === given.length && timingSafeEqual(stored, given)
}

/** As Crockford decodes: any case, hyphens anywhere, and the letters that look like digits. */
function normalCode(code: string): string {
  return code.toUpperCase().replace(/[\s-]/g, '').replace(/O/g, '0').replace(/[IL]/g, '1')
}
