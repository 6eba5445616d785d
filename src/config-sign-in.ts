import { createPrivateKey, type JsonWebKey } from 'node:crypto'
import { readFileSync, statSync } from 'node:fs'
import { dirname, resolve } from 'node:path'

const LOOPBACK = new Set(['127.0.0.1', '[::1]', 'localhost'])
const NAME = /^[a-z][a-z0-9-]{0,30}$/
const TEXT_CHARACTERS_MAX = 255
const LABEL_CHARACTERS_MAX = 60
/** A shared secret of fewer could be guessed. */
const SECRET_CHARACTERS_MIN = 16
const ISSUERS_MAX = 10
/** What signs our proof to an issuer, and the kind of key it takes (RFC 7518, section 3.1). */
const ALGORITHMS: Record<string, string> = {
  ES256: 'P-256',
  ES384: 'P-384',
  PS256: 'RSA',
  PS384: 'RSA',
  PS512: 'RSA',
  RS256: 'RSA',
  RS384: 'RSA',
  RS512: 'RSA'
}
/** They are given to somebody else one day, or changed by their holder. */
const NOBODYS_FOR_EVER = new Set(['email', 'preferred_username', 'upn', 'unique_name', 'name'])
const FIELDS = new Set([
  'name',
  'label',
  'issuer',
  'clientId',
  'clientSecretFile',
  'clientKeyFile',
  'assertionAudience',
  'scope',
  'acr',
  'acrValues',
  'subject'
])

/** How we prove to an issuer that we are its client. */
export type ClientProof =
  | { secret: string }
  | { key: JsonWebKey & { kid: string; alg: string }; audience: 'issuer' | 'token-endpoint' }

/** An OpenID issuer through which people sign in. */
export interface SignInSettings {
  /** In addresses of ours. */
  name: string
  /** On the button. */
  label: string
  /** Its `iss`, compared byte for byte. */
  issuer: string
  clientId: string
  proof: ClientProof
  scope: string
  /** One of these must be the `acr` of its answer; undefined when it is to see to it alone. */
  acr: string[] | undefined
  /** What is asked for as `acr_values`; undefined when nothing is. */
  acrValues: string | undefined
  /** The claim that names a person for ever. */
  subject: string
}

type Env = Record<string, string | undefined>
type Entry = Record<string, unknown>

/**
 * Reads the issuers through which people sign in, from the JSON file that the operator names. What is
 * wrong or unsafe is added to `problems`, which never quote a secret.
 */
export function readSignIn(env: Env, publicUrl: string, problems: string[]): SignInSettings[] {
  const path = env['CONSILIUM_SIGN_IN_ISSUERS']
  if (!path) return []
  const entries = readEntries(path, problems)
  const found = entries.map((entry, at) => {
    const own: string[] = []
    const settings = readEntry(entry, dirname(path), publicUrl, own)
    const who = NAME.test(String(entry['name'])) ? String(entry['name']) : `number ${at + 1}`
    problems.push(...own.map(problem => `Sign-in issuer ${who}: ${problem}`))
    return settings
  })
  requireDifferent(entries, problems)
  return found
}

function readEntries(path: string, problems: string[]): Entry[] {
  try {
    const entries: unknown = JSON.parse(readFileSync(path, 'utf8'))
    const isList = Array.isArray(entries) && entries.length <= ISSUERS_MAX
    if (isList && entries.every(entry => typeof entry === 'object' && entry !== null)) {
      return entries
    }
  } catch {
    // The parser's own message would quote the file.
  }
  problems.push(
    `CONSILIUM_SIGN_IN_ISSUERS must name a JSON file with a list of at most ${ISSUERS_MAX} issuers.`
  )
  return []
}

function readEntry(
  entry: Entry,
  folder: string,
  publicUrl: string,
  problems: string[]
): SignInSettings {
  for (const field of Object.keys(entry).filter(name => !FIELDS.has(name))) {
    problems.push(`${field.slice(0, 40)} is no setting.`)
  }
  const text = (field: string, fallback?: string): string => {
    const value = entry[field] ?? fallback
    const isText = typeof value === 'string' && /^[^\p{Cc}]+$/u.test(value)
    if (isText && value.length <= TEXT_CHARACTERS_MAX) return value
    problems.push(`${field} must be a text of 1 to ${TEXT_CHARACTERS_MAX} characters.`)
    return ''
  }
  const name = text('name')
  if (!NAME.test(name)) problems.push('name must be small letters, digits and hyphens, as "city".')
  const label = text('label')
  if (label.length > LABEL_CHARACTERS_MAX) {
    problems.push(`label must be at most ${LABEL_CHARACTERS_MAX} characters.`)
  }
  const scope = text('scope', 'openid')
  if (!scope.split(' ').includes('openid')) problems.push('scope must hold openid.')
  const subject = text('subject', 'sub')
  if (NOBODYS_FOR_EVER.has(subject)) {
    problems.push(`subject must not be ${subject}: it may be another person's one day.`)
  }
  const acr = readAcr(entry['acr'], problems)
  const acrValues = 'acrValues' in entry ? text('acrValues') : acr?.join(' ')
  const issuer = readIssuer(text('issuer'), publicUrl, problems)
  const proof = readProof(entry, folder, problems)
  return { name, label, issuer, clientId: text('clientId'), proof, scope, acr, acrValues, subject }
}

