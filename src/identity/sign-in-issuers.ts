import type { FastifyBaseLogger } from 'fastify'
import { importJWK } from 'jose'
import {
  AuthorizationResponseError,
  allowInsecureRequests,
  authorizationCodeGrant,
  buildAuthorizationUrl,
  buildEndSessionUrl,
  type ClientAuth,
  ClientSecretBasic,
  ClientSecretPost,
  type Configuration,
  type CryptoKey,
  calculatePKCECodeChallenge,
  clockTolerance,
  customFetch,
  discovery,
  enableNonRepudiationChecks,
  type IDToken,
  modifyAssertion,
  PrivateKeyJwt,
  ResponseBodyError
} from 'openid-client'
import type { SignInSettings } from '../config-sign-in.ts'
import { Refusal } from '../errors.ts'
import type { Clock } from '../exchange.ts'
import { CLOCK_SKEW_SECONDS } from './authenticate.ts'
import { fetchFromIssuer, IssuerUnreachable, unreachableIn } from './issuer-fetch.ts'

/** How long what an issuer says about itself is believed before it is asked again. */
const KNOWN_MINUTES = 60
/** How long one that did not answer is left alone, whoever asks. */
const REST_SECONDS = 10
/** Each question to an issuer; somebody is looking at an empty page meanwhile. */
const ANSWER_SECONDS_MAX = 5
const SUBJECT = /^[\x21-\x7e]{1,255}$/

/** What one try of signing in is known by at both ends (RFC 6749, RFC 7636, OpenID Connect Core). */
export interface Attempt {
  state: string
  nonce: string
  /** Of PKCE, in clear. */
  verifier: string
}

/** Whom an issuer says that it has signed in. */
export interface ShownPerson {
  issuer: string
  subject: string
}

/** An OpenID issuer of others through which people sign in. */
export interface SignInIssuer {
  name: string
  label: string
  issuer: string
  /**
   * Where a browser goes to sign in there; `again` has it ask even whom it knows. Throws Refusal
   * `issuer-unavailable`.
   */
  signInUrl(attempt: Attempt, again: boolean): Promise<string>
  /**
   * Who came back, by the query of the address that they came back to. `since` (milliseconds UTC) is
   * when they were sent to sign in anew, if they were. Throws Refusal `issuer-unavailable`,
   * `issuer-declined`, `issuer-answer-refused`, `assurance-refused` or `proof-refused`.
   */
  person(query: string, attempt: Attempt, since?: number): Promise<ShownPerson>
  /** Where a browser goes to sign out there too, or undefined. Throws Refusal `issuer-unavailable`. */
  signOutUrl(): Promise<string | undefined>
}

export interface SignInIssuers {
  all: SignInIssuer[]
  /** By its name in our addresses. Throws Refusal `issuer-not-found`. */
  named(name: string): SignInIssuer
  /** By its own URL; undefined for one that is not configured any more. */
  of(issuer: string): SignInIssuer | undefined
}

interface World {
  publicUrl: string
  clock: Clock
  log: Pick<FastifyBaseLogger, 'warn'>
}

/** Prepares the issuers of the configuration. None is asked anything before somebody wants to sign in. */
export async function openSignInIssuers(
  settings: SignInSettings[],
  world: World
): Promise<SignInIssuers> {
  const all = await Promise.all(settings.map(one => openIssuer(one, world)))
  return {
    all,
    named(name) {
      const found = all.find(issuer => issuer.name === name)
      if (found === undefined) throw new Refusal('issuer-not-found')
      return found
    },
    of: url => all.find(({ issuer }) => issuer === url)
  }
}

async function openIssuer(settings: SignInSettings, world: World): Promise<SignInIssuer> {
  const { name, label, issuer, scope, acrValues } = settings
  const known = configurationOf(settings, await clientAuthOf(settings), world)
  // One address for each issuer: an answer of one is none of another (RFC 9700, section 4.4.2).
  const redirectUri = `${world.publicUrl}/sign-in/from/${name}`

  async function ask<T>(work: (configuration: Configuration) => Promise<T> | T): Promise<T> {
    try {
      return await work(await known())
    } catch (err) {
      const refusal = refusalOf(err)
      if (refusal.code !== 'issuer-declined') {
        world.log.warn({ issuer: name, code: refusal.code, reason: refusal.message }, 'no sign-in')
      }
      throw refusal
    }
  }

  return {
    name,
    label,
    issuer,
    signInUrl: ({ state, nonce, verifier }, again) =>
      ask(async configuration => {
        const url = buildAuthorizationUrl(configuration, {
          redirect_uri: redirectUri,
          scope,
          state,
          nonce,
          code_challenge: await calculatePKCECodeChallenge(verifier),
          code_challenge_method: 'S256',
          ...(acrValues !== undefined && { acr_values: acrValues }),
          ...(again && { prompt: 'login', max_age: '0' })
        })
        return url.href
      }),
    person: (query, { state, nonce, verifier }, since) =>
      ask(async configuration => {
        const answer = await authorizationCodeGrant(configuration, new URL(redirectUri + query), {
          expectedState: state,
          expectedNonce: nonce,
          pkceCodeVerifier: verifier
        })
        const claims = answer.claims()
        if (claims === undefined) throw new Refusal('issuer-answer-refused', 'no ID token')
        return judge(claims, settings, since)
      }),
    signOutUrl: () =>
      ask(configuration => {
        const { end_session_endpoint: end } = configuration.serverMetadata()
        if (end === undefined) return undefined
        return buildEndSessionUrl(configuration, {
          post_logout_redirect_uri: `${world.publicUrl}/`
        }).href
      })
  }
}

