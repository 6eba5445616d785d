import { createHmac } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import {
  decodeJwt,
  decodeProtectedHeader,
  exportJWK,
  generateKeyPair,
  importJWK,
  SignJWT
} from 'jose'
import t from 'tap'
import { dataPaths, readSigningKeys } from '../../src/open-data.ts'
import {
  numberedText,
  openShare,
  type Shared,
  sendLink,
  sharedRecord,
  startExchange,
  type TestExchange
} from '../helpers/exchange.ts'

const file = numberedText(100)

/** The link's three parts and what made them. */
async function anatomy(exchange: TestExchange, { share }: Shared) {
  const [base = '', token = ''] = share.link.split('#')
  const [head = '', claims = '', signature = ''] = token.split('.')
  const [jwk = {}] = (await readSigningKeys(exchange.config)).links.keys
  const header = { ...decodeProtectedHeader(token), alg: 'EdDSA' }
  const payload = decodeJwt(token)
  /** Signs with the real key unless told otherwise. */
  const sign = async (changes: {
    header?: Record<string, unknown>
    claims?: Record<string, unknown>
    key?: Awaited<ReturnType<typeof importJWK>>
  }) => {
    const key = changes.key ?? (await importJWK(jwk, 'EdDSA'))
    const signed = new SignJWT({ ...payload, ...changes.claims })
    return signed.setProtectedHeader({ ...header, ...changes.header }).sign(key)
  }
  return { base, token, head, claims, signature, header, payload, jwk, sign }
}

const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')

t.test('a link carries no name and no patient, in a fragment that no server sees', async t => {
  const exchange = await startExchange(t)
  exchange.clock.set('2027-02-01T08:00:00.000Z')
  const shared = await sharedRecord(exchange, [file], { opened: false })
  const { base, header, payload } = await anatomy(exchange, shared)
  const url = new URL(shared.share.link)
  t.equal(base, `${exchange.config.publicUrl}/s`)
  t.same([url.pathname, url.search], ['/s', ''])
  t.same(header, { alg: 'EdDSA', typ: 'consilium-share+jwt', kid: header.kid })
  t.same(Object.keys(payload).sort(), ['aud', 'exp', 'iat', 'iss', 'jti', 'nbf'])
  t.equal(payload.jti, shared.share.id)
  t.equal(Number(payload.exp) - Number(payload.nbf), 72 * 3600)
})

t.test('a link that was not signed here opens nothing and tells nothing', async t => {
  const exchange = await startExchange(t)
  const shared = await sharedRecord(exchange, [file], { opened: false })
  const other = await sharedRecord(exchange, [file], { opened: false })
  const link = await anatomy(exchange, shared)
  const { head, claims, signature, header, payload, jwk } = link
  const { privateKey } = await generateKeyPair('EdDSA', { extractable: true })
  const flipped = `${signature[0] === 'A' ? 'B' : 'A'}${signature.slice(1)}`
  const hmacInput = `${encode({ ...header, alg: 'HS256' })}.${claims}`
  const forged = {
    'one character of the signature': `${head}.${claims}.${flipped}`,
    'claims of another share': `${head}.${encode({ ...payload, jti: other.share.id })}.${signature}`,
    'a longer life': `${head}.${encode({ ...payload, exp: 4e9 })}.${signature}`,
    'another key with the same kid': await link.sign({ key: privateKey }),
    'an unknown kid': await link.sign({ header: { kid: 'other' }, key: privateKey }),
    'the right key under an unknown kid': await link.sign({ header: { kid: 'other' } }),
    'alg none': `${encode({ ...header, alg: 'none' })}.${claims}.x`,
    'alg HS256 with the public key': `${hmacInput}.${createHmac('sha256', String(jwk.x)).update(hmacInput).digest('base64url')}`,
    'another typ': await link.sign({ header: { typ: 'at+jwt' } }),
    'no typ': await link.sign({ header: { typ: undefined } }),
    'another audience': await link.sign({ claims: { aud: `${exchange.config.publicUrl}/v1` } }),
    'another issuer': await link.sign({ claims: { iss: 'https://elsewhere.example' } }),
    'no jti': await link.sign({ claims: { jti: undefined } }),
    'no exp': await link.sign({ claims: { exp: undefined } }),
    'no nbf': await link.sign({ claims: { nbf: undefined } }),
    'no iat': await link.sign({ claims: { iat: undefined } }),
    'the id of a case': await link.sign({ claims: { jti: shared.caseId } }),
    'an id that is none': await link.sign({ claims: { jti: "' OR 1=1 --" } }),
    'a header that must be understood': `${encode({ ...header, crit: ['x'], x: 1 })}.${claims}.${signature}`,
    'an access token': String(await exchange.client('specialistGb').token())
  }
  const specialist = exchange.client('specialistGb')
  for (const [label, token] of Object.entries(forged)) {
    for (const text of [token, `${link.base}#${token}`]) {
      const { result, events } = await exchange.eventsOf(() => sendLink(specialist, text))
      t.match(result, { status: 404, json: { code: 'share-not-found' } }, label)
      t.match(events, [{ action: 'link.open', outcome: 'refused', code: 'share-not-found' }])
      t.equal(events.length, 1)
    }
  }
  t.equal((await openShare(specialist, shared.share.link)).openings, 1, 'no opening was spent')
})

