import { inspect } from 'node:util'
import { probeKeyring } from '../../../src/sealing/keyrings/health.ts'
import { keyServicePatience } from '../../../src/sealing/keyrings/key-service.ts'
import type { Keyring } from '../../../src/sealing/keyrings/keyring.ts'
import {
  canonicalContext,
  newKey,
  unwrapKey,
  wrapKey,
  wrappedPrefix
} from '../../../src/sealing/keys.ts'
import { SealError } from '../../../src/sealing/seal-error.ts'
import { eachKeyring, eachKeyService } from '../../helpers/keyrings.ts'

// What every key ring promises.

const context = canonicalContext('record-key', 'org', 'rec', '1')
const always = () => true
const unwrapped = async (keyring: Keyring, wrapped: Buffer) =>
  (await unwrapKey(keyring, context, wrapped)).export()

eachKeyring('a key that was wrapped unwraps, in another process too', async (t, { open, ids }) => {
  const key = newKey()
  const wrapped = await wrapKey(await open([ids[0]]), context, key)
  t.ok((await unwrapped(await open([ids[0]]), wrapped)).equals(key))
  t.ok(wrapped.subarray(0, 2 + ids[0].length).equals(wrappedPrefix(ids[0])))
  t.notOk(wrapped.includes(key))
  const again = await wrapKey(await open([ids[0]]), context, key)
  t.notOk(again.equals(wrapped), 'equal keys give other bytes')
  await probeKeyring(await open([ids[0]]))
})

eachKeyring('it opens in its own place only', async (t, { open, ids }) => {
  const keyring = await open([ids[0]])
  const wrapped = await wrapKey(keyring, context, newKey())
  const elsewhere = canonicalContext('record-key', 'org', 'other', '1')
  await t.rejects(unwrapKey(keyring, elsewhere, wrapped), { code: 'key-damaged' })
  await t.resolves(unwrapKey(keyring, context, wrapped))
})

eachKeyring('a changed or shortened key is refused', async (t, { open, ids }) => {
  const keyring = await open([ids[0]])
  const wrapped = await wrapKey(keyring, context, newKey())
  for (const fromEnd of [2, 9, 17, 30]) {
    const changed = Buffer.from(wrapped)
    const at = changed.length - fromEnd
    // Another letter, because what a transit engine makes is text.
    changed[at] = changed[at] === 0x41 ? 0x42 : 0x41
    await t.rejects(unwrapKey(keyring, context, changed), { code: 'key-damaged' }, `${fromEnd}`)
  }
  for (const length of [wrapped.length - 8, 2 + ids[0].length + 3]) {
    const short = wrapped.subarray(0, length)
    await t.rejects(unwrapKey(keyring, context, short), { code: 'key-damaged' }, `${length} bytes`)
  }
})

eachKeyring('an older KEK unwraps, the current one wraps', async (t, { open, ids }) => {
  const key = newKey()
  const old = await wrapKey(await open([ids[0]]), context, key)
  const keyring = await open([ids[1], ids[0]])
  t.same(await keyring.kekIds(), [ids[1], ids[0]])
  t.equal(await keyring.currentId(), ids[1])
  t.ok((await unwrapped(keyring, old)).equals(key))
  const fresh = await wrapKey(keyring, context, key)
  t.ok(fresh.subarray(0, 2 + ids[1].length).equals(wrappedPrefix(ids[1])))
  t.ok((await unwrapped(await open([ids[1]]), fresh)).equals(key))
})

eachKeyring('another KEK of the same ring does not open it', async (t, ring) => {
  const { open, ids } = ring
  const keyring = await open([ids[1], ids[0]])
  const wrapped = await wrapKey(await open([ids[0]]), context, newKey())
  wrapped.set(wrappedPrefix(ids[1]))
  await t.rejects(unwrapKey(keyring, context, wrapped), { code: 'key-damaged' })
})

eachKeyring('without its KEK it is missing', async (t, { open, ids }) => {
  const wrapped = await wrapKey(await open([ids[0]]), context, newKey())
  await t.rejects(unwrapKey(await open([ids[1]]), context, wrapped), { code: 'key-missing' })
})

eachKeyring('many at once keep apart', async (t, { open, ids }) => {
  const keyring = await open([ids[0]], keyServicePatience)
  const keys = Array.from({ length: 40 }, newKey)
  const places = keys.map((_, n) => canonicalContext('record-key', 'org', `rec-${n}`, '1'))
  const all = <T>(work: (key: Buffer, place: Buffer, n: number) => Promise<T>) =>
    Promise.all(keys.map((key, n) => work(key, places[n] as Buffer, n)))
  const wrapped = await all((key, place) => wrapKey(keyring, place, key))
  const found = await all((_, place, n) => unwrapKey(keyring, place, wrapped[n] as Buffer))
  t.same(
    found.map(key => key.export()),
    keys
  )
})

eachKeyService('when it cannot be reached that is said', async (t, { open, ids, proxy }) => {
  const keyring = await open([ids[0]])
  const wrapped = await wrapKey(keyring, context, newKey())
  const reset = { cutUpAfter: 0 }
  proxy.fail(always, reset, 100)
  await t.rejects(unwrapKey(keyring, context, wrapped), { code: 'keys-unavailable' })
  await t.rejects(wrapKey(keyring, context, newKey()), { code: 'keys-unavailable' })
  await t.rejects(probeKeyring(keyring), { code: 'keys-unavailable' })
})

eachKeyService('a service that never answers is given up', async (t, { open, ids, proxy }) => {
  const keyring = await open([ids[0]])
  const wrapped = await wrapKey(keyring, context, newKey())
  for (const fault of [{ stallAfter: 0 }, { ignore: true } as const]) {
    proxy.fail(always, fault, 3)
    await t.rejects(unwrapKey(keyring, context, wrapped), { code: 'keys-unavailable' })
  }
})

eachKeyService('what fails once is asked again, and not for ever', async (t, ring) => {
  const { open, ids, proxy } = ring
  const keyring = await open([ids[0]])
  const key = newKey()
  const wrapped = await wrapKey(keyring, context, key)
  const broken = { answer: 500, json: { message: 'no', errors: ['no'] } }
  for (const fault of [broken, { cutUpAfter: 0 }, { loseAnswer: true } as const]) {
    proxy.fail(always, fault, 2)
    t.ok((await unwrapped(keyring, wrapped)).equals(key), Object.keys(fault)[0] ?? '')
  }
  const before = proxy.requests.length
  proxy.fail(always, broken, 100)
  await t.rejects(unwrapKey(keyring, context, wrapped), { code: 'keys-unavailable' })
  t.equal(proxy.requests.length - before, 3)
})

eachKeyService('a refusal is asked once and tells nobody anything', async (t, ring) => {
  const { open, ids, proxy, forbidden } = ring
  const keyring = await open([ids[0]])
  const key = newKey()
  const wrapped = await wrapKey(keyring, context, key)
  const before = proxy.requests.length
  const status = ring.kind === 'kms' ? 400 : 403
  proxy.fail(always, { answer: status, json: forbidden }, 100)
  const err = await wrapKey(keyring, context, key).catch(err => err)
  t.equal(proxy.requests.length - before, 1)
  t.ok(err instanceof SealError)
  t.equal(err.code, 'keys-unavailable')
  const shown = inspect(err, { depth: 9, showHidden: true })
  const secrets = [key.toString('base64'), key.toString('hex'), wrapped.toString('base64'), 'arn:']
  for (const secret of secrets) t.notOk(shown.includes(secret))
})
