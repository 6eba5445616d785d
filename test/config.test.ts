import { chmodSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { ConfigError, readConfig } from '../src/config.ts'

/** The problems that `readConfig` finds, one to a line. */
function problemsOf(env: Record<string, string>): string[] {
  try {
    readConfig(env)
    return []
  } catch (err) {
    if (!(err instanceof ConfigError)) throw err
    return err.message.split('\n').slice(1)
  }
}

/** A certificate and key as files, as `openssl req -x509` would make them. */
function tlsFiles(t: Test, keyMode = 0o600) {
  const directory = t.testdir()
  const fixture = (name: string) => join(import.meta.dirname, 'http/fixtures', name)
  const [cert, key] = ['localhost.crt', 'localhost.key'].map(fixture) as [string, string]
  const CONSILIUM_TLS_KEY = join(directory, 'tls.key')
  writeFileSync(CONSILIUM_TLS_KEY, readFileSync(key))
  chmodSync(CONSILIUM_TLS_KEY, keyMode)
  return { CONSILIUM_TLS_CERT: cert, CONSILIUM_TLS_KEY }
}

t.test('with nothing set, the service listens on this machine only', async t => {
  const config = readConfig({})
  t.match(config, {
    host: '127.0.0.1',
    port: 3000,
    publicUrl: 'http://localhost:3000',
    tls: undefined,
    trustedProxies: [],
    logLevel: 'info'
  })
  t.match(config.limits, {
    objectBytesMax: 20 * 1024 ** 3,
    objectsPerRecordMax: 5000,
    shareHoursDefault: 72,
    shareHoursMax: 720
  })
  t.ok(Object.isFrozen(config) && Object.isFrozen(config.limits))
  t.same(readConfig({ CONSILIUM_PORT: '', CONSILIUM_HOST: '' }), config, 'empty is not set')
})

t.test('one error lists every problem', async t => {
  const problems = problemsOf({
    CONSILIUM_HOST: '0.0.0.0',
    CONSILIUM_PORT: '70000',
    CONSILIUM_URL: 'ftp://example.org/path?x',
    CONSILIUM_LOG_LEVEL: 'loud',
    CONSILIUM_TLS_CERT: '/nowhere.pem',
    CONSILIUM_METRICS_READERS: 'everybody',
    CONSILIUM_OBJECT_BYTES_MAX: 'lots',
    CONSILIUM_SHARE_HOURS_DEFAULT: '100',
    CONSILIUM_SHARE_HOURS_MAX: '50'
  })
  for (const pattern of [
    /CONSILIUM_HOST=0\.0\.0\.0 is reachable from other machines/,
    /CONSILIUM_PORT must be a whole number from 0 to 65535/,
    /CONSILIUM_URL must begin with https/,
    /CONSILIUM_URL must be an origin/,
    /CONSILIUM_LOG_LEVEL must be one of/,
    /CONSILIUM_TLS_CERT and CONSILIUM_TLS_KEY belong together/,
    /everybody is not an IP address/,
    /CONSILIUM_OBJECT_BYTES_MAX must be a whole number/,
    /CONSILIUM_SHARE_HOURS_DEFAULT must not be above/
  ]) {
    t.equal(problems.filter(problem => pattern.test(problem)).length, 1, String(pattern))
  }
  t.equal(problems.length, 9)
})

t.test('an address that others reach needs TLS or a proxy that has it', async t => {
  for (const host of ['0.0.0.0', '::', '192.0.2.7', 'records.example.org']) {
    const env = { CONSILIUM_HOST: host, CONSILIUM_URL: 'https://records.example.org' }
    t.match(problemsOf(env), [/reachable from other machines, so it needs TLS/], host)
    t.same(problemsOf({ ...env, CONSILIUM_TRUSTED_PROXIES: '10.0.0.0/8' }), [])
    t.same(problemsOf({ ...env, ...tlsFiles(t) }), [])
  }
  for (const host of ['127.0.0.1', '::1', 'localhost'])
    t.same(problemsOf({ CONSILIUM_HOST: host }), [])
})

t.test('a proxy is named, and never everybody', async t => {
  const of = (CONSILIUM_TRUSTED_PROXIES: string) => problemsOf({ CONSILIUM_TRUSTED_PROXIES })
  t.same(of('10.0.0.1, 192.0.2.0/24,2001:db8::/32'), [])
  for (const wrong of [
    'proxy.example',
    '10.0.0.0/99',
    '999.0.0.1',
    '2001:db8::/129',
    ':::',
    '10.0.0.1/'
  ]) {
    t.match(of(wrong), [/is not an IP address or CIDR range/], wrong)
  }
  for (const all of ['0.0.0.0/0', '::/0']) t.match(of(all), [/must not trust every address/], all)
})

t.test('the public address is an origin, and HTTPS wherever others use it', async t => {
  const of = (CONSILIUM_URL: string) => problemsOf({ CONSILIUM_URL })
  for (const right of [
    'https://records.example.org',
    'https://a.b:8443',
    'http://localhost:3000',
    'http://[::1]:80/',
    'http://127.0.0.1'
  ]) {
    t.same(of(right), [], right)
  }
  t.equal(
    readConfig({ CONSILIUM_URL: 'https://records.example.org/' }).publicUrl,
    'https://records.example.org'
  )
  for (const wrong of [
    'http://records.example.org',
    'http://localhost.example.org',
    'x',
    'https://a.b/path',
    'https://a.b?x',
    'https://a.b#x',
    'https://user:pw@a.b',
    'javascript:alert(1)'
  ]) {
    t.ok(of(wrong).length > 0, wrong)
  }
})

t.test('a TLS key that others can read, or that is none, is refused', async t => {
  t.same(problemsOf(tlsFiles(t)), [])
  t.equal(readConfig(tlsFiles(t)).publicUrl, 'https://localhost:3000')
  for (const mode of [0o644, 0o640, 0o604]) {
    t.match(
      problemsOf(tlsFiles(t, mode)),
      [/can be read by others: chmod 600 it/],
      mode.toString(8)
    )
  }
  const files = tlsFiles(t)
  const damaged = { ...files, CONSILIUM_TLS_CERT: files.CONSILIUM_TLS_KEY }
  t.match(problemsOf(damaged), [/certificate or key/], 'what is no certificate')
  t.match(problemsOf({ ...files, CONSILIUM_TLS_KEY: '/nowhere' }), [
    /cannot be read or used \(ENOENT\)/
  ])
})

t.test('numbers have their bounds', async t => {
  for (const [name, values] of Object.entries({
    CONSILIUM_PORT: ['-1', '65536', '3000.5', '0x10g', ' '],
    CONSILIUM_OBJECT_BYTES_MAX: ['0', '-5', '1e99'],
    CONSILIUM_SHARE_HOURS_MAX: ['0', '721'],
    CONSILIUM_STREAMS_PER_ACCOUNT_MAX: ['0', '1001'],
    CONSILIUM_COMMIT_GROUP_MAX: ['0']
  })) {
    for (const value of values) {
      t.match(problemsOf({ [name]: value }), [new RegExp(`${name} must be a whole number`)], value)
    }
  }
})

const S3 = { CONSILIUM_S3_BUCKET: 'sealed-objects', CONSILIUM_S3_REGION: 'eu-west-2' }

t.test('objects are kept on the disk unless a bucket is named', async t => {
  t.equal(readConfig({}).s3, undefined)
  t.same(readConfig(S3).s3, {
    bucket: 'sealed-objects',
    region: 'eu-west-2',
    endpoint: undefined,
    prefix: 'objects/',
    pathStyle: false,
    encryption: undefined,
    lock: undefined,
    unfinishedHoursMax: 168,
    partBytes: 8 * 1024 ** 2
  })
  const full = readConfig({
    ...S3,
    CONSILIUM_S3_ENDPOINT: 'https://s3.example.org/',
    CONSILIUM_S3_PREFIX: 'hospital/exchange/',
    CONSILIUM_S3_PATH_STYLE: 'yes',
    CONSILIUM_S3_SSE: 'aws:kms',
    CONSILIUM_S3_SSE_KMS_KEY: 'alias/records',
    CONSILIUM_S3_OBJECT_LOCK_DAYS: '30',
    CONSILIUM_S3_OBJECT_LOCK_MODE: 'COMPLIANCE',
    CONSILIUM_S3_UNFINISHED_HOURS: '24'
  })
  t.match(full.s3, {
    endpoint: 'https://s3.example.org',
    prefix: 'hospital/exchange/',
    pathStyle: true,
    encryption: { algorithm: 'aws:kms', keyId: 'alias/records' },
    lock: { mode: 'COMPLIANCE', days: 30 },
    unfinishedHoursMax: 24
  })
})

t.test('the largest object fits in as many parts as S3 takes', async t => {
  for (const gib of [1, 20, 78, 79, 1024]) {
    const bytes = gib * 1024 ** 3
    const { s3 } = readConfig({ ...S3, CONSILIUM_OBJECT_BYTES_MAX: String(bytes) })
    const sealed = 56 + bytes + Math.ceil(bytes / 16_384) * 16
    t.ok(s3 && sealed / s3.partBytes <= 10_000, `${gib} GiB`)
  }
})

t.test('settings of S3 that cannot be meant are refused', async t => {
  const refused: [Record<string, string>, RegExp][] = [
    [{ CONSILIUM_S3_BUCKET: '' }, /CONSILIUM_S3_REGION without CONSILIUM_S3_BUCKET/],
    [{ CONSILIUM_S3_BUCKET: 'Not/A/Bucket' }, /not the name of a bucket/],
    [{ CONSILIUM_S3_REGION: '' }, /must name the region/],
    [{ CONSILIUM_S3_ENDPOINT: 's3.example.org' }, /must be an https address/],
    [{ CONSILIUM_S3_ENDPOINT: 'http://s3.example.org' }, /must begin with https/],
    [{ CONSILIUM_S3_ENDPOINT: 'https://s3.example.org/bucket' }, /must be an origin/],
    [{ CONSILIUM_S3_ENDPOINT: 'https://key:secret@s3.example.org' }, /must be an origin/],
    [{ CONSILIUM_S3_PREFIX: '../other' }, /CONSILIUM_S3_PREFIX/],
    [{ CONSILIUM_S3_PREFIX: 'a//b' }, /CONSILIUM_S3_PREFIX/],
    [{ CONSILIUM_S3_PATH_STYLE: 'maybe' }, /must be yes or no/],
    [{ CONSILIUM_S3_SSE: 'rot13' }, /AES256 or aws:kms/],
    [{ CONSILIUM_S3_SSE_KMS_KEY: 'x' }, /needs CONSILIUM_S3_SSE=aws:kms/],
    [{ CONSILIUM_S3_OBJECT_LOCK_DAYS: '0' }, /from 1 to 36500/],
    [{ CONSILIUM_S3_OBJECT_LOCK_MODE: 'GOVERNANCE' }, /needs CONSILIUM_S3_OBJECT_LOCK_DAYS/],
    [{ CONSILIUM_S3_OBJECT_LOCK_MODE: 'LEGAL' }, /GOVERNANCE or COMPLIANCE/],
    [{ CONSILIUM_S3_UNFINISHED_HOURS: '0' }, /from 1 to 9999/]
  ]
  for (const [change, problem] of refused) {
    t.match(problemsOf({ ...S3, ...change }), [problem], String(problem))
  }
  t.same(problemsOf({ ...S3, CONSILIUM_S3_ENDPOINT: 'http://127.0.0.1:9000' }), [])
})