t.test('a link that is cut or mangled says so', async t => {
  const exchange = await startExchange(t)
  const shared = await sharedRecord(exchange, [file], { opened: false })
  const { base, token, head, claims, signature } = await anatomy(exchange, shared)
  const mangled = {
    'only the page': base,
    'an empty fragment': `${base}#`,
    'two parts': `${base}#${head}.${claims}`,
    'an empty signature': `${base}#${head}.${claims}.`,
    'four parts': `${base}#${token}.x`,
    padded: `${base}#${token}==`,
    'with a line break inside': `${base}#${head}.\n${claims}.${signature}`,
    'with a full stop after it': `${base}#${token}.`,
    'in standard base64': `${base}#${head}.${claims}.${'+/'.repeat(43)}`,
    'with other characters': `${base}#${head}.${claims}.${signature.slice(0, -1)}é`,
    'much too long': `${base}#${head}.${claims}.${'A'.repeat(3000)}`,
    nothing: ' '
  }
  const specialist = exchange.client('specialistGb')
  for (const [label, text] of Object.entries(mangled)) {
    const answer = await sendLink(specialist, text)
    t.match(answer, { status: 400, json: { code: 'link-incomplete' } }, label)
  }
  for (let length = 1; length < token.length; length += 7) {
    const answer = await sendLink(specialist, `${base}#${token.slice(0, length)}`)
    t.match(String(answer.status), /^40[04]$/, `cut after ${length} characters`)
  }
  const tooLong = await sendLink(specialist, 'A'.repeat(5000))
  t.match(tooLong, { status: 400, json: { code: 'request-invalid' } })
  t.equal((await openShare(specialist, shared.share.link)).openings, 1, 'no opening was spent')
})

t.test('every spelling of one link is one share', async t => {
  const exchange = await startExchange(t)
  const shared = await sharedRecord(exchange, [file], { opened: false, openingsMax: 4 })
  const { base, token, head, claims, signature } = await anatomy(exchange, shared)
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  // The last character of 64 bytes in base64url holds two bits that count and four that do not.
  const last = alphabet.indexOf(String(signature.at(-1)))
  const respelt = `${signature.slice(0, -1)}${alphabet[last ^ 0b1111]}`
  t.not(respelt, signature)
  t.ok(Buffer.from(respelt, 'base64url').equals(Buffer.from(signature, 'base64url')))
  const specialist = exchange.client('specialistGb')
  const spellings = [
    token,
    `  ${base}#${token}\n`,
    `https://other.example/s?utm_source=mail#${token}`,
    `${base}#${head}.${claims}.${respelt}`
  ]
  for (const [index, text] of spellings.entries()) {
    const opened = await openShare(specialist, text)
    t.match(opened, { id: shared.share.id, openings: index + 1 }, 'counted on the same share')
  }
  for (const text of spellings) {
    t.match(await sendLink(specialist, text), { json: { code: 'share-openings-spent' } })
  }
})

t.test('the keys that verify links are public, and only their public half', async t => {
  const exchange = await startExchange(t)
  const { share } = await sharedRecord(exchange, [file])
  const { json } = await exchange.client().send('GET', '/.well-known/jwks.json')
  const keys = json.keys as Record<string, unknown>[]
  t.equal(keys.length, 1)
  t.match(keys[0], { kty: 'OKP', crv: 'Ed25519', kid: String })
  t.notOk(Object.hasOwn(keys[0] ?? {}, 'd'))
  t.equal(decodeProtectedHeader(String(share.link.split('#')[1])).kid, keys[0]?.kid)
})

t.test('after a key was rotated, links of the old one still verify, by the kid', async t => {
  const exchange = await startExchange(t)
  const old = await sharedRecord(exchange, [file], { opened: false })
  await rotateLinkKeys(exchange)
  await exchange.restart()
  const fresh = await sharedRecord(exchange, [file], { opened: false })
  const kids = [old, fresh].map(
    ({ share }) => decodeProtectedHeader(share.link.split('#')[1] ?? '').kid
  )
  t.not(kids[0], kids[1], 'new links are signed by the new key')
  for (const { share } of [old, fresh]) {
    t.match(await openShare(exchange.client('specialistGb'), share.link), { id: share.id })
  }
})

/** Puts a new key before the old one, as an operator does by hand. */
async function rotateLinkKeys(exchange: TestExchange): Promise<void> {
  const { linkKeys } = dataPaths(exchange.directory)
  const { keys } = (await readSigningKeys(exchange.config)).links
  const { privateKey } = await generateKeyPair('EdDSA', { extractable: true })
  const added = { ...(await exportJWK(privateKey)), kid: 'rotated', alg: 'EdDSA', use: 'sig' }
  writeFileSync(linkKeys, JSON.stringify({ keys: [added, ...keys] }), { mode: 0o600 })
}
