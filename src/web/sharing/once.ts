import { parseCookie, stringifySetCookie } from 'cookie'
import type { FastifyRequest } from 'fastify'

/**
 * What is told once travels from the act to the page after it in a cookie of its own, so that loading
 * that page again neither tells it again nor acts again. No script reads it, and it is gone when it was
 * shown; whoever never sees that page loses it after a few minutes.
 */
const ONCE_COOKIE = '__Host-consilium-once'
const ONCE_SECONDS = 300

const attributes = { path: '/', httpOnly: true, secure: true, sameSite: 'lax' } as const

/** Keeps what is told of this object for the page after. Neither may hold a blank. */
export const onceCookie = (id: string, told: string): string =>
  stringifySetCookie({
    name: ONCE_COOKIE,
    value: `${id} ${told}`,
    maxAge: ONCE_SECONDS,
    ...attributes
  })

export const noOnceCookie = (): string =>
  stringifySetCookie({ name: ONCE_COOKIE, value: '', maxAge: 0, ...attributes })

/** What is told of this object, if this browser has just made it. */
export function toldOnce({ headers }: Pick<FastifyRequest, 'headers'>, id: string) {
  const value = parseCookie(headers.cookie ?? '')[ONCE_COOKIE] ?? ''
  return value.startsWith(`${id} `) ? value.slice(id.length + 1) : undefined
}
