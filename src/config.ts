import { readFileSync, statSync } from 'node:fs'
import { resolve } from 'node:path'
import { createSecureContext } from 'node:tls'
import type { Witness } from './audit/tree/witness.ts'
import { type KeyringSettings, readKeyring } from './config-keyring.ts'
import { type Limits, readLimits } from './config-limits.ts'
import { isRange, list } from './config-lists.ts'
import { type MailSettings, readMail, readWebhookNetworks } from './config-notices.ts'
import { readS3, type S3Settings } from './config-s3.ts'
import { readScan, type ScanSettings } from './config-scan.ts'
import { readConsent, readCountryHeader } from './config-sharing.ts'
import { readSignIn, type SignInSettings } from './config-sign-in.ts'
import type { ConsentPolicy } from './consents/policy.ts'

export type { Limits } from './config-limits.ts'

export interface Config {
  dataDirectory: string
  /** Of PostgreSQL; without it the database is a file in the data directory. Holds a password. */
  databaseUrl: string | undefined
  host: string
  port: number
  /** Where clients reach the service, without a slash at its end. */
  publicUrl: string
  tls: { cert: Buffer; key: Buffer } | undefined
  /** Addresses or CIDR ranges whose X-Forwarded-For is believed. */
  trustedProxies: string[]
  /** Addresses or CIDR ranges that may read /metrics. */
  metricsReaders: string[]
  logLevel: string
  /** Who cosigns the checkpoints of the access log. */
  witnesses: Witness[]
  /** Where sealed objects are kept; on the local disk when undefined. */
  s3: S3Settings | undefined
  /** Where the keys are that wrap every other key. */
  keyring: KeyringSettings
  /** Who looks for malware; nobody when undefined. */
  scan: ScanSettings | undefined
  /** Where e-mail goes; without it no notice leaves. */
  mail: MailSettings | undefined
  /** Addresses or CIDR ranges that webhooks may go to although they are not public. */
  webhookNetworks: string[]
  /** Whether nothing is shared without the patient's recorded consent. */
  consent: ConsentPolicy
  /** In which header a trusted proxy says from which country a request comes, if it does. */
  countryHeader: string | undefined
  /** Through which issuers of others people sign in, beside passkeys. */
  signInIssuers: SignInSettings[]
  limits: Limits
}

/** One error that lists every problem, so that an operator mends them in one go. */
export class ConfigError extends Error {
  constructor(problems: string[]) {
    super(`Consilium cannot start:\n${problems.map(problem => `  - ${problem}`).join('\n')}`)
    this.name = 'ConfigError'
  }
}

const LOOPBACK = new Set(['127.0.0.1', '::1', 'localhost'])
const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']

/**
 * Reads the configuration from the environment (`docs/operating.md` lists it). Throws ConfigError
 * when anything is wrong or unsafe; nothing is created or opened here.
 */
export function readConfig(env: Record<string, string | undefined>): Config {
  const problems: string[] = []
  const number = (name: string, fallback: number, min: number, max: number): number => {
    const text = env[name]
    if (text === undefined || text === '') return fallback
    const value = Number(text)
    if (/^\d+$/.test(text) && value >= min && value <= max) return value
    problems.push(`${name} must be a whole number from ${min} to ${max}.`)
    return fallback
  }

  const host = env['CONSILIUM_HOST'] || '127.0.0.1'
  const port = number('CONSILIUM_PORT', 3000, 0, 65535)
  const tls = readTls(env, problems)
  const trustedProxies = list(env['CONSILIUM_TRUSTED_PROXIES'])
  const metricsReaders = list(env['CONSILIUM_METRICS_READERS'] || '127.0.0.1,::1')
  for (const range of [...trustedProxies, ...metricsReaders]) {
    if (!isRange(range)) {
      problems.push(
        `${range} is not an IP address or CIDR range (trusted proxies, metrics readers).`
      )
    }
    if (/^(0\.0\.0\.0|::)\/0$/.test(range) && trustedProxies.includes(range)) {
      problems.push('CONSILIUM_TRUSTED_PROXIES must not trust every address.')
    }
  }
  if (!LOOPBACK.has(host) && tls === undefined && trustedProxies.length === 0) {
    problems.push(
      `CONSILIUM_HOST=${host} is reachable from other machines, so it needs TLS (CONSILIUM_TLS_CERT and CONSILIUM_TLS_KEY) or a TLS proxy named in CONSILIUM_TRUSTED_PROXIES.`
    )
  }
  if (!LOOPBACK.has(host) && !env['CONSILIUM_URL']) {
    problems.push('CONSILIUM_URL must say how other machines reach the service: links carry it.')
  }
  const publicUrl = readPublicUrl(env['CONSILIUM_URL'], tls !== undefined, port, problems)
  const logLevel = env['CONSILIUM_LOG_LEVEL'] || 'info'
  if (!LOG_LEVELS.includes(logLevel)) {
    problems.push(`CONSILIUM_LOG_LEVEL must be one of ${LOG_LEVELS.join(', ')}.`)
  }
  const limits = readLimits(number)
  const witnesses = readWitnesses(env['CONSILIUM_WITNESSES'], problems)
  const databaseUrl = readDatabaseUrl('DATABASE_URL', env, problems)
  const s3 = readS3(env, limits.objectBytesMax, problems)
  const keyring = readKeyring(env, problems)
  const scan = readScan(env, number, problems)
  const mail = readMail(env, problems)
  const webhookNetworks = readWebhookNetworks(env, problems)
  const consent = readConsent(env, problems)
  const countryHeader = readCountryHeader(env, trustedProxies, problems)
  const signInIssuers = readSignIn(env, publicUrl, problems)
  if (limits.shareHoursDefault > limits.shareHoursMax) {
    problems.push('CONSILIUM_SHARE_HOURS_DEFAULT must not be above CONSILIUM_SHARE_HOURS_MAX.')
  }
  if (problems.length > 0) throw new ConfigError(problems)
  return Object.freeze({
    dataDirectory: resolve(env['CONSILIUM_DATA'] || 'data'),
    databaseUrl,
    host,
    port,
    publicUrl,
    tls,
    trustedProxies,
    metricsReaders,
    logLevel,
    witnesses,
    s3,
    keyring,
    scan,
    mail,
    webhookNetworks,
    consent,
    countryHeader,
    signInIssuers,
    limits: Object.freeze(limits)
  })
}