/** How strongly people must have signed in there is said, or said to be the issuer's own business. */
function readAcr(value: unknown, problems: string[]): string[] | undefined {
  if (value === 'not-checked') return undefined
  const isList = Array.isArray(value) && value.length > 0
  if (isList && value.every(one => typeof one === 'string' && /^[\x21-\x7e]{1,200}$/.test(one))) {
    return value
  }
  problems.push(
    'acr must list the values of which one has to be in its answer, or be "not-checked" where the issuer itself lets nobody through with a password alone.'
  )
  return []
}

function readIssuer(text: string, publicUrl: string, problems: string[]): string {
  const url = URL.canParse(text) ? new URL(text) : undefined
  const isLocal = url?.protocol === 'http:' && LOOPBACK.has(url.hostname)
  if (url === undefined || (url.protocol !== 'https:' && !isLocal)) {
    problems.push('issuer must be an https URL; http is for this machine itself.')
    return text
  }
  if (
    url.search !== '' ||
    url.hash !== '' ||
    url.username !== '' ||
    /\/\.well-known\//.test(text)
  ) {
    problems.push('issuer must be the issuer itself: no user, query, fragment or well-known path.')
  }
  if (text.startsWith(`${publicUrl}/`) || text === publicUrl) {
    problems.push('issuer must not be this service.')
  }
  // Such an address stands for every tenant that there is: anybody could make one and sign in.
  if (/^\/(common|organizations|consumers)(\/|$)/.test(url.pathname)) {
    problems.push('issuer must be one tenant of Entra ID, by its id, and not all of them.')
  }
  return text
}

function readProof(entry: Entry, folder: string, problems: string[]): ClientProof {
  const { clientSecretFile, clientKeyFile, assertionAudience = 'issuer' } = entry
  const named = [clientSecretFile, clientKeyFile].filter(file => typeof file === 'string')
  const [file = ''] = named
  if (named.length !== 1) {
    problems.push('give either clientSecretFile or clientKeyFile.')
    return { secret: '' }
  }
  const field = file === clientSecretFile ? 'clientSecretFile' : 'clientKeyFile'
  const text = readSecret(resolve(folder, file), field, problems)
  if (text === undefined) return { secret: '' }
  if (field === 'clientSecretFile') {
    if (text.length < SECRET_CHARACTERS_MIN) {
      problems.push(`the secret must be at least ${SECRET_CHARACTERS_MIN} characters.`)
    }
    return { secret: text }
  }
  if (assertionAudience !== 'issuer' && assertionAudience !== 'token-endpoint') {
    problems.push('assertionAudience must be "issuer" or "token-endpoint".')
    return { secret: '' }
  }
  const key = readKey(text)
  if (key !== undefined) return { key, audience: assertionAudience }
  problems.push(
    `clientKeyFile must hold a private JWK with kid and alg, of ${Object.keys(ALGORITHMS).join(', ')}.`
  )
  return { secret: '' }
}

function readSecret(path: string, field: string, problems: string[]): string | undefined {
  try {
    if ((statSync(path).mode & 0o077) !== 0) {
      problems.push(`the file of ${field} can be read by others: chmod 600 it.`)
    }
    return readFileSync(path, 'utf8').trim()
  } catch {
    problems.push(`${field} names no file that can be read.`)
    return undefined
  }
}

function readKey(text: string): (JsonWebKey & { kid: string; alg: string }) | undefined {
  try {
    const key: JsonWebKey & { kid?: unknown; alg?: unknown } = JSON.parse(text)
    const { kid, alg, kty, crv } = key
    createPrivateKey({ key, format: 'jwk' })
    if (typeof kid !== 'string' || typeof alg !== 'string') return undefined
    return ALGORITHMS[alg] === (kty === 'RSA' ? kty : crv) ? { ...key, kid, alg } : undefined
  } catch {
    // What the parser says would quote the key.
    return undefined
  }
}

/** Two that are the same in any of these could be taken for each other. */
function requireDifferent(entries: Entry[], problems: string[]): void {
  for (const field of ['name', 'label', 'issuer', 'clientSecretFile', 'clientKeyFile']) {
    const values = entries.map(entry => entry[field]).filter(value => value !== undefined)
    if (new Set(values).size < values.length) {
      problems.push(`Two sign-in issuers have the same ${field}.`)
    }
  }
}
