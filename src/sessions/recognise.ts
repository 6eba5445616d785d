import type { Exchange } from '../exchange.ts'
import type { Recognise } from '../http/area.ts'
import { readSessionCookie } from './cookie.ts'
import { callerOfSession } from './session.ts'

/** Knows people by the cookie that signing in gave them. */
export function recogniseSession(
  exchange: Pick<Exchange, 'database' | 'audit' | 'clock' | 'limits'>
): Recognise {
  return async ({ cookie: header }) => {
    const cookie = readSessionCookie(header)
    return cookie === undefined ? undefined : await callerOfSession(exchange, cookie)
  }
}
