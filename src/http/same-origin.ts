import type { FastifyRequest } from 'fastify'
import { Refusal } from '../errors.ts'

const SAFE = new Set(['GET', 'HEAD', 'OPTIONS'])

/**
 * Guards what a browser sends with its cookie: another site may make it send a request, but not lie
 * about where that came from. What changes something must come from a page of ours, by Sec-Fetch-Site
 * (W3C Fetch Metadata) or, where a browser does not send it, by Origin (RFC 6454). What only reads may
 * be led to from anywhere when it is a page, and is for our own pages alone when it is the API. Throws
 * Refusal `cross-site-refused`.
 */
export function requireSameOrigin(
  request: Pick<FastifyRequest, 'method' | 'headers'>,
  publicUrl: string,
  isPage: boolean
): void {
  const isSafe = SAFE.has(request.method)
  if (isSafe && isPage) return
  const site = request.headers['sec-fetch-site']
  const isOurs =
    site === undefined
      ? isSafe || request.headers.origin === publicUrl
      : site === 'same-origin' || (isSafe && site === 'none')
  if (!isOurs) throw new Refusal('cross-site-refused', String(site ?? 'no site'))
}
