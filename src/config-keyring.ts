import { statSync } from 'node:fs'
import type { NamedKek } from './sealing/keyrings/key-service.ts'
import { KEK_ID } from './sealing/keyrings/keyring.ts'
import type { KmsSettings } from './sealing/keyrings/kms.ts'
import type { TransitSettings } from './sealing/keyrings/transit.ts'

const KINDS = ['file', 'kms', 'transit'] as const
export type KeyringKind = (typeof KINDS)[number]

/** Where the keys are that wrap every other key. */
export interface KeyringSettings {
  /** The first wraps new keys; the others are there for what is still wrapped under their keys. */
  kinds: KeyringKind[]
  kms: KmsSettings | undefined
  transit: TransitSettings | undefined
}

const LOOPBACK = new Set(['127.0.0.1', '[::1]', 'localhost'])
/** An ARN of a key or an alias, the id of a key, or `alias/…` (AWS KMS API reference, "KeyId"). */
const KMS_NAME =
  /^(?:arn:aws[a-z-]*:kms:[a-z0-9-]+:\d{12}:(?:key|alias)\/[A-Za-z0-9:/_-]{1,250}|(?:mrk-)?[0-9a-f-]{32,36}|alias\/[A-Za-z0-9:/_-]{1,250})$/
const TRANSIT_NAME = /^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,126}[A-Za-z0-9])?$/
const MOUNT = /^[A-Za-z0-9_-]+(?:\/[A-Za-z0-9_-]+)*$/

type Env = Record<string, string | undefined>

/** Reads the settings of the key ring. What is wrong is added to `problems`. */
export function readKeyring(env: Env, problems: string[]): KeyringSettings {
  const kinds = readKinds(env['CONSILIUM_KEYRING'] || 'file', problems)
  const uses = (kind: KeyringKind, prefix: string) => {
    if (kinds.includes(kind)) return true
    const others = Object.keys(env).filter(name => name.startsWith(prefix) && env[name])
    if (others.length > 0) {
      problems.push(`${others.join(', ')} without ${kind} in CONSILIUM_KEYRING.`)
    }
    return false
  }
  const kms = uses('kms', 'CONSILIUM_KMS_') ? readKms(env, problems) : undefined
  const transit = uses('transit', 'CONSILIUM_TRANSIT_') ? readTransit(env, problems) : undefined
  const ids = [...(kms?.keks ?? []), ...(transit?.keks ?? [])].map(({ id }) => id)
  if (new Set(ids).size < ids.length) {
    problems.push('Two keys of the key ring have the same short name.')
  }
  return Object.freeze({ kinds, kms, transit })
}

function readKinds(text: string, problems: string[]): KeyringKind[] {
  const names = text.split(',').map(name => name.trim())
  const kinds = names.flatMap(name => KINDS.filter(kind => kind === name))
  if (kinds.length < names.length || new Set(kinds).size < kinds.length) {
    problems.push(
      `CONSILIUM_KEYRING must be one of ${KINDS.join(', ')}, or several, the one for new keys first.`
    )
  }
  return kinds
}

function readKms(env: Env, problems: string[]): KmsSettings {
  const region = env['CONSILIUM_KMS_REGION'] ?? ''
  if (!/^[a-z0-9-]{2,40}$/.test(region)) {
    problems.push('CONSILIUM_KMS_REGION must name the region of the keys, as in eu-west-2.')
  }
  return {
    region,
    endpoint: readOrigin(env, 'CONSILIUM_KMS_ENDPOINT', problems),
    keks: readKeks(env, 'CONSILIUM_KMS_KEYS', KMS_NAME, problems)
  }
}

function readTransit(env: Env, problems: string[]): TransitSettings {
  const url = readOrigin(env, 'CONSILIUM_TRANSIT_URL', problems)
  if (!env['CONSILIUM_TRANSIT_URL']) {
    problems.push('CONSILIUM_TRANSIT_URL must say where OpenBao or Vault is.')
  }
  const mount = env['CONSILIUM_TRANSIT_MOUNT'] || 'transit'
  if (!MOUNT.test(mount)) problems.push('CONSILIUM_TRANSIT_MOUNT is not the path of an engine.')
  const namespace = env['CONSILIUM_TRANSIT_NAMESPACE'] || undefined
  if (namespace !== undefined && !MOUNT.test(namespace.replace(/\/$/, ''))) {
    problems.push('CONSILIUM_TRANSIT_NAMESPACE is not the path of a namespace.')
  }
  return {
    url: url ?? '',
    mount,
    namespace,
    token: readToken(env, problems),
    keks: readKeks(env, 'CONSILIUM_TRANSIT_KEYS', TRANSIT_NAME, problems)
  }
}

/** Never a setting of ours by itself: those are shown by too many tools. */
function readToken(env: Env, problems: string[]): TransitSettings['token'] {
  const file = env['CONSILIUM_TRANSIT_TOKEN_FILE']
  const value = env['BAO_TOKEN'] || env['VAULT_TOKEN'] || ''
  if (!file) {
    if (!/^[\x21-\x7e]+$/.test(value)) {
      problems.push(
        'The transit engine needs a token: name its file in CONSILIUM_TRANSIT_TOKEN_FILE, or give BAO_TOKEN or VAULT_TOKEN.'
      )
    }
    return { value }
  }
  try {
    if ((statSync(file).mode & 0o077) !== 0) {
      problems.push('CONSILIUM_TRANSIT_TOKEN_FILE can be read by others: chmod 600 it.')
    }
  } catch {
    problems.push('CONSILIUM_TRANSIT_TOKEN_FILE names no file that can be read.')
  }
  return { file }
}

/** Pairs of short name and the service's own name, each `short=name`, separated by commas. */
function readKeks(env: Env, setting: string, form: RegExp, problems: string[]): NamedKek[] {
  const entries = (env[setting] ?? '').split(',').map(entry => entry.trim())
  const keks = entries.flatMap(entry => {
    const at = entry.indexOf('=')
    const [id, name] = [entry.slice(0, at), entry.slice(at + 1)]
    return at > 0 && KEK_ID.test(id) && form.test(name) ? [{ id, name }] : []
  })
  if (keks.length < entries.length) {
    problems.push(
      `${setting} must list keys as short-name=key, the current one first. A short name has 1 to 64 of A-Z a-z 0-9 . _ -`
    )
  }
  return keks
}

function readOrigin(env: Env, setting: string, problems: string[]): string | undefined {
  const text = env[setting]
  if (!text) return undefined
  const url = URL.canParse(text) ? new URL(text) : undefined
  const isSafe = url?.protocol === 'https:' || (url?.protocol === 'http:' && isLoopback(url))
  if (url === undefined || !isSafe) {
    problems.push(`${setting} must be an https address, except on this machine itself.`)
    return undefined
  }
  if (url.pathname !== '/' || url.search !== '' || url.hash !== '' || url.username !== '') {
    problems.push(`${setting} must be an origin: no path, query or user.`)
  }
  return url.origin
}

const isLoopback = (url: URL): boolean => LOOPBACK.has(url.hostname)