/** The claims are whole, of this issuer, for us, for this attempt, and signed; now what they say. */
function judge(claims: IDToken, settings: SignInSettings, since: number | undefined): ShownPerson {
  const { acr, auth_time: signedInAt } = claims
  // Issuers may pass over what was asked for: what they say they did is what counts.
  if (settings.acr !== undefined && !settings.acr.includes(String(acr))) {
    throw new Refusal('assurance-refused')
  }
  const earliest = since === undefined ? 0 : Math.floor(since / 1000) - CLOCK_SKEW_SECONDS
  if (since !== undefined && (signedInAt === undefined || signedInAt < earliest)) {
    throw new Refusal('proof-refused', signedInAt === undefined ? 'no auth_time' : 'auth_time')
  }
  const subject = claims[settings.subject]
  if (typeof subject !== 'string' || !SUBJECT.test(subject)) {
    throw new Refusal('issuer-answer-refused', 'names nobody')
  }
  return { issuer: settings.issuer, subject }
}

/**
 * What the issuer says about itself, asked for when it is first needed and again after an hour. Whoever
 * comes meanwhile waits for the same answer. One that failed is given a rest, so that those who try
 * again and again wait for nothing and do not weigh on it.
 */
function configurationOf(
  settings: SignInSettings,
  clientAuth: ClientAuth,
  { clock }: World
): () => Promise<Configuration> {
  let known: { configuration: Promise<Configuration>; until: number } | undefined
  return async () => {
    if (known !== undefined && clock() < known.until) return known.configuration
    const configuration = discover(settings, clientAuth)
    const asked = { configuration, until: clock() + KNOWN_MINUTES * 60_000 }
    known = asked
    return configuration.catch(err => {
      asked.until = clock() + REST_SECONDS * 1000
      throw err
    })
  }
}

async function discover(
  { issuer, clientId }: SignInSettings,
  clientAuth: ClientAuth
): Promise<Configuration> {
  const url = new URL(issuer)
  const configuration = await discovery(
    url,
    clientId,
    { [clockTolerance]: CLOCK_SKEW_SECONDS },
    clientAuth,
    {
      timeout: ANSWER_SECONDS_MAX,
      [customFetch]: fetchFromIssuer,
      execute: [
        // The signature too: what TLS says of a token's way says nothing once a proxy reads along.
        enableNonRepudiationChecks,
        // The configuration allows it on this machine itself alone.
        ...(url.protocol === 'http:' ? [allowInsecureRequests] : [])
      ]
    }
  ).catch(err => {
    throw unreachableIn(err) ?? new IssuerUnreachable(`discovery ${reasonOf(err)}`)
  })
  // The library lets Entra ID say otherwise, for those who take every tenant.
  if (configuration.serverMetadata().issuer !== issuer) {
    throw new IssuerUnreachable('it calls itself otherwise')
  }
  return configuration
}

async function clientAuthOf({ proof }: SignInSettings): Promise<ClientAuth> {
  if ('secret' in proof) {
    const [basic, post] = [ClientSecretBasic(proof.secret), ClientSecretPost(proof.secret)]
    return (server, ...rest) => {
      // OpenID Connect Discovery 1.0, section 3: without a word it is basic.
      const methods = server.token_endpoint_auth_methods_supported ?? ['client_secret_basic']
      return (methods.includes('client_secret_basic') ? basic : post)(server, ...rest)
    }
  }
  const { kid, alg } = proof.key
  const key = (await importJWK({ ...proof.key, kty: String(proof.key.kty) }, alg)) as CryptoKey
  return (server, ...rest) => {
    const { token_endpoint: endpoint } = server
    const own = proof.audience === 'token-endpoint' && endpoint !== undefined
    return PrivateKeyJwt({ key, kid }, own ? { [modifyAssertion]: aimAt(endpoint) } : {})(
      server,
      ...rest
    )
  }
}

/** Some issuers want to be called by the address that the assertion is sent to. */
const aimAt =
  (audience: string) =>
  (_header: Record<string, unknown>, payload: Record<string, unknown>): void => {
    payload['aud'] = audience
  }

/** Errors of the library carry codes and tokens that were sent: only what they are called goes on. */
function refusalOf(err: unknown): Refusal {
  if (err instanceof Refusal) return err
  const unreachable = unreachableIn(err)
  if (unreachable !== undefined) return new Refusal('issuer-unavailable', unreachable.message)
  if (err instanceof AuthorizationResponseError) return new Refusal('issuer-declined', word(err))
  if (err instanceof ResponseBodyError) {
    // It does not know us: nothing that whoever wants to sign in could put right.
    const isOurs = /^(invalid_client|unauthorized_client)$/.test(err.error)
    return new Refusal(isOurs ? 'issuer-unavailable' : 'issuer-answer-refused', word(err))
  }
  return new Refusal('issuer-answer-refused', reasonOf(err))
}

const word = ({ error }: { error: string }): string =>
  /^[a-z_]{1,40}$/.test(error) ? error : 'unknown'

function reasonOf(err: unknown): string {
  const { code, name } = Object(err)
  return typeof code === 'string' ? code.slice(0, 60) : String(name).slice(0, 60)
}
