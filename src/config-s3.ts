const MIB = 1024 ** 2
const PART_BYTES_MIN = 8 * MIB
/** S3 takes no more parts than this for one object (Amazon S3 User Guide, "Multipart upload limits"). */
const PARTS_MAX = 10_000
/** A sealed object is longer than its plaintext by 16 bytes in 16 KiB and one header: 0.1 %. */
const SEALED_PER_PLAIN = 1.002
const LOOPBACK = new Set(['127.0.0.1', '[::1]', 'localhost'])

/** Where sealed objects are kept when that is not the local disk. Credentials are never part of it. */
export interface S3Settings {
  bucket: string
  region: string
  /** An origin, for stores other than Amazon's. */
  endpoint: string | undefined
  /** Empty, or ends with a slash. One exchange alone may use it. */
  prefix: string
  /** The bucket in the path of an address, not in its host name. */
  pathStyle: boolean
  /** What the store encrypts with, beside our own sealing. */
  encryption: { algorithm: 'AES256' | 'aws:kms'; keyId: string | undefined } | undefined
  /** Object Lock: how long the store itself lets nobody remove an object. */
  lock: { mode: 'GOVERNANCE' | 'COMPLIANCE'; days: number } | undefined
  /** Uploads that began longer ago than this are nobody's any more. */
  unfinishedHoursMax: number
  /** Every part but the last of an object has this length. */
  partBytes: number
}

type Env = Record<string, string | undefined>

/**
 * Reads the settings of the S3 store, undefined when the objects are kept on the disk. What is wrong
 * is added to `problems`. `objectBytesMax` is the plaintext length of the largest object.
 */
export function readS3(
  env: Env,
  objectBytesMax: number,
  problems: string[]
): S3Settings | undefined {
  const bucket = env['CONSILIUM_S3_BUCKET']
  if (!bucket) {
    const others = Object.keys(env).filter(name => name.startsWith('CONSILIUM_S3_') && env[name])
    if (others.length > 0) {
      problems.push(`${others.join(', ')} without CONSILIUM_S3_BUCKET: name the bucket as well.`)
    }
    return undefined
  }
  if (!/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(bucket)) {
    problems.push('CONSILIUM_S3_BUCKET is not the name of a bucket.')
  }
  const region = env['CONSILIUM_S3_REGION'] ?? ''
  if (!/^[a-z0-9-]{2,40}$/.test(region)) {
    problems.push('CONSILIUM_S3_REGION must name the region of the bucket, as in eu-west-2.')
  }
  const hours = env['CONSILIUM_S3_UNFINISHED_HOURS'] || '168'
  if (!/^[1-9]\d{0,3}$/.test(hours)) {
    problems.push('CONSILIUM_S3_UNFINISHED_HOURS must be a whole number from 1 to 9999.')
  }
  return Object.freeze({
    bucket,
    region,
    endpoint: readEndpoint(env['CONSILIUM_S3_ENDPOINT'], problems),
    prefix: readPrefix(env['CONSILIUM_S3_PREFIX'], problems),
    pathStyle: readPathStyle(env['CONSILIUM_S3_PATH_STYLE'], problems),
    encryption: readEncryption(env, problems),
    lock: readLock(env, problems),
    unfinishedHoursMax: Number(hours),
    partBytes: partBytesFor(objectBytesMax)
  })
}

/** Parts so long that the largest object fits in as many as S3 takes, in whole MiB. */
export function partBytesFor(objectBytesMax: number): number {
  const needed = Math.ceil((objectBytesMax * SEALED_PER_PLAIN) / PARTS_MAX / MIB) * MIB
  return Math.max(PART_BYTES_MIN, needed)
}

function readEndpoint(text: string | undefined, problems: string[]): string | undefined {
  if (!text) return undefined
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || !/^https?:$/.test(url.protocol)) {
    problems.push('CONSILIUM_S3_ENDPOINT must be an https address.')
    return undefined
  }
  if (url.pathname !== '/' || url.search !== '' || url.hash !== '' || url.username !== '') {
    problems.push('CONSILIUM_S3_ENDPOINT must be an origin: no path, query or user.')
  }
  if (url.protocol === 'http:' && !LOOPBACK.has(url.hostname)) {
    problems.push('CONSILIUM_S3_ENDPOINT must begin with https://, except on this machine itself.')
  }
  return url.origin
}

function readPrefix(text: string | undefined, problems: string[]): string {
  const prefix = `${(text || 'objects').replace(/\/+$/, '')}/`
  // A subset of the characters that S3 calls safe, so that no store and no tool needs to escape it.
  if (/^(?:[A-Za-z0-9_-][A-Za-z0-9._-]*\/)+$/.test(prefix) && prefix.length <= 200) return prefix
  problems.push(
    'CONSILIUM_S3_PREFIX must be letters, digits, dots, dashes and single slashes, at most 200.'
  )
  return prefix
}

function readPathStyle(text: string | undefined, problems: string[]): boolean {
  if (!text || text === 'no') return false
  if (text !== 'yes') problems.push('CONSILIUM_S3_PATH_STYLE must be yes or no.')
  return true
}

function readEncryption(env: Env, problems: string[]): S3Settings['encryption'] {
  const algorithm = env['CONSILIUM_S3_SSE']
  const keyId = env['CONSILIUM_S3_SSE_KMS_KEY'] || undefined
  if (keyId !== undefined && algorithm !== 'aws:kms') {
    problems.push('CONSILIUM_S3_SSE_KMS_KEY needs CONSILIUM_S3_SSE=aws:kms.')
  }
  if (!algorithm) return undefined
  if (algorithm === 'AES256' || algorithm === 'aws:kms') return { algorithm, keyId }
  problems.push('CONSILIUM_S3_SSE must be AES256 or aws:kms.')
  return undefined
}

function readLock(env: Env, problems: string[]): S3Settings['lock'] {
  const days = env['CONSILIUM_S3_OBJECT_LOCK_DAYS']
  const mode = env['CONSILIUM_S3_OBJECT_LOCK_MODE'] || 'GOVERNANCE'
  if (mode !== 'GOVERNANCE' && mode !== 'COMPLIANCE') {
    problems.push('CONSILIUM_S3_OBJECT_LOCK_MODE must be GOVERNANCE or COMPLIANCE.')
    return undefined
  }
  if (!days) {
    if (env['CONSILIUM_S3_OBJECT_LOCK_MODE']) {
      problems.push('CONSILIUM_S3_OBJECT_LOCK_MODE needs CONSILIUM_S3_OBJECT_LOCK_DAYS.')
    }
    return undefined
  }
  if (/^[1-9]\d{0,4}$/.test(days) && Number(days) <= 36_500) return { mode, days: Number(days) }
  problems.push('CONSILIUM_S3_OBJECT_LOCK_DAYS must be a whole number from 1 to 36500.')
  return undefined
}
