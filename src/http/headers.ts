import type { FastifyInstance } from 'fastify'
import type { Config } from '../config.ts'
import { Refusal } from '../errors.ts'
import { addressList } from './address-list.ts'

const YEAR_SECONDS = 31_536_000

/** Nothing here is a page of an application: no script, no frame, no style of others. */
const headers = {
  'content-security-policy':
    "default-src 'none'; style-src 'self'; img-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY'
}

/** Headers of every answer (OWASP ASVS 5.0, 3.4). A route may set a stricter or more fitting one. */
export function addSecurityHeaders(app: FastifyInstance, overTls: boolean): void {
  const all = {
    ...headers,
    ...(overTls && { 'strict-transport-security': `max-age=${YEAR_SECONDS}; includeSubDomains` })
  }
  app.addHook('onRequest', (request, reply, done) => {
    reply.headers(all).header('x-request-id', request.id)
    // Assets say themselves how long they may be kept, and nothing else may be: not even that a page
    // led elsewhere, or that there is none.
    reply.header('cache-control', 'no-store')
    done()
  })
}

/**
 * Without TLS of its own the service believes that a proxy on the way has it. Whoever reaches the
 * port past the proxy, in clear, is turned away before anything is read of what they send.
 */
export function requireProxy(app: FastifyInstance, config: Pick<Config, 'tls' | 'trustedProxies'>) {
  if (config.tls !== undefined) return
  const allowed = addressList(['127.0.0.0/8', '::1', ...config.trustedProxies])
  const known = new WeakSet<object>()
  app.addHook('onRequest', ({ socket }, _reply, done) => {
    if (known.has(socket)) return done()
    if (!allowed(socket.remoteAddress)) return done(new Refusal('https-required'))
    known.add(socket)
    done()
  })
}
