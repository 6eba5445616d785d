import { parseCookie, stringifySetCookie } from 'cookie'

/**
 * RFC 6265bis, section 4.1.3.2: a browser takes this name only over TLS or from this machine itself,
 * for the whole host, and from nobody but the host.
 */
export const SESSION_COOKIE = '__Host-consilium'
/**
 * Known again by it is the browser that was sent to sign in elsewhere, and by nothing is a person: what
 * comes back is taken from the same browser alone, so that nobody is signed in as somebody else by an
 * address that they were sent (login CSRF).
 */
export const ERRAND_COOKIE = '__Host-consilium-errand'
/** 32 random bytes in base64url. */
const FORM = /^[A-Za-z0-9_-]{43}$/

/** `Lax`, so that a link in a mail finds its reader signed in; what changes anything is checked apart. */
const attributes = { path: '/', httpOnly: true, secure: true, sameSite: 'lax' } as const

/** The session a request names, or undefined. */
export const readSessionCookie = (header: string | undefined): string | undefined =>
  readCookie(header, SESSION_COOKIE)

export const readErrandCookie = (header: string | undefined): string | undefined =>
  readCookie(header, ERRAND_COOKIE)

function readCookie(header: string | undefined, name: string): string | undefined {
  if (header === undefined || !header.includes(name)) return undefined
  const value = parseCookie(header)[name]
  return value !== undefined && FORM.test(value) ? value : undefined
}

/** Ends with the browser: how long a session lives is judged here, not there. */
export const sessionCookie = (value: string): string =>
  stringifySetCookie({ name: SESSION_COOKIE, value, ...attributes })

/** With which a browser forgets a session, and whatever of its pages it kept to go back to. */
export const signedOut = (): Record<string, string> => ({
  'set-cookie': noSessionCookie(),
  'clear-site-data': '"cache"'
})

export const noSessionCookie = (): string =>
  stringifySetCookie({ name: SESSION_COOKIE, value: '', ...attributes, maxAge: 0 })

/** `Lax`, because the way back begins at another site. It lives as long as the errand may take. */
export const errandCookie = (value: string, seconds: number): string =>
  stringifySetCookie({ name: ERRAND_COOKIE, value, ...attributes, maxAge: seconds })
