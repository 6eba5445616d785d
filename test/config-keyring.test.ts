import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { ConfigError, readConfig } from '../src/config.ts'

const ARN = 'arn:aws:kms:eu-west-2:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab'
const kms = {
  CONSILIUM_KEYRING: 'kms',
  CONSILIUM_KMS_REGION: 'eu-west-2',
  CONSILIUM_KMS_KEYS: `2026=${ARN}`
}
const transit = {
  CONSILIUM_KEYRING: 'transit',
  CONSILIUM_TRANSIT_URL: 'https://bao.example.org',
  CONSILIUM_TRANSIT_KEYS: 'k2=consilium-2, k1=consilium-1',
  BAO_TOKEN: 's.token'
}

t.test('the key ring is a file unless another is chosen', async t => {
  t.same(readConfig({}).keyring, { kinds: ['file'], kms: undefined, transit: undefined })
  t.same(readConfig(kms).keyring, {
    kinds: ['kms'],
    kms: { region: 'eu-west-2', endpoint: undefined, keks: [{ id: '2026', name: ARN }] },
    transit: undefined
  })
  t.same(readConfig(transit).keyring.transit, {
    url: 'https://bao.example.org',
    mount: 'transit',
    namespace: undefined,
    token: { value: 's.token' },
    keks: [
      { id: 'k2', name: 'consilium-2' },
      { id: 'k1', name: 'consilium-1' }
    ]
  })
  t.same(readConfig({ ...kms, CONSILIUM_KEYRING: 'kms,file' }).keyring.kinds, ['kms', 'file'])
  const both = { ...kms, ...transit, CONSILIUM_KEYRING: 'transit, kms' }
  t.same(readConfig(both).keyring.kinds, ['transit', 'kms'])
})

t.test('a key of KMS is named by ARN, id or alias', async t => {
  for (const name of [
    ARN,
    'arn:aws-us-gov:kms:us-gov-west-1:123456789012:alias/consilium/records',
    '1234abcd-12ab-34cd-56ef-1234567890ab',
    'mrk-1234abcd12ab34cd56ef1234567890ab',
    'alias/consilium'
  ]) {
    t.match(readConfig({ ...kms, CONSILIUM_KMS_KEYS: `k=${name}` }).keyring.kms, {
      keks: [{ name }]
    })
  }
})

t.test('a token is read from a file that nobody else can read', async t => {
  const file = join(t.testdir(), 'token')
  writeFileSync(file, 's.token', { mode: 0o600 })
  const { BAO_TOKEN: _, ...without } = transit
  const settings = { ...without, CONSILIUM_TRANSIT_TOKEN_FILE: file }
  t.same(readConfig(settings).keyring.transit?.token, { file })
  t.same(readConfig({ ...without, VAULT_TOKEN: 'hvs.x' }).keyring.transit?.token, {
    value: 'hvs.x'
  })
  writeFileSync(join(t.testdirName, 'open'), 's.token', { mode: 0o644 })
  const problem = (name: string) => () =>
    readConfig({ ...settings, CONSILIUM_TRANSIT_TOKEN_FILE: name })
  t.throws(problem(join(t.testdirName, 'open')), /TOKEN_FILE can be read by others: chmod 600 it/)
  t.throws(problem(join(t.testdirName, 'none')), /TOKEN_FILE names no file/)
  t.throws(() => readConfig(without), /needs a token/)
})

t.test('every setting that is wrong is told', async t => {
  const wrong: [Record<string, string>, RegExp][] = [
    [{ CONSILIUM_KEYRING: 'hsm' }, /CONSILIUM_KEYRING must be one of file, kms, transit/],
    [{ CONSILIUM_KEYRING: 'file,file' }, /CONSILIUM_KEYRING must be one of/],
    [
      { CONSILIUM_KMS_REGION: 'eu-west-2' },
      /CONSILIUM_KMS_REGION without kms in CONSILIUM_KEYRING/
    ],
    [{ CONSILIUM_TRANSIT_MOUNT: 'x' }, /CONSILIUM_TRANSIT_MOUNT without transit/],
    [{ ...kms, CONSILIUM_KMS_REGION: '' }, /CONSILIUM_KMS_REGION must name the region/],
    [{ ...kms, CONSILIUM_KMS_KEYS: '' }, /CONSILIUM_KMS_KEYS must list keys/],
    [{ ...kms, CONSILIUM_KMS_KEYS: ARN }, /CONSILIUM_KMS_KEYS must list keys/],
    [{ ...kms, CONSILIUM_KMS_KEYS: `a b=${ARN}` }, /CONSILIUM_KMS_KEYS must list keys/],
    [{ ...kms, CONSILIUM_KMS_KEYS: `k=${ARN},k=${ARN}` }, /the same short name/],
    [{ ...kms, CONSILIUM_KMS_KEYS: 'k=arn:aws:s3:::bucket' }, /CONSILIUM_KMS_KEYS must list keys/],
    [{ ...kms, CONSILIUM_KMS_ENDPOINT: 'http://kms.example.org' }, /ENDPOINT must be an https/],
    [{ ...kms, CONSILIUM_KMS_ENDPOINT: 'https://kms.example.org/x' }, /must be an origin/],
    [{ ...transit, CONSILIUM_TRANSIT_URL: '' }, /CONSILIUM_TRANSIT_URL must say where/],
    [{ ...transit, CONSILIUM_TRANSIT_URL: 'http://bao.example.org' }, /URL must be an https/],
    [{ ...transit, CONSILIUM_TRANSIT_MOUNT: '../sys' }, /MOUNT is not the path/],
    [{ ...transit, CONSILIUM_TRANSIT_NAMESPACE: 'a b' }, /NAMESPACE is not the path/],
    [{ ...transit, CONSILIUM_TRANSIT_KEYS: 'k=../../sys/seal' }, /TRANSIT_KEYS must list keys/],
    [{ ...transit, BAO_TOKEN: 'two\nlines' }, /needs a token/],
    [
      { ...kms, ...transit, CONSILIUM_KMS_KEYS: `k1=${ARN}`, CONSILIUM_KEYRING: 'kms,transit' },
      /the same short name/
    ]
  ]
  for (const [settings, told] of wrong) {
    t.throws(() => readConfig(settings), told, JSON.stringify(settings).slice(0, 80))
  }
  const all = { CONSILIUM_KEYRING: 'kms,transit', CONSILIUM_PORT: 'x' }
  const err = t.throws(() => readConfig(all), ConfigError) as unknown as Error
  t.equal(err.message.match(/\n {2}- /g)?.length, 6, 'all at once')
})

t.test('no token is ever told', async t => {
  const settings = { ...transit, CONSILIUM_TRANSIT_KEYS: '', BAO_TOKEN: 's.secret secret' }
  const err = t.throws(() => readConfig(settings), ConfigError) as unknown as Error
  t.notMatch(err.message, /s\.secret/)
})
