import { randomUUID } from 'node:crypto'
import { importJWK, SignJWT } from 'jose'
import { readPrivateFile } from '../src/sealing/private-file.ts'

/** The private key of a machine client, as `npm run add-client` prints it. */
export interface ClientKey {
  kid: string
  client_id: string
  [member: string]: string
}

const ASSERTION_SECONDS = 60
const LOOPBACK = new Set(['localhost', '127.0.0.1', '[::1]'])

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
 * An access token for the client, good for five minutes (SMART Backend Services). `baseUrl` is what
 * the service calls itself. Throws with a sentence for the person who typed the command.
 */
export async function requestToken(baseUrl: string, key: ClientKey): Promise<string> {
  const endpoint = tokenEndpoint(baseUrl)
  const response = await fetch(endpoint, {
    method: 'POST',
    redirect: 'error',
    body: new URLSearchParams({
      grant_type: 'client_credentials',
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
      client_assertion: await makeAssertion(key, endpoint)
    })
  }).catch(() => {
    throw new Error(`${endpoint} does not answer. Is the service running?`)
  })
  const answer: unknown = await response.json().catch(() => undefined)
  const body: Record<string, unknown> = { ...Object(answer) }
  if (response.ok && typeof body.access_token === 'string') return body.access_token
  const hint =
    body.error === 'invalid_client'
      ? ' Is the client enrolled and not disabled, and is the URL what the service calls itself?'
      : ''
  throw new Error(`No token: ${response.status} ${String(body.error ?? 'unknown')}.${hint}`)
}

/** An access token must not cross a network in clear. */
function tokenEndpoint(text: string): string {
  if (!URL.canParse(text)) throw new Error('The URL of the service is not a URL.')
  const url = new URL(text)
  if (url.protocol !== 'https:' && !LOOPBACK.has(url.hostname)) {
    throw new Error('The URL must begin with https://, except on this machine itself.')
  }
  return `${url.origin}/oidc/token`
}

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
