import { createSecretKey, randomBytes } from 'node:crypto'
import fc from 'fast-check'
import t from 'tap'
import type { Keyring } from '../../src/sealing/keyrings/keyring.ts'
import {
  BOX_OVERHEAD_BYTES,
  canonicalContext,
  newKey,
  objectContext,
  openBox,
  recordKeyContext,
  sealBox,
  unwrapKey,
  wrapKey
} from '../../src/sealing/keys.ts'

const key = createSecretKey(newKey())
const context = canonicalContext('field', 'id')

t.test('a box opens to what was sealed', async t => {
  for (const length of [0, 1, 32, 10_000]) {
    const plain = randomBytes(length)
    const box = sealBox(key, context, plain)
    t.equal(box.byteLength, length + BOX_OVERHEAD_BYTES)
    t.ok(openBox(key, context, box).equals(plain))
    t.ok(openBox(key, context, new Uint8Array(box)).equals(plain), 'also as the database gives it')
  }
  t.notSame(sealBox(key, context, Buffer.alloc(4)), sealBox(key, context, Buffer.alloc(4)))
})

t.test('a box changed, cut, moved or under another key is refused', async t => {
  const box = sealBox(key, context, Buffer.from('profile'))
  const refused = { code: 'sealed-damaged' }
  for (let bit = 0; bit < box.byteLength * 8; bit += 1) {
    const damaged = Buffer.from(box)
    damaged.writeUInt8(damaged.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3)
    t.throws(() => openBox(key, context, damaged), refused)
  }
  for (let length = 0; length < box.byteLength; length += 1) {
    t.throws(() => openBox(key, context, box.subarray(0, length)), refused)
  }
  t.throws(() => openBox(key, canonicalContext('field', 'other'), box), refused)
  t.throws(() => openBox(createSecretKey(newKey()), context, box), refused)
})

t.test('two different lists of parts never give the same context', async t => {
  const parts = fc.array(fc.string({ unit: 'grapheme', maxLength: 4 }), { maxLength: 4 })
  const property = fc.property(parts, parts, (a, b) => {
    const alike = JSON.stringify(a) === JSON.stringify(b)
    return canonicalContext(...a).equals(canonicalContext(...b)) === alike
  })
  t.doesNotThrow(() => fc.assert(property, { numRuns: 200 }))
  t.notSame(canonicalContext('ab', 'c'), canonicalContext('a', 'bc'))
  t.notSame(canonicalContext('a', ''), canonicalContext('a'))
  t.equal(canonicalContext('é', Buffer.of(0)).toString('hex'), '00000002c3a90000000100')
  t.throws(() => canonicalContext('\ud800'), TypeError)
})

t.test('the contexts of objects and record keys are as documented', async t => {
  t.same(objectContext('org', 'rec', 'obj'), canonicalContext('object', 'org', 'rec', 'obj', '1'))
  t.same(recordKeyContext('org', 'rec'), canonicalContext('record-key', 'org', 'rec', '1'))
})

t.test('a wrapped key unwraps to the same key', async t => {
  const keyring = memoryKeyring('kek-1')
  const secret = newKey()
  const wrapped = await wrapKey(keyring, context, secret)
  t.equal(wrapped[0], 1)
  t.equal(wrapped.subarray(2, 2 + Number(wrapped[1])).toString(), 'kek-1')
  t.ok((await unwrapKey(keyring, context, wrapped)).export().equals(secret))

  const again = await wrapKey(keyring, context, createSecretKey(secret))
  t.ok((await unwrapKey(keyring, context, again)).export().equals(secret))
  t.notOk(secret.equals(Buffer.alloc(32)), 'the caller keeps its key')
})

t.test('a key wrapped under an earlier KEK still unwraps', async t => {
  const keyring = memoryKeyring('kek-1', 'kek-2')
  const secret = newKey()
  const wrapped = await wrapKey({ ...keyring, currentId: async () => 'kek-1' }, context, secret)
  t.ok(
    (await unwrapKey({ ...keyring, currentId: async () => 'kek-2' }, context, wrapped))
      .export()
      .equals(secret)
  )
})

t.test('a wrapped key changed, cut or moved is refused', async t => {
  const keyring = memoryKeyring('a')
  const wrapped = await wrapKey(keyring, context, newKey())
  for (let bit = 0; bit < wrapped.byteLength * 8; bit += 1) {
    const damaged = Buffer.from(wrapped)
    damaged.writeUInt8(damaged.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3)
    await t.rejects(unwrapKey(keyring, context, damaged), { code: /^key-(damaged|missing)$/ })
  }
  for (let length = 0; length < wrapped.byteLength; length += 1) {
    await t.rejects(unwrapKey(keyring, context, wrapped.subarray(0, length)), {
      code: 'key-damaged'
    })
  }
  await t.rejects(unwrapKey(keyring, canonicalContext('other'), wrapped), { code: 'key-damaged' })
  await t.rejects(unwrapKey(memoryKeyring('b'), context, wrapped), { code: 'key-missing' })
})

t.test('the id of the KEK is bound in', async t => {
  const keyring = memoryKeyring('a', 'b')
  const same: Keyring = { ...keyring, unwrap: (_, ...rest) => keyring.unwrap('a', ...rest) }
  const wrapped = await wrapKey(keyring, context, newKey())
  wrapped.write('b', 2, 'ascii')
  await t.rejects(unwrapKey(same, context, wrapped), { code: 'key-damaged' })
})

t.test('what is not a 32-byte key is not wrapped', async t => {
  const keyring = memoryKeyring('a')
  await t.rejects(wrapKey(keyring, context, Buffer.alloc(31)), RangeError)
  await t.rejects(
    wrapKey({ ...keyring, currentId: async () => 'ä' }, context, newKey()),
    RangeError
  )
  const short: Keyring = { ...keyring, unwrap: async () => createSecretKey(Buffer.alloc(16)) }
  const wrapped = await wrapKey(keyring, context, newKey())
  await t.rejects(unwrapKey(short, context, wrapped), { code: 'key-damaged' })
})

/** A key ring as a cloud service might be one: every call takes a turn of the event loop. */
function memoryKeyring(...ids: [string, ...string[]]): Keyring {
  const keks = new Map(ids.map(id => [id, createSecretKey(newKey())]))
  const kekOf = async (id: string) => {
    await new Promise(resolve => setImmediate(resolve))
    const kek = keks.get(id)
    if (!kek) throw Object.assign(new Error('missing'), { code: 'key-missing' })
    return kek
  }
  return {
    currentId: async () => ids[0],
    kekIds: async () => ids,
    wrap: async (kekId, bound, plain) => sealBox(await kekOf(kekId), bound, plain),
    async unwrap(kekId, bound, wrapped) {
      const kek = await kekOf(kekId)
      try {
        return createSecretKey(openBox(kek, bound, wrapped))
      } catch {
        throw Object.assign(new Error('damaged'), { code: 'key-damaged' })
      }
    },
    close() {}
  }
}