function readTls(env: Record<string, string | undefined>, problems: string[]): Config['tls'] {
  const [cert, key] = [env['CONSILIUM_TLS_CERT'], env['CONSILIUM_TLS_KEY']]
  if (!cert && !key) return undefined
  if (!cert || !key) {
    problems.push(
      'CONSILIUM_TLS_CERT and CONSILIUM_TLS_KEY belong together: name both files or none.'
    )
    return undefined
  }
  try {
    if ((statSync(key).mode & 0o077) !== 0) {
      problems.push('The file of CONSILIUM_TLS_KEY can be read by others: chmod 600 it.')
    }
    const tls = { cert: readFileSync(cert), key: readFileSync(key) }
    createSecureContext(tls)
    return tls
  } catch (err) {
    const code = err instanceof Error && 'code' in err ? String(err.code) : 'unknown'
    problems.push(`The TLS certificate or key cannot be read or used (${code}).`)
    return undefined
  }
}

/**
 * The address of a PostgreSQL database, checked: on another machine only over TLS that knows whom it
 * talks to. Problems never quote it, because it holds a password.
 */
export function readDatabaseUrl(
  name: string,
  env: Record<string, string | undefined>,
  problems: string[]
): string | undefined {
  const text = env[name]
  if (!text) return undefined
  const url = URL.canParse(text) ? new URL(text) : undefined
  const isAddress = url !== undefined && /^postgres(ql)?:$/.test(url.protocol)
  if (!isAddress || url.pathname.length < 2 || url.username === '') {
    problems.push(`${name} must be an address such as postgres://role:password@host/database.`)
    return undefined
  }
  // A host among the parameters wins; one that is a path is a socket of this machine.
  const host = url.searchParams.get('host') ?? url.hostname
  const isLocal = LOOPBACK.has(host) || host === '[::1]' || host === '' || host.startsWith('/')
  if (!isLocal && url.searchParams.get('sslmode') !== 'verify-full') {
    problems.push(`${name} names another machine, so it must end in ?sslmode=verify-full.`)
  }
  return text
}

/** Pairs of verifier key and address, each `vkey url`, separated by commas. */
function readWitnesses(text: string | undefined, problems: string[]): Witness[] {
  return list(text).flatMap(entry => {
    const [vkey = '', address = ''] = entry.split(/\s+/)
    const isKey = /^[^+\s]+\+[0-9a-f]{8}\+[A-Za-z0-9+/=]+$/.test(vkey)
    const url = URL.canParse(address) ? new URL(address) : undefined
    const isSafe = url?.protocol === 'https:' || (url && LOOPBACK.has(url.hostname))
    if (isKey && isSafe) return [{ vkey, url: address.replace(/\/+$/, '') }]
    problems.push('CONSILIUM_WITNESSES must list pairs of verifier key and https address.')
    return []
  })
}

/** The public address must be HTTPS wherever other machines use it: links and tokens carry it. */
function readPublicUrl(
  text: string | undefined,
  hasTls: boolean,
  port: number,
  problems: string[]
): string {
  const fallback = `${hasTls ? 'https' : 'http'}://localhost:${port}`
  if (!text) return fallback
  if (!URL.canParse(text)) {
    problems.push('CONSILIUM_URL is not a URL.')
    return fallback
  }
  const url = new URL(text)
  const local = LOOPBACK.has(url.hostname) || url.hostname === '[::1]'
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && local)) {
    problems.push('CONSILIUM_URL must begin with https://, except on this machine itself.')
  }
  if (url.pathname !== '/' || url.search !== '' || url.hash !== '' || url.username !== '') {
    problems.push('CONSILIUM_URL must be an origin: no path, query or user.')
  }
  return url.origin
}
