import { createHash } from 'node:crypto'
import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DecryptCommand, KMSClient } from '@aws-sdk/client-kms'
import t from 'tap'
import { openKmsKeyring } from '../../../src/sealing/keyrings/kms.ts'
import { openTransitKeyring } from '../../../src/sealing/keyrings/transit.ts'
import { canonicalContext, newKey, unwrapKey, wrapKey } from '../../../src/sealing/keys.ts'
import { faultProxy } from '../../helpers/fault-proxy.ts'
import { IMPATIENT, kmsServer, transitServer } from '../../helpers/keyrings.ts'

const context = canonicalContext('record-key', 'org', 'rec', '1')
/** What docs/sealed-object.md says that a service is given for its additional data. */
const digest = (kekId: string) =>
  createHash('sha256')
    .update(canonicalContext('wrapped-key', kekId, context))
    .digest()

t.test('kms: what it makes opens by hand, with the documented context', async t => {
  const server = await kmsServer(t)
  if (server === undefined) return
  const { endpoint, region } = server
  const arn = await server.makeKey()
  const keyring = openKmsKeyring({ region, endpoint, keks: [{ id: 'k1', name: arn }] })
  t.teardown(() => keyring.close())
  const key = newKey()
  const wrapped = await wrapKey(keyring, context, key)
  const client = new KMSClient({ region, endpoint })
  t.teardown(() => client.destroy())
  const opened = await client.send(
    new DecryptCommand({
      KeyId: arn,
      CiphertextBlob: wrapped.subarray(4),
      EncryptionContext: { consilium: digest('k1').toString('base64url') }
    })
  )
  t.ok(key.equals(opened.Plaintext ?? Buffer.alloc(0)))
})

t.test("kms: each of Amazon's refusals is told for what it is", async t => {
  const server = await kmsServer(t)
  if (server === undefined) return
  const proxy = await faultProxy(t, server.endpoint)
  const keks = [{ id: 'k1', name: await server.makeKey() }]
  const keyring = openKmsKeyring({ region: server.region, endpoint: proxy.url, keks }, IMPATIENT)
  t.teardown(() => keyring.close())
  const wrapped = await wrapKey(keyring, context, newKey())
  for (const [name, code] of Object.entries({
    IncorrectKeyException: 'key-damaged',
    InvalidCiphertextException: 'key-damaged',
    NotFoundException: 'key-missing',
    DisabledException: 'keys-unavailable',
    KMSInvalidStateException: 'keys-unavailable',
    KeyUnavailableException: 'keys-unavailable',
    ThrottlingException: 'keys-unavailable',
    ExpiredTokenException: 'keys-unavailable',
    SomethingNewException: 'keys-unavailable'
  })) {
    proxy.fail(() => true, { answer: 400, json: { __type: name } }, 3)
    await t.rejects(unwrapKey(keyring, context, wrapped), { code, message: new RegExp(name) })
    // What was not used up belongs to no other refusal.
    while (proxy.struck() % 3 > 0) await unwrapKey(keyring, context, wrapped).catch(() => {})
  }
  await t.resolves(unwrapKey(keyring, context, wrapped))
})

t.test('kms: a key that is not there is missing', async t => {
  const server = await kmsServer(t)
  if (server === undefined) return
  const { endpoint, region } = server
  const name = `arn:aws:kms:${region}:123456789012:key/00000000-0000-4000-8000-000000000000`
  const keyring = openKmsKeyring({ region, endpoint, keks: [{ id: 'k1', name }] }, IMPATIENT)
  t.teardown(() => keyring.close())
  await t.rejects(wrapKey(keyring, context, newKey()), { code: 'key-missing' })
})

t.test('transit: what it makes opens by hand, with the documented context', async t => {
  const server = await transitServer(t)
  if (server === undefined) return
  const name = await server.makeKey()
  const keyring = openTransitKeyring(place(server.url, { file: server.tokenFile }, name))
  const key = newKey()
  const wrapped = await wrapKey(keyring, context, key)
  const ciphertext = wrapped.subarray(4).toString('ascii')
  const opened = await server.operate('POST', `transit/decrypt/${name}`, {
    ciphertext,
    associated_data: digest('k1').toString('base64')
  })
  t.match(opened, { data: { plaintext: key.toString('base64') } })
})

t.test('transit: a key that was destroyed is missing, and none is made by mistake', async t => {
  const server = await transitServer(t)
  if (server === undefined) return
  const name = await server.makeKey()
  const keyring = openTransitKeyring(place(server.url, { file: server.tokenFile }, name))
  const wrapped = await wrapKey(keyring, context, newKey())
  await server.operate('POST', `transit/keys/${name}/rotate`)
  await t.resolves(unwrapKey(keyring, context, wrapped), 'a new version of it opens the old')
  await server.operate('POST', `transit/keys/${name}/config`, { min_decryption_version: 2 })
  await t.rejects(unwrapKey(keyring, context, wrapped), { code: 'key-missing' })
  await server.destroyKey(name)
  await t.rejects(unwrapKey(keyring, context, wrapped), { code: 'key-missing' })
  await t.rejects(wrapKey(keyring, context, newKey()), { code: 'keys-unavailable' })
  await t.rejects(server.operate('GET', `transit/keys/${name}`), /404/)
})

t.test('transit: the token is read anew, and from a private file alone', async t => {
  const server = await transitServer(t)
  if (server === undefined) return
  const name = await server.makeKey()
  const file = join(t.testdir(), 'token')
  const keyring = openTransitKeyring(place(server.url, { file }, name), IMPATIENT)
  const wrap = () => wrapKey(keyring, context, newKey())
  await t.rejects(wrap(), { code: 'keys-unavailable', message: /key-missing/ })
  writeFileSync(file, 's.wrong', { mode: 0o600 })
  await t.rejects(wrap(), { code: 'keys-unavailable', message: /status 403/ })
  const made = await server.operate('POST', 'auth/token/create', { policies: ['consilium'] })
  const { client_token: token } = made['auth'] as { client_token: string }
  writeFileSync(file, token)
  await t.resolves(wrap())
  chmodSync(file, 0o644)
  await t.rejects(wrap(), { code: 'keys-unavailable', message: /keyring-unsafe/ })
  await t.resolves(
    wrapKey(openTransitKeyring(place(server.url, { value: token }, name)), context, newKey())
  )
})

t.test('transit: it follows nobody elsewhere with its token', async t => {
  const server = await transitServer(t)
  if (server === undefined) return
  const { createServer } = await import('node:http')
  let visits = 0
  const elsewhere = createServer((_, res) => {
    visits += 1
    res.end()
  }).listen(0, '127.0.0.1')
  const address = () => elsewhere.address() as { port: number }
  const moved = createServer((_, res) => {
    res.writeHead(307, { location: `http://127.0.0.1:${address().port}/` }).end()
  }).listen(0, '127.0.0.1')
  t.teardown(() => {
    elsewhere.close()
    moved.close()
  })
  await new Promise(resolve => moved.on('listening', resolve))
  const url = `http://127.0.0.1:${(moved.address() as { port: number }).port}`
  const keyring = openTransitKeyring(place(url, { value: 'secret-token' }, 'x'), IMPATIENT)
  const err = await wrapKey(keyring, context, newKey()).catch(err => err)
  t.match(err, { code: 'keys-unavailable' })
  t.notMatch(String(err), /secret-token/)
  t.equal(visits, 0)
})

function place(url: string, token: { file: string } | { value: string }, name: string) {
  return { url, mount: 'transit', namespace: undefined, token, keks: [{ id: 'k1', name }] }
}
