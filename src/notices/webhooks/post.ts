import { request as httpRequest } from 'node:http'
import { request as httpsRequest, type RequestOptions } from 'node:https'
import { isIP } from 'node:net'
import type { Attempt } from '../attempt.ts'
import { signWebhook } from './sign.ts'
import { hostOf, TargetError, type Targets } from './targets.ts'

/** Name, connection, request and the head of the answer together. */
export const POST_MILLISECONDS_MAX = 10_000
/** What of an answer's head is read; of its body nothing is. */
const HEAD_BYTES_MAX = 8192

export interface WebhookPost {
  id: string
  url: string
  body: string
  secrets: string[]
  /** Milliseconds UTC. */
  now: number
}

/** Sends one signed request. Resolves to what came of it and never throws. */
export type PostWebhook = (post: WebhookPost, signal: AbortSignal) => Promise<Attempt>

/**
 * Posts to the address that the guard has checked, over TLS that knows the name in the URL. Follows
 * no redirect: the next address would have been checked by nobody. Reads only the status.
 */
export function openPost(targets: Targets, limitMilliseconds = POST_MILLISECONDS_MAX): PostWebhook {
  return async (post, signal) => {
    const timeout = AbortSignal.timeout(limitMilliseconds)
    const either = AbortSignal.any([signal, timeout])
    try {
      const checking = targets.check(new URL(post.url))
      const { url, address } = await Promise.race([checking, whenAborted(either)])
      return judge(await statusOf(url, address, post, either))
    } catch (err) {
      if (signal.aborted) return { result: 'later', code: 'stopped', all: true }
      if (timeout.aborted) return { result: 'later', code: 'webhook-timeout' }
      if (err instanceof TargetError) return { result: 'later', code: `webhook-${err.code}` }
      return { result: 'later', code: isTlsFault(err) ? 'webhook-tls' : 'webhook-unreachable' }
    }
  }
}

function statusOf(
  url: URL,
  address: string,
  { id, body, secrets, now }: WebhookPost,
  signal: AbortSignal
): Promise<number> {
  const timestamp = Math.floor(now / 1000)
  const isTls = url.protocol === 'https:'
  const host = hostOf(url)
  const options: RequestOptions = {
    method: 'POST',
    // The address, not the name: it is not looked up again.
    host: address,
    port: Number(url.port || (isTls ? 443 : 80)),
    path: `${url.pathname}${url.search}`,
    agent: false,
    maxHeaderSize: HEAD_BYTES_MAX,
    signal,
    ...(isTls && {
      minVersion: 'TLSv1.2',
      rejectUnauthorized: true,
      // The certificate must be for the name. An address has none to send (RFC 6066, section 3).
      ...(isIP(host) === 0 && { servername: host })
    }),
    headers: {
      host: url.host,
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(body),
      'user-agent': 'Consilium',
      'webhook-id': id,
      'webhook-timestamp': String(timestamp),
      'webhook-signature': signWebhook({ id, timestamp, body }, secrets)
    }
  }
  return new Promise((resolve, reject) => {
    const request = (isTls ? httpsRequest : httpRequest)(options, response => {
      resolve(response.statusCode ?? 0)
      // Whatever its body is, it is not read.
      response.destroy()
    })
    request.on('error', reject)
    // An answer that changes the protocol (101) closes it with neither an answer nor an error.
    request.on('close', () => reject(new Error('closed without an answer')))
    request.end(body)
  })
}

/** Standard Webhooks: any 2xx is taken, 410 asks never to be told again, the rest is tried again. */
function judge(status: number): Attempt {
  if (status >= 200 && status <= 299) return { result: 'sent' }
  if (status === 410) return { result: 'failed', code: 'webhook-gone' }
  if (status >= 300 && status <= 399) return { result: 'later', code: 'webhook-redirect' }
  return { result: 'later', code: `webhook-${status}` }
}

function isTlsFault(err: unknown): boolean {
  const code = err instanceof Error && 'code' in err ? String(err.code) : ''
  return /^(ERR_TLS|ERR_SSL|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_|EPROTO)/.test(code)
}

function whenAborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(new Error('aborted')), { once: true })
  })
}
