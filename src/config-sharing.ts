import { type ConsentPolicy, consentPolicies } from './consents/policy.ts'

type Environment = Record<string, string | undefined>

/** Header names, as RFC 9110 has tokens, in the form Node gives them. */
const HEADER_NAME = /^[a-z0-9!#$%&'*+.^_`|~-]{1,100}$/
/** A proxy that sets one of these says something else. */
const TAKEN = new Set(['authorization', 'cookie', 'host', 'x-forwarded-for', 'user-agent'])

/** Whether the patient's consent must be on record before anything is shared. */
export function readConsent(env: Environment, problems: string[]): ConsentPolicy {
  const text = env['CONSILIUM_CONSENT'] || 'recorded'
  const policy = consentPolicies.find(name => name === text)
  if (policy === undefined) {
    problems.push(`CONSILIUM_CONSENT must be one of ${consentPolicies.join(', ')}.`)
  }
  return policy ?? 'required'
}

/** The header in which a trusted proxy names the country of a request, in small letters. */
export function readCountryHeader(
  env: Environment,
  trustedProxies: string[],
  problems: string[]
): string | undefined {
  const name = env['CONSILIUM_COUNTRY_HEADER']?.trim().toLowerCase()
  if (!name) return undefined
  if (!HEADER_NAME.test(name) || TAKEN.has(name)) {
    problems.push('CONSILIUM_COUNTRY_HEADER must be the name of a header of its own.')
  }
  if (trustedProxies.length === 0) {
    problems.push(
      'CONSILIUM_COUNTRY_HEADER is believed of trusted proxies alone: name them in CONSILIUM_TRUSTED_PROXIES.'
    )
  }
  return name
}
