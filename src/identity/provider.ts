import type { JWK } from 'jose'
import { type Configuration, errors, Provider } from 'oidc-provider'
import type { Exchange } from '../exchange.ts'
import { assertionProblem } from './assertion.ts'
import { CLOCK_SKEW_SECONDS, EXCHANGE_SCOPE } from './authenticate.ts'
import { oidcAdapters } from './oidc-adapter.ts'

/** SMART Backend Services: an access token lives at most five minutes. */
export const ACCESS_TOKEN_SECONDS = 300

/** What the provider needs to know of the world. */
export interface ProviderSettings {
  issuer: string
  /** The one resource its tokens are for. */
  audience: string
  /** Private ES256 keys as JWKs with a `kid`; the first signs. */
  signingKeys: { keys: JWK[] }
  /** Called once a client has proved itself, with the Node request it came in. */
  onProof(request: object): void
}

/**
 * The OpenID provider with everything off but client_credentials with private_key_jwt (ES384), as
 * SMART Backend Services has it. What is on later (people) is added here, one feature at a time.
 */
export function createProvider(
  exchange: Pick<Exchange, 'database' | 'clock'>,
  settings: ProviderSettings
): Provider {
  const { issuer, audience } = settings
  const audiences = new Set([issuer, `${issuer}/token`])
  const now = () => Math.floor(exchange.clock() / 1000)
  const configuration: Configuration = {
    adapter: oidcAdapters(exchange),
    jwks: { keys: settings.signingKeys.keys.map(key => ({ ...key, use: 'sig', alg: 'ES256' })) },
    clientAuthMethods: ['private_key_jwt'],
    clientDefaults: {
      token_endpoint_auth_method: 'private_key_jwt',
      token_endpoint_auth_signing_alg: 'ES384',
      grant_types: ['client_credentials'],
      response_types: [],
      redirect_uris: [],
      id_token_signed_response_alg: 'ES256'
    },
    enabledJWA: { clientAuthSigningAlgValues: ['ES384'], idTokenSigningAlgValues: ['ES256'] },
    clockTolerance: CLOCK_SKEW_SECONDS,
    assertJwtClientAuthClaimsAndHeader(ctx, claims) {
      const problem = assertionProblem(claims, audiences, now())
      if (problem !== undefined) throw new errors.InvalidClientAuth(problem)
      settings.onProof(ctx.req)
    },
    clientBasedCORS: () => false,
    responseTypes: [],
    scopes: [],
    features: features(audience),
    formats: {
      customizers: {
        // The provider reads the time of the machine. Here one clock judges every expiry.
        jwt(_ctx, _token, { payload }) {
          payload.iat = now()
          payload.exp = now() + ACCESS_TOKEN_SECONDS
        }
      }
    },
    ttl: { ClientCredentials: ACCESS_TOKEN_SECONDS },
    // For callers that accept HTML. The provider's own error page is never shown.
    renderError(ctx, out) {
      ctx.type = 'application/json'
      ctx.body = out
    }
  }
  // `proxy` stays false: forwarded headers are believed by Fastify alone, and every address the
  // provider writes comes from the configuration.
  return new Provider(issuer, configuration)
}

function features(audience: string): NonNullable<Configuration['features']> {
  return {
    clientCredentials: { enabled: true },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => audience,
      getResourceServerInfo(ctx, resource) {
        if (resource !== audience) throw new errors.InvalidTarget()
        const params = ctx.oidc.params
        const wanted = typeof params?.scope === 'string' ? params.scope.split(' ') : undefined
        if (wanted !== undefined && !wanted.includes(EXCHANGE_SCOPE)) {
          throw new errors.InvalidScope(`the only scope is ${EXCHANGE_SCOPE}`, wanted.join(' '))
        }
        // Asking for none means asking for the one there is (RFC 6749, section 3.3).
        if (params !== undefined && wanted === undefined) params.scope = EXCHANGE_SCOPE
        return {
          scope: EXCHANGE_SCOPE,
          audience,
          accessTokenTTL: ACCESS_TOKEN_SECONDS,
          accessTokenFormat: 'jwt',
          jwt: { sign: { alg: 'ES256' } }
        }
      }
    },
    devInteractions: { enabled: false },
    dPoP: { enabled: false },
    introspection: { enabled: false },
    pushedAuthorizationRequests: { enabled: false },
    revocation: { enabled: false },
    registration: { enabled: false },
    rpInitiatedLogout: { enabled: false },
    userinfo: { enabled: false }
  }
}
