import { type Role, roles } from '../../schemas/account.ts'
import { countries } from '../../schemas/countries.ts'
import { isTimeZone } from '../calendar.ts'
import { readEmailAddress } from './email-address.ts'
import type { Profile } from './profile.ts'

/** What an operator gives about an organisation. */
export interface OrganisationInput {
  name: string
  odsCode?: string | undefined
  country: string
  /** IANA name of the zone in which its days begin and end; that of the United Kingdom by default. */
  timeZone?: string | undefined
  /** yes or no: whether it is a public authority; by default yes for what has an ODS code. */
  publicAuthority?: string | undefined
}

const TIME_ZONE_DEFAULT = 'Europe/London'

/** What an operator gives about a person, or about a system that acts for an organisation. */
export interface AccountInput {
  role: string
  name: string
  professionalBody?: string | undefined
  registrationNumber?: string | undefined
  /** Defaults to the organisation's. */
  country?: string | undefined
  /** Where notices go; without it there are none. */
  email?: string | undefined
}

/** Either everything is right, or each thing that is wrong in one sentence. */
export type Checked<T> = { value: T } | { problems: string[] }

export const NAME_CHARACTERS_MAX = 200
const BODY_CHARACTERS_MAX = 100

/**
 * NHS Organisation Data Service: 3 characters for a trust (RJ1), 5 for a site (RJ122), 6 for a
 * practice (A81001), up to 12 for the newest kinds. Only the form is checked, not the register.
 */
const ODS_CODE = /^[A-Z0-9]{3,12}$/
/** GMC reference number: 7 digits; NHS systems write a C before it. It is stored without. */
export const GMC_NUMBER = /^C?([0-9]{7})$/
/** Other registers: letters, digits and the marks that national registers use between them. */
export const REGISTRATION_NUMBER = /^[A-Z0-9][A-Z0-9 ./-]{0,39}$/
export const CONTROL_CHARACTER = /\p{Cc}|\p{Cf}|\p{Zl}|\p{Zp}/u

export function checkOrganisation(input: OrganisationInput): Checked<{
  name: string
  odsCode: string | null
  country: string
  timeZone: string
  publicAuthority: boolean
}> {
  const problems: string[] = []
  const name = checkText('name', input.name, NAME_CHARACTERS_MAX, problems)
  const country = checkCountry(input.country, problems)
  const odsCode = clean(input.odsCode)?.toUpperCase() ?? null
  if (odsCode === null && country === 'GB') {
    problems.push('The ODS code is missing: every organisation in the United Kingdom has one.')
  }
  if (odsCode !== null && !ODS_CODE.test(odsCode)) {
    problems.push('The ODS code must be 3 to 12 letters and digits, such as RJ122.')
  }
  const timeZone = clean(input.timeZone) ?? TIME_ZONE_DEFAULT
  if (!isTimeZone(timeZone)) problems.push('The time zone must be an IANA name: America/New_York.')
  const authority = clean(input.publicAuthority) ?? (odsCode === null ? 'no' : 'yes')
  if (!['yes', 'no'].includes(authority)) {
    problems.push('Whether it is a public authority is said by yes or no.')
  }
  if (problems.length > 0) return { problems }
  return { value: { name, odsCode, country, timeZone, publicAuthority: authority === 'yes' } }
}

export function checkAccount(
  input: AccountInput,
  organisationCountry: string | undefined
): Checked<{ role: Role; country: string; profile: Profile }> {
  const problems: string[] = []
  const role = roles.find(name => name === input.role)
  if (role === undefined) problems.push(`The role must be one of ${roles.join(', ')}.`)
  const name = checkText('name', input.name, NAME_CHARACTERS_MAX, problems)
  const ownCountry = clean(input.country) ?? organisationCountry
  // Without its organisation there is no default, and the organisation is a problem of its own.
  const country = ownCountry === undefined ? '' : checkCountry(ownCountry, problems)
  const registration = checkRegistration(input, role, problems)
  const email = checkEmail(input.email, problems)
  if (problems.length > 0 || role === undefined) return { problems }
  return { value: { role, country, profile: { name, ...registration, ...email } } }
}

/** Who treats or reviews is known by the register that lets them practise. */
function checkRegistration(
  input: AccountInput,
  role: Role | undefined,
  problems: string[]
): Pick<Profile, 'professionalBody' | 'registrationNumber'> {
  const required = role === 'clinician' || role === 'specialist'
  const body = clean(input.professionalBody)
  const number = clean(input.registrationNumber)?.toUpperCase()
  if (body === undefined && number === undefined && !required) return {}
  if (body === undefined) problems.push('The professional body is missing, e.g. GMC.')
  if (number === undefined) problems.push('The registration number is missing.')
  if (body === undefined || number === undefined) return {}
  checkText('professional body', body, BODY_CHARACTERS_MAX, problems)
  if (body.toUpperCase() !== 'GMC') {
    if (!REGISTRATION_NUMBER.test(number)) {
      problems.push('The registration number must be 1 to 40 letters, digits, blanks and . / -')
    }
    return { professionalBody: body, registrationNumber: number }
  }
  const digits = GMC_NUMBER.exec(number)?.[1]
  if (digits === undefined) problems.push('The registration number must be 7 digits for the GMC.')
  return { professionalBody: 'GMC', registrationNumber: digits ?? '' }
}

function checkEmail(text: string | undefined, problems: string[]): Pick<Profile, 'email'> {
  const given = clean(text)
  if (given === undefined) return {}
  const email = readEmailAddress(given)
  if (email === undefined) problems.push('The e-mail address is not one that notices can go to.')
  return email === undefined ? {} : { email }
}

function checkCountry(text: string, problems: string[]): string {
  const country = (clean(text) ?? '').toUpperCase()
  if (countries.has(country)) return country
  const hint = country === 'UK' ? ' The United Kingdom is GB.' : ''
  problems.push(`The country must be an ISO 3166-1 code of two letters.${hint}`)
  return country
}

function checkText(field: string, text: string, max: number, problems: string[]): string {
  const value = clean(text) ?? ''
  if (value === '') problems.push(`The ${field} is missing.`)
  if (value.length > max) problems.push(`The ${field} must be at most ${max} characters.`)
  if (!value.isWellFormed() || CONTROL_CHARACTER.test(value)) {
    problems.push(`The ${field} must not hold control characters.`)
  }
  return value
}

/** One spelling of what looks the same (NFC), without blanks around it; undefined when empty. */
export function clean(text: string | undefined): string | undefined {
  const value = text?.normalize('NFC').trim()
  return value === '' ? undefined : value
}
