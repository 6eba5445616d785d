import type { IncomingMessage } from 'node:http'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { JWK } from 'jose'
import type { Provider } from 'oidc-provider'
import type { Exchange } from '../exchange.ts'
import { open, publicly, traceOf } from '../http/area.ts'
import { EXCHANGE_SCOPE } from './authenticate.ts'
import { EMBEDDED, type PublicJwk, type TrustedIssuer } from './principal.ts'
import { ACCESS_TOKEN_SECONDS, createProvider } from './provider.ts'
import { recordTokens, type TokenCalls } from './token-audit.ts'

const MOUNT = '/oidc'
const TOKEN = '/token'
const DISCOVERY = '/.well-known/openid-configuration'
const DISCOVERY_OAUTH = '/.well-known/oauth-authorization-server'
const JWKS = '/jwks'

export interface EmbeddedIssuer {
  issuer: string
  /** Its public signing keys. */
  jwks: { keys: PublicJwk[] }
  /** The entry that makes `createAuthenticator` believe its tokens. */
  trusted: TrustedIssuer
  /** Mounts it at /oidc. Every other path below answers 404, as any unknown path of the service. */
  routes(app: FastifyInstance): void
}

/**
 * The OpenID provider inside the service: issuer `<publicUrl>/oidc`, tokens for `<publicUrl>/v1`.
 * `signingKeys` are private ES256 keys; the first signs, all of them verify.
 */
export function embeddedIssuer(
  exchange: Pick<Exchange, 'database' | 'audit' | 'clock' | 'log' | 'publicUrl' | 'refusals'>,
  signingKeys: { keys: JWK[] }
): EmbeddedIssuer {
  if (signingKeys.keys.length === 0) throw new Error('There is no key to sign access tokens with.')
  const issuer = exchange.publicUrl + MOUNT
  const audience = `${exchange.publicUrl}/v1`
  const jwks = { keys: signingKeys.keys.map(publicPart) }
  const calls: TokenCalls = new WeakMap()
  const provider = createProvider(exchange, {
    issuer,
    audience,
    signingKeys,
    onProof(request) {
      const call = calls.get(request)
      if (call !== undefined) call.proven = true
    }
  })
  fixAddress(provider, exchange.publicUrl)
  recordTokens(provider, exchange, calls)
  showOnlyWhatIsOn(provider)

  return {
    issuer,
    jwks,
    trusted: {
      issuer,
      identityIssuer: EMBEDDED,
      audience,
      jwks,
      tokenAgeSecondsMax: ACCESS_TOKEN_SECONDS
    },
    routes(app) {
      const serve = handOver(provider, calls)
      app.register(async scope => {
        // The provider reads the body itself: here nobody else may.
        scope.removeAllContentTypeParsers()
        scope.addContentTypeParser('*', (_request, _payload, done) => done(null))
        const hidden = { exposeHeadRoute: false, schema: { hide: true } }
        const read = { ...open, ...hidden }
        const issue = { ...publicly('token.issue'), ...hidden }
        scope.post(MOUNT + TOKEN, issue, serve(TOKEN))
        scope.get(MOUNT + JWKS, read, serve(JWKS))
        scope.get(MOUNT + DISCOVERY, read, serve(DISCOVERY))
        // RFC 8414, section 3.1: the path of the issuer comes after the well-known part.
        scope.get(DISCOVERY_OAUTH + MOUNT, read, serve(DISCOVERY_OAUTH))
      })
    }
  }
}

/** Gives a request to the provider as if it were mounted by itself at `path`. */
function handOver(provider: Provider, calls: TokenCalls) {
  const callback = provider.callback()
  return (path: string) =>
    async (request: FastifyRequest, reply: FastifyReply): Promise<void> => {
      const { raw } = request
      const asked = raw.url
      calls.set(raw, { trace: traceOf(request), proven: false, failure: undefined })
      reply.hijack()
      for (const [name, value] of Object.entries(reply.getHeaders())) {
        if (value !== undefined) reply.raw.setHeader(name, value)
      }
      raw.url = path
      await callback(raw, reply.raw)
      raw.url = asked ?? path
    }
}

/** The provider builds addresses from the Host header; here they come from the configuration. */
function fixAddress(provider: Provider, publicUrl: string): void {
  provider.use(async (ctx, next) => {
    const message: IncomingMessage & { originalUrl?: string } = ctx.req
    message.originalUrl = MOUNT + ctx.path
    ctx.request.originalUrl = publicUrl + MOUNT + ctx.path
    await next()
  })
}

/** RFC 8414, section 2. The provider also announces endpoints that are off here, or never built. */
function showOnlyWhatIsOn(provider: Provider): void {
  provider.use(async (ctx, next) => {
    await next()
    if (ctx.path !== DISCOVERY && ctx.path !== DISCOVERY_OAUTH) return
    ctx.body = {
      issuer: provider.issuer,
      token_endpoint: provider.issuer + TOKEN,
      jwks_uri: provider.issuer + JWKS,
      scopes_supported: [EXCHANGE_SCOPE],
      response_types_supported: [],
      grant_types_supported: ['client_credentials'],
      token_endpoint_auth_methods_supported: ['private_key_jwt'],
      token_endpoint_auth_signing_alg_values_supported: ['ES384']
    }
  })
}

/** Throws unless the key is one that ES256 can sign with: P-256, private, with a key id. */
function publicPart({ kty, crv, x, y, d, kid }: JWK): PublicJwk {
  const whole = x !== undefined && y !== undefined && d !== undefined && kid !== undefined
  if (kty !== 'EC' || crv !== 'P-256' || !whole) {
    throw new Error('A signing key of the issuer is not a private P-256 key with a key id.')
  }
  return { kty, crv, x, y, kid, alg: 'ES256', use: 'sig' }
}
