import { randomUUID } from 'node:crypto'
import { importJWK, SignJWT } from 'jose'
import { readPrivateFile } from '../sealing/private-file.ts'

/** The private key of a machine client, as `npm run add-client` prints it. */
export interface ClientKey {
  kid: string
  client_id: string
  [member: string]: string
}

export interface AccessToken {
  value: string
  /** For how long it is accepted from now on. */
  seconds: number
}

const ASSERTION_SECONDS = 60
/** What the service gives, where its answer does not say. */
const TOKEN_SECONDS = 300
const ANSWER_MILLISECONDS_MAX = 60_000
const LOOPBACK = new Set(['localhost', '127.0.0.1', '[::1]'])

/** The token endpoint did not answer, which has a cause, or said that it cannot now. */
export class TokenEndpointAway extends Error {}

export async function readClientKey(path: string): Promise<ClientKey> {
  const text = await readPrivateFile(path)
  let key: unknown
  try {
    key = JSON.parse(text)
  } catch {
    // The parser's own message would quote the key.
  }
  if (!isClientKey(key)) throw new Error(`${path} is not a client key.`)
  return key
}

function isClientKey(value: unknown): value is ClientKey {
  if (typeof value !== 'object' || value === null) return false
  const key: Record<string, unknown> = { ...value }
  return ['kty', 'd', 'kid', 'client_id'].every(name => typeof key[name] === 'string')
}

/**
 * An access token for the client, good for five minutes (SMART Backend Services). `baseUrl` is where
 * the service answers, `knownAs` what it calls itself. Throws with a sentence for the person who
 * typed the command; TokenEndpointAway when it may come right by itself, as most causes do.
 */
export async function requestToken(
  baseUrl: string,
  key: ClientKey,
  knownAs = baseUrl
): Promise<AccessToken> {
  const endpoint = tokenEndpoint(baseUrl)
  const response = await fetch(endpoint, {
    method: 'POST',
    redirect: 'error',
    signal: AbortSignal.timeout(ANSWER_MILLISECONDS_MAX),
    body: new URLSearchParams({
      grant_type: 'client_credentials',
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
      client_assertion: await makeAssertion(key, tokenEndpoint(knownAs))
    })
  }).catch(cause => {
    throw new TokenEndpointAway(`${endpoint} does not answer. Is the service running?`, { cause })
  })
  const answer: unknown = await response.json().catch(() => undefined)
  const body: Record<string, unknown> = { ...Object(answer) }
  const seconds = Number(body.expires_in ?? TOKEN_SECONDS)
  if (response.ok && typeof body.access_token === 'string') {
    return { value: body.access_token, seconds: Number.isFinite(seconds) ? seconds : TOKEN_SECONDS }
  }
  const told = /^[a-z_-]{1,60}$/.test(String(body.error)) ? String(body.error) : 'unknown'
  if (response.status === 429 || response.status >= 500) {
    throw new TokenEndpointAway(`No token: ${response.status} ${told}.`)
  }
  const hint =
    body.error === 'invalid_client'
      ? ' Is the client enrolled and not disabled, and is the URL what the service calls itself?'
      : ''
  throw new Error(`No token: ${response.status} ${told}.${hint}`)
}

/** An access token must not cross a network in clear. */
export function requireSafeUrl(text: string): URL {
  if (!URL.canParse(text)) throw new Error('The URL of the service is not a URL.')
  const url = new URL(text)
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && LOOPBACK.has(url.hostname))) {
    throw new Error('The URL must begin with https://, except on this machine itself.')
  }
  return url
}

const tokenEndpoint = (text: string): string => `${requireSafeUrl(text).origin}/oidc/token`

/** RFC 7523, section 3, with the limits of SMART Backend Services. */
async function makeAssertion(key: ClientKey, endpoint: string): Promise<string> {
  return new SignJWT({ jti: randomUUID() })
    .setProtectedHeader({ alg: 'ES384', kid: key.kid, typ: 'JWT' })
    .setIssuer(key.client_id)
    .setSubject(key.client_id)
    .setAudience(endpoint)
    .setIssuedAt()
    .setExpirationTime(`${ASSERTION_SECONDS}s`)
    .sign(await importJWK(key, 'ES384'))
}
