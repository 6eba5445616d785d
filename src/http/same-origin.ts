import type { FastifyRequest } from 'fastify'
import { Refusal } from '../errors.ts'

const SAFE = new Set(['GET', 'HEAD', 'OPTIONS'])

/** What may be asked for by a request: a page, or what a page of ours alone asks for. */
export type Asked = 'page' | 'part'

/**
 * Guards what a browser sends with its cookie: another site may make it send a request, but not lie
 * about where that came from. What changes something must come from a page of ours, by Sec-Fetch-Site
 * (W3C Fetch Metadata) or, where a browser does not send it, by Origin (RFC 6454). What only reads may
 * be led to from anywhere when it is a page: by a click, and not as a picture or a frame in a page of
 * somebody else, which would put a reading on the log that nobody did. The API, and content, are for our own
 * pages alone. Throws Refusal `cross-site-refused`.
 */
export function requireSameOrigin(
  request: Pick<FastifyRequest, 'method' | 'headers'>,
  publicUrl: string,
  asked: Asked
): void {
  const isSafe = SAFE.has(request.method)
  const site = request.headers['sec-fetch-site']
  if (isSafe && asked === 'page' && isLedTo(request.headers)) return
  const isOurs =
    site === undefined
      ? isSafe || request.headers.origin === publicUrl
      : site === 'same-origin' || (isSafe && site === 'none')
  if (!isOurs) throw new Refusal('cross-site-refused', String(site ?? 'no site'))
}

/** By a link or an address, in a window of its own: nothing else is fetched as a document. */
const isLedTo = (headers: FastifyRequest['headers']): boolean =>
  headers['sec-fetch-dest'] === 'document'
