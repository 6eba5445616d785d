import { Refusal } from '../errors.ts'
import type { Exchange } from '../exchange.ts'
import type { Recognise } from '../http/area.ts'
import { EMBEDDED } from '../identity/principal.ts'
import { readSessionCookie } from './cookie.ts'
import { callerOfSession } from './session.ts'

/**
 * Knows people by the cookie that signing in gave them. An issuer that the operator took out of the
 * configuration vouches for nobody any more, nor for those who signed in before.
 */
export function recogniseSession(
  exchange: Pick<Exchange, 'database' | 'audit' | 'clock' | 'limits' | 'signInIssuers'>
): Recognise {
  return async ({ cookie: header }) => {
    const cookie = readSessionCookie(header)
    if (cookie === undefined) return undefined
    const signedIn = await callerOfSession(exchange, cookie)
    const { issuer } = signedIn.principal
    if (issuer !== EMBEDDED && exchange.signInIssuers.of(issuer) === undefined) {
      throw new Refusal('session-ended', 'issuer is gone')
    }
    return signedIn
  }
}
