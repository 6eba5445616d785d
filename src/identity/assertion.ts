import { CLOCK_SKEW_SECONDS } from './authenticate.ts'

/** SMART Backend Services: a client assertion lives at most five minutes. */
export const ASSERTION_SECONDS_MAX = 300

/**
 * What is wrong with the claims of a client assertion, or undefined. Asked are the rules of SMART
 * App Launch 2.2 ("Client Authentication: Asymmetric") and RFC 7523, section 3, beyond those the
 * provider has checked before: signed by a key of that client, ES384, `iss` and `sub` the client,
 * and `exp`, `aud` and a `jti` there. `now` is seconds since 1970 UTC.
 */
export function assertionProblem(
  claims: Record<string, unknown>,
  audiences: ReadonlySet<string>,
  now: number
): string | undefined {
  const { exp, iat, nbf, aud } = claims
  // Whole seconds, or the row that remembers the `jti` could end before the assertion does.
  if (!isWholeSecond(exp)) return 'exp is not a whole number of seconds'
  if (exp <= now - CLOCK_SKEW_SECONDS) return 'assertion has expired'
  if (exp > now + ASSERTION_SECONDS_MAX + CLOCK_SKEW_SECONDS) {
    return 'exp is more than five minutes away'
  }
  if (iat !== undefined) {
    if (!isWholeSecond(iat)) return 'iat is not a whole number of seconds'
    if (iat > now + CLOCK_SKEW_SECONDS) return 'iat is in the future'
    if (exp - iat > ASSERTION_SECONDS_MAX) return 'assertion lives more than five minutes'
  }
  if (nbf !== undefined && (typeof nbf !== 'number' || nbf > now + CLOCK_SKEW_SECONDS)) {
    return 'assertion is not valid yet'
  }
  // One that another server would take as well could be a copy that server was sent. The provider
  // would also accept whatever address the Host header names; only the configured one counts here.
  const listed = Array.isArray(aud) ? aud : [aud]
  if (listed.length === 0 || !listed.every(name => audiences.has(String(name)))) {
    return 'aud is not this issuer or its token endpoint'
  }
  return undefined
}

function isWholeSecond(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value > 0
}
