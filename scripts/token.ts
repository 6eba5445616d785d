import { randomUUID } from 'node:crypto'
import { importJWK, SignJWT } from 'jose'
import { readPrivateFile } from '../src/sealing/private-file.ts'
import { runCommand } from './command.ts'

const usage = `Gets an access token for a machine client and prints it. It is good for five minutes.

  node scripts/token.ts --client FILE [--url URL]

  --client   the file that add-client.ts wrote
  --url      what the service calls itself (CONSILIUM_URL); http://localhost:3000 if not given

  curl -H "Authorization: Bearer $(node scripts/token.ts --client FILE)" http://localhost:3000/v1/account`

const URL_DEFAULT = 'http://localhost:3000'
const ASSERTION_SECONDS = 60
const LOOPBACK = new Set(['localhost', '127.0.0.1', '[::1]'])

await runCommand(usage, { required: ['client'], optional: ['url'] }, async values => {
  const key = await readKey(values.client ?? '')
  const endpoint = tokenEndpoint(values.url ?? URL_DEFAULT)
  console.log(await fetchToken(endpoint, await makeAssertion(key, endpoint)))
})

interface Key {
  kid: string
  client_id: string
  [member: string]: string
}

async function readKey(path: string): Promise<Key> {
  const text = await readPrivateFile(path)
  let key: unknown
  try {
    key = JSON.parse(text)
  } catch {
    // The parser's own message would quote the key.
  }
  if (!isKey(key)) throw new Error(`${path} is not a client key.`)
  return key
}

function isKey(value: unknown): value is Key {
  if (typeof value !== 'object' || value === null) return false
  const key: Record<string, unknown> = { ...value }
  return ['kty', 'd', 'kid', 'client_id'].every(name => typeof key[name] === 'string')
}

/** An access token must not cross a network in clear. */
function tokenEndpoint(text: string): string {
  if (!URL.canParse(text)) throw new Error('--url is not a URL.')
  const url = new URL(text)
  if (url.protocol !== 'https:' && !LOOPBACK.has(url.hostname)) {
    throw new Error('--url must begin with https://, except on this machine itself.')
  }
  return `${url.origin}/oidc/token`
}

/** RFC 7523, section 3, with the limits of SMART Backend Services. */
async function makeAssertion(key: Key, endpoint: string): Promise<string> {
  return new SignJWT({ jti: randomUUID() })
    .setProtectedHeader({ alg: 'ES384', kid: key.kid, typ: 'JWT' })
    .setIssuer(key.client_id)
    .setSubject(key.client_id)
    .setAudience(endpoint)
    .setIssuedAt()
    .setExpirationTime(`${ASSERTION_SECONDS}s`)
    .sign(await importJWK(key, 'ES384'))
}

async function fetchToken(endpoint: string, assertion: string): Promise<string> {
  const response = await fetch(endpoint, {
    method: 'POST',
    redirect: 'error',
    body: new URLSearchParams({
      grant_type: 'client_credentials',
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
      client_assertion: assertion
    })
  }).catch(() => {
    throw new Error(`${endpoint} does not answer. Is the service running?`)
  })
  const answer: unknown = await response.json().catch(() => undefined)
  const body: Record<string, unknown> = { ...Object(answer) }
  if (response.ok && typeof body.access_token === 'string') return body.access_token
  const hint =
    body.error === 'invalid_client'
      ? ' Is the client enrolled and not disabled, and is --url what the service calls itself?'
      : ''
  throw new Error(`No token: ${response.status} ${String(body.error ?? 'unknown')}.${hint}`)
}
