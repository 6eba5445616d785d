import { EMBEDDED } from '../../src/identity/principal.ts'
import { SESSION_COOKIE } from '../../src/sessions/cookie.ts'
import { beginSession } from '../../src/sessions/session.ts'
import type { PersonName, TestExchange } from './exchange.ts'

const trace = { requestId: 'test', method: 'POST', route: '/sign-in', address: '127.0.0.1' }

/** The cookie of a new session of this person, as signing in with a passkey leaves it. */
export async function sessionCookieOf(exchange: TestExchange, who: PersonName): Promise<string> {
  const { accountId, organisationId } = exchange.people[who]
  const proven = { accountId, organisationId, issuer: EMBEDDED, subject: accountId }
  return exchange.exchange.database.write(tx =>
    beginSession(tx, exchange.exchange, trace, { ...proven, assurance: 'passkey' })
  )
}

/** What a browser says with a click or a form of one of our own pages. */
const FROM_OUR_PAGE = { accept: 'text/html', 'sec-fetch-site': 'same-origin' }

/** Asks for pages as the browser of somebody does, without following where an answer leads. */
export async function signedIn(exchange: TestExchange, who: PersonName) {
  let cookie = `${SESSION_COOKIE}=${await sessionCookieOf(exchange, who)}`
  const ask = async (path: string, init: RequestInit & { headers?: Record<string, string> }) => {
    const answer = await fetch(exchange.url + path, {
      redirect: 'manual',
      ...init,
      headers: { ...FROM_OUR_PAGE, cookie, ...init.headers }
    })
    for (const set of answer.headers.getSetCookie()) {
      const [named = ''] = set.split(';')
      // A proof gives the session a new cookie. That one is gone is for a test to see.
      if (named.length > `${SESSION_COOKIE}=`.length && named.startsWith(`${SESSION_COOKIE}=`))
        cookie = named
    }
    return { status: answer.status, headers: answer.headers, text: await answer.text() }
  }
  return {
    get cookie() {
      return cookie
    },
    get: (path: string, headers: Record<string, string> = {}) => ask(path, { headers }),
    /** Sends whatever it is. */
    send: (method: string, path: string, body?: RequestInit['body']) =>
      ask(path, { method, ...(body !== undefined && { body }) }),
    /** Sends a form. */
    post: (
      path: string,
      fields: Record<string, string> | [string, string][] = {},
      headers: Record<string, string> = {}
    ) => ask(path, { method: 'POST', body: new URLSearchParams(fields), headers })
  }
}
