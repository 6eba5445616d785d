import { Refusal } from '../errors.ts'

/** What `_format` may ask for, which is what there is anyway. */
const FORMATS = ['json', 'application/json', 'application/fhir+json']
const MEDIA_RANGES = ['*/*', 'application/*', 'application/json', 'application/fhir+json']

/**
 * Refuses a request for another format than JSON (FHIR R4, http.html#mime-type): `_format` decides,
 * and without it the header Accept. A plus sign that was sent as it is reads as a blank.
 * Refusal `format-refused`.
 */
export function requireJson(formats: string[], accept: string | undefined): void {
  const asked = formats.filter(format => format !== '')
  const isServed =
    asked.length > 0
      ? asked.every(format => FORMATS.includes(typeOf(format).replace(' ', '+')))
      : acceptsJson(accept)
  if (!isServed) throw new Refusal('format-refused')
}

function acceptsJson(accept: string | undefined): boolean {
  if (accept === undefined || accept.trim() === '') return true
  const wanted = accept.split(',').filter(range => !/;\s*q=0(?:\.0*)?\s*(?:;|$)/i.test(range))
  return wanted.some(range => MEDIA_RANGES.includes(typeOf(range)))
}

/** Without parameters such as `fhirVersion`. */
const typeOf = (range: string): string => (range.split(';')[0] ?? '').trim().toLowerCase()
