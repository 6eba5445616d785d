import { Refusal } from '../errors.ts'

/** The dihedral group of order ten, and the permutation that Verhoeff's check digit walks through. */
const PRODUCT = [
  '0123456789',
  '1234067895',
  '2340178956',
  '3401289567',
  '4012395678',
  '5987604321',
  '6598710432',
  '7659821043',
  '8765932104',
  '9876543210'
]
const PERMUTATION = [
  '0123456789',
  '1576283094',
  '5803796142',
  '8916043527',
  '9453126870',
  '4286573901',
  '2793806415',
  '7046913258'
]

/** Whether the last digit is Verhoeff's check digit of those before it. */
export function hasVerhoeffDigit(digits: string): boolean {
  let check = 0
  for (const [place, digit] of [...digits].reverse().entries()) {
    const moved = Number(PERMUTATION[place % 8]?.[Number(digit)])
    check = Number(PRODUCT[check]?.[moved])
  }
  return check === 0
}

/**
 * A SNOMED CT concept id (SNOMED CT Release File Specification, 6 "SCTIDs"): 6 to 18 digits, no zero
 * first, the partition before the check digit that of a concept (00, or 10 with a namespace), and the
 * last digit Verhoeff's. Whether there is such a concept only a terminology server knows.
 * Throws Refusal `snomed-code-invalid`.
 */
export function normalSnomed(code: string): string {
  const digits = code.trim()
  const isConcept = /^[1-9]\d{5,17}$/.test(digits) && /^[01]0$/.test(digits.slice(-3, -1))
  // A namespace has seven digits, and an item before them at least one.
  const isLong = digits.at(-3) !== '1' || digits.length >= 11
  if (!isConcept || !isLong || !hasVerhoeffDigit(digits)) throw new Refusal('snomed-code-invalid')
  return digits
}

/**
 * An ICD-10 code (WHO ICD-10, Volume 2, 2.4): a letter and two digits, and after a dot a fourth
 * character, or the X that pads it, and a fifth. The dot may be left out. Only the form is checked.
 * Throws Refusal `icd-code-invalid`.
 */
export function normalIcd10(code: string): string {
  const found = /^([A-Z]\d\d)(?:\.?(\d{1,2}|X\d?))?$/.exec(code.trim().toUpperCase())
  if (found === null) throw new Refusal('icd-code-invalid')
  const [, category = '', more] = found
  return more === undefined ? category : `${category}.${more}`
}
