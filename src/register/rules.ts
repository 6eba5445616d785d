import { countries } from '../../schemas/countries.ts'
import type { Condition, SpecialistInput } from '../../schemas/specialist.ts'
import { readEmailAddress } from '../identity/email-address.ts'
import {
  CONTROL_CHARACTER,
  clean,
  GMC_NUMBER,
  REGISTRATION_NUMBER
} from '../identity/enrolment-rules.ts'
import { type Availability, type EntryDetails, endOfDay } from './entry.ts'

/** The system of GMC reference numbers (UK Core). */
export const GMC_SYSTEM = 'https://fhir.hl7.org.uk/Id/gmc-number'

/** Bodies whose numbers have a known system; of others the system must be given. */
const systems: Record<string, string> = {
  GMC: GMC_SYSTEM,
  NMC: 'https://fhir.hl7.org.uk/Id/nmc-number',
  GPHC: 'https://fhir.hl7.org.uk/Id/gphc-number',
  HCPC: 'https://fhir.hl7.org.uk/Id/hcpc-number'
}

/** One thing that is wrong: `field` as in `SpecialistInput`, `code` for machines. */
export interface EntryProblem {
  field: string
  code: string
  text: string
}

export interface CheckedEntry {
  country: string
  details: EntryDetails
  availability: Availability
}

/**
 * Checks what the form of the fields cannot say: countries and languages that exist, numbers in the
 * form of their register, days in order. Texts come back in one spelling (NFC, without blanks around).
 */
export function checkEntry(
  input: SpecialistInput
): { value: CheckedEntry } | { problems: EntryProblem[] } {
  const problems: EntryProblem[] = []
  const told = (field: string, code: string, text: string) =>
    void problems.push({ field, code, text })
  const line = (field: string, value: string): string => checkLine(field, value, told)

  const country = input.country.trim().toUpperCase()
  if (!countries.has(country)) {
    const hint = country === 'UK' ? ' The United Kingdom is GB.' : ''
    told('country', 'country-invalid', `country must be an ISO 3166-1 code of two letters.${hint}`)
  }
  const given = clean(input.email)
  const email = given === undefined ? undefined : readEmailAddress(given)
  if (given !== undefined && email === undefined) {
    told('email', 'email-invalid', 'email must be one plain e-mail address.')
  }
  const { specialistRegister, organisationId } = input
  const details: EntryDetails = {
    name: line('name', input.name),
    ...(email !== undefined && { email }),
    organisation: line('organisation', input.organisation),
    ...(organisationId !== undefined && { organisationId }),
    specialty: line('specialty', input.specialty),
    subSpecialties: (input.subSpecialties ?? []).map(text => line('subSpecialties', text)),
    conditions: (input.conditions ?? []).map(
      (condition): Condition => ({ ...condition, text: line('conditions', condition.text) })
    ),
    languages: input.languages.map(tag => checkLanguage(tag, told)),
    ...checkRegistration(input, told),
    ...(specialistRegister !== undefined && {
      specialistRegister: {
        ...specialistRegister,
        specialty: line('specialistRegister', specialistRegister.specialty)
      }
    })
  }
  const availability = checkAvailability(input, told)
  return problems.length > 0 ? { problems } : { value: { country, details, availability } }
}

type Told = (field: string, code: string, text: string) => void

function checkLine(field: string, text: string, told: Told): string {
  const value = clean(text) ?? ''
  if (value === '') told(field, 'text-missing', `${field} is missing.`)
  if (!value.isWellFormed() || CONTROL_CHARACTER.test(value)) {
    told(field, 'text-invalid', `${field} must be one line without control characters.`)
  }
  return value
}

/** BCP 47, with the case it recommends (section 2.1.1). */
function checkLanguage(tag: string, told: Told): string {
  try {
    const [canonical] = Intl.getCanonicalLocales(tag.trim())
    if (canonical !== undefined && !canonical.includes('-u-')) return canonical
  } catch {
    // Told below.
  }
  told('languages', 'language-invalid', 'languages must be BCP 47 tags, as en-GB.')
  return tag
}

function checkRegistration(
  input: Pick<SpecialistInput, 'professionalBody' | 'registrationSystem' | 'registrationNumber'>,
  told: Told
): Pick<EntryDetails, 'professionalBody' | 'registrationSystem' | 'registrationNumber'> {
  const body = clean(input.professionalBody)
  const number = clean(input.registrationNumber)?.toUpperCase()
  if (body === undefined && number === undefined) return {}
  if (body === undefined) told('professionalBody', 'body-missing', 'professionalBody is missing.')
  if (number === undefined) {
    told('registrationNumber', 'number-missing', 'registrationNumber is missing.')
  }
  if (body === undefined || number === undefined) return {}
  checkLine('professionalBody', body, told)
  const known = systems[body.toUpperCase()]
  const given = clean(input.registrationSystem)
  const system = known ?? given
  if (system === undefined || (given !== undefined && given !== system) || !isSystem(system)) {
    const text = 'registrationSystem must be the URI of the numbers of that body.'
    told('registrationSystem', 'system-invalid', text)
  }
  if (system !== GMC_SYSTEM) {
    if (!REGISTRATION_NUMBER.test(number)) {
      const text = 'registrationNumber must be 1 to 40 letters, digits, blanks and . / -'
      told('registrationNumber', 'number-invalid', text)
    }
    return registered(known === undefined ? body : body.toUpperCase(), system, number)
  }
  const digits = GMC_NUMBER.exec(number)?.[1]
  if (digits === undefined) {
    const text = 'registrationNumber must be 7 digits for the GMC.'
    told('registrationNumber', 'gmc-number-invalid', text)
  }
  return registered('GMC', system, digits ?? '')
}

const registered = (body: string, system: string | undefined, number: string) => ({
  professionalBody: body,
  registrationSystem: system ?? '',
  registrationNumber: number
})

/** An absolute URI in its own spelling: http, https or urn. */
const isSystem = (text: string): boolean =>
  /^(https?:\/\/[a-z0-9.-]+\/[\w./~%-]*|urn:[a-z0-9][a-z0-9-]{1,30}:[\w.:/%-]+)$/.test(text)

/**
 * The system of a body that was enrolled by name alone, before there was a register. Two bodies of one
 * name in two countries are two systems.
 */
export function systemOfBody(body: string, country: string): string {
  const known = systems[body.toUpperCase()]
  return known ?? `urn:consilium:body:${country}:${encodeURIComponent(body.toUpperCase())}`
}

function checkAvailability(input: SpecialistInput, told: Told): Availability {
  const { from, until, capacity } = input.availability ?? {}
  const availableFrom = from === undefined ? null : Date.parse(from)
  const availableUntil = until === undefined ? null : endOfDay(until)
  if (availableFrom !== null && availableUntil !== null && availableUntil <= availableFrom) {
    told('availability', 'dates-invalid', 'availability ends before it begins.')
  }
  return { availableFrom, availableUntil, capacity: capacity ?? null }
}
