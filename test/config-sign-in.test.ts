import { generateKeyPairSync } from 'node:crypto'
import { chmodSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { ConfigError, readConfig } from '../src/config.ts'

const SECRET = 'a secret of the city, long enough'
const pair = generateKeyPairSync('ec', { namedCurve: 'P-384' })
const KEY = { ...pair.privateKey.export({ format: 'jwk' }), kid: '2026', alg: 'ES384' }

const GOOD = {
  name: 'city',
  label: 'your City Hospital account',
  issuer: 'https://login.city.example/realms/staff',
  clientId: 'consilium',
  clientSecretFile: 'city.secret',
  acr: ['mfa']
}

/** Reads a file with these entries; resolves to the settings, or to what is wrong with them. */
function read(t: Test, entries: unknown, files: Record<string, string> = {}, mode = 0o600) {
  const folder = t.testdir({
    'city.secret': SECRET,
    'issuers.json': JSON.stringify(entries),
    ...files
  })
  for (const name of ['city.secret', ...Object.keys(files)]) chmodSync(join(folder, name), mode)
  const env = {
    CONSILIUM_URL: 'https://consilium.example',
    CONSILIUM_SIGN_IN_ISSUERS: join(folder, 'issuers.json')
  }
  try {
    return { settings: readConfig(env).signInIssuers, problems: '' }
  } catch (err) {
    if (!(err instanceof ConfigError)) throw err
    return { settings: [], problems: err.message }
  }
}

t.test('without a file people sign in with passkeys alone', async t => {
  t.same(readConfig({}).signInIssuers, [])
})

t.test('an issuer has what it is given, and safe answers for the rest', async t => {
  const { settings } = read(t, [GOOD])
  t.same(settings, [
    {
      name: 'city',
      label: 'your City Hospital account',
      issuer: 'https://login.city.example/realms/staff',
      clientId: 'consilium',
      proof: { secret: SECRET },
      scope: 'openid',
      acr: ['mfa'],
      acrValues: 'mfa',
      subject: 'sub'
    }
  ])
  const { clientSecretFile: _, ...keyed } = GOOD
  const own = { ...keyed, clientKeyFile: 'key.jwk', assertionAudience: 'token-endpoint' }
  const other = { acr: 'not-checked', subject: 'oid', scope: 'openid nhsperson' }
  const by = read(t, [{ ...own, ...other }], { 'key.jwk': JSON.stringify(KEY) })
  t.match(by.settings[0], {
    proof: { key: { kid: '2026', alg: 'ES384' }, audience: 'token-endpoint' },
    acr: undefined,
    acrValues: undefined,
    subject: 'oid'
  })
  const asked = read(t, [{ ...GOOD, acr: ['a', 'b'], acrValues: 'a_or_b' }])
  t.match(asked.settings[0], { acr: ['a', 'b'], acrValues: 'a_or_b' })
  t.match(read(t, [{ ...GOOD, issuer: 'http://127.0.0.1:8080/realms/x' }]).problems, /^$/)
})

t.test('what is unsafe does not start, and says why', async t => {
  const unsafe: [Record<string, unknown>, RegExp][] = [
    [{ issuer: 'http://login.city.example' }, /issuer must be an https URL/],
    [{ issuer: 'http://127.0.0.1.evil.example' }, /issuer must be an https URL/],
    [{ issuer: 'login.city.example' }, /issuer must be an https URL/],
    [{ issuer: 'https://user@login.city.example' }, /no user, query, fragment/],
    [{ issuer: 'https://login.city.example/?tenant=1' }, /no user, query, fragment/],
    [{ issuer: 'https://a.example/.well-known/openid-configuration' }, /well-known path/],
    [{ issuer: 'https://consilium.example/oidc' }, /issuer must not be this service/],
    [{ issuer: 'https://login.microsoftonline.com/common/v2.0' }, /one tenant of Entra ID/],
    [{ issuer: 'https://login.microsoftonline.com/organizations/v2.0' }, /one tenant/],
    [{ name: 'City Hospital' }, /name must be small letters/],
    [{ name: '../account' }, /name must be small letters/],
    [{ label: '' }, /label must be a text/],
    [{ label: 'x'.repeat(61) }, /label must be at most 60/],
    [{ clientId: undefined }, /clientId must be a text/],
    [{ acr: undefined }, /acr must list the values/],
    [{ acr: [] }, /acr must list the values/],
    [{ acr: 'mfa' }, /acr must list the values/],
    [{ scope: 'profile' }, /scope must hold openid/],
    [{ subject: 'email' }, /subject must not be email/],
    [{ subject: 'preferred_username' }, /subject must not be preferred_username/],
    [{ clientSecretFile: 'nothing' }, /clientSecretFile names no file/],
    [{ clientSecretFile: undefined }, /either clientSecretFile or clientKeyFile/],
    [{ clientKeyFile: 'city.secret' }, /either clientSecretFile or clientKeyFile/],
    [{ clientSecret: SECRET }, /clientSecret is no setting/]
  ]
  for (const [change, problem] of unsafe) {
    const { problems } = read(t, [{ ...GOOD, ...change }])
    t.match(problems, problem, JSON.stringify(change))
    t.notMatch(problems, SECRET)
  }
  t.match(read(t, [GOOD], {}, 0o640).problems, /Sign-in issuer city: .* can be read by others/)
  t.match(read(t, [GOOD], { 'city.secret': 'short' }).problems, /at least 16 characters/)
  t.match(read(t, { city: GOOD }).problems, /must name a JSON file with a list/)
  const missing = { CONSILIUM_SIGN_IN_ISSUERS: '/nowhere/issuers.json' }
  t.throws(() => readConfig(missing), /must name a JSON file/)
})

t.test('a key that cannot sign is none', async t => {
  const { clientSecretFile: _, ...keyed } = GOOD
  const entry = { ...keyed, clientKeyFile: 'key.jwk' }
  const publicHalf = { ...KEY, d: undefined }
  const keys = [
    publicHalf,
    { ...KEY, alg: 'ES256' },
    { ...KEY, kid: undefined },
    { kty: 'oct' },
    'x'
  ]
  for (const key of keys) {
    const { problems } = read(t, [entry], { 'key.jwk': JSON.stringify(key) })
    t.match(problems, /must hold a private JWK with kid and alg/)
    t.notMatch(problems, KEY.d ?? '')
  }
  const wrong = read(t, [{ ...entry, assertionAudience: 'both' }], {
    'key.jwk': JSON.stringify(KEY)
  })
  t.match(wrong.problems, /assertionAudience must be/)
})

t.test('no two may be taken for each other', async t => {
  for (const field of ['name', 'label', 'issuer', 'clientSecretFile'] as const) {
    const other = {
      name: 'valley',
      label: 'your Valley account',
      issuer: 'https://login.valley.example',
      clientId: 'consilium',
      clientSecretFile: 'valley.secret',
      acr: ['mfa'],
      [field]: GOOD[field]
    }
    const { problems } = read(t, [GOOD, other], { 'valley.secret': SECRET })
    t.match(problems, new RegExp(`Two sign-in issuers have the same ${field}`))
  }
  const many = Array.from({ length: 11 }, (_, at) => ({ ...GOOD, name: `n${at}` }))
  t.match(read(t, many).problems, /at most 10 issuers/)
})
