import { createSecretKey } from 'node:crypto'
import t from 'tap'
import type { Keyring } from '../../../src/sealing/keyrings/keyring.ts'
import {
  KEY_REMEMBERED_MILLISECONDS_MAX,
  KEYS_REMEMBERED_MAX,
  rememberingKeyring
} from '../../../src/sealing/keyrings/remember.ts'

/** A key ring that counts how often it is asked; what it unwraps is the wrapped bytes reversed. */
function countingKeyring(): Keyring & { asked: number } {
  return {
    currentId: async () => 'kek-1',
    kekIds: async () => ['kek-1'],
    asked: 0,
    async wrap(_kekId, _context, key) {
      return Buffer.from(key).reverse()
    },
    async unwrap(_kekId, _context, wrapped) {
      this.asked += 1
      if (wrapped.byteLength !== 32) throw new Error('damaged')
      return createSecretKey(Buffer.from(wrapped).reverse())
    },
    close() {}
  }
}

const wrapped = (n: number) => Buffer.alloc(32, n)
const context = Buffer.from('context')
const bytesOf = async (keyring: Keyring, wrapped: Buffer) =>
  (await keyring.unwrap('kek-1', context, wrapped)).export()

t.test('a key is asked for once a minute', async t => {
  const inner = countingKeyring()
  let now = 0
  const keyring = rememberingKeyring(inner, () => now)
  for (let i = 0; i < 3; i += 1) t.same(await bytesOf(keyring, wrapped(1)), wrapped(1))
  t.equal(inner.asked, 1)
  now = KEY_REMEMBERED_MILLISECONDS_MAX
  t.same(await bytesOf(keyring, wrapped(1)), wrapped(1))
  t.equal(inner.asked, 2, 'a minute later it asks again')
})

t.test('another context or other bytes are another key', async t => {
  const inner = countingKeyring()
  const keyring = rememberingKeyring(inner, () => 0)
  await keyring.unwrap('kek-1', context, wrapped(1))
  await keyring.unwrap('kek-1', Buffer.from('elsewhere'), wrapped(1))
  t.same(await bytesOf(keyring, wrapped(2)), wrapped(2))
  t.equal(inner.asked, 3)
})

t.test('a refusal is not remembered', async t => {
  const inner = countingKeyring()
  const keyring = rememberingKeyring(inner, () => 0)
  await t.rejects(keyring.unwrap('kek-1', context, Buffer.alloc(3)))
  await t.rejects(keyring.unwrap('kek-1', context, Buffer.alloc(3)))
  t.equal(inner.asked, 2)
})

t.test('callers at the same time share one question', async t => {
  const inner = countingKeyring()
  const keyring = rememberingKeyring(inner, () => 0)
  const keys = await Promise.all([1, 1, 2, 1].map(n => bytesOf(keyring, wrapped(n))))
  t.same(keys, [1, 1, 2, 1].map(wrapped))
  t.equal(inner.asked, 2)
})

t.test('it never holds more than its limit', async t => {
  const inner = countingKeyring()
  const keyring = rememberingKeyring(inner, () => 0)
  const many = Array.from({ length: KEYS_REMEMBERED_MAX + 1 }, (_, n) => {
    const bytes = Buffer.alloc(32)
    bytes.writeUInt32BE(n)
    return bytes
  })
  for (const bytes of many) await keyring.unwrap('kek-1', context, bytes)
  await keyring.unwrap('kek-1', context, many.at(-1) as Buffer)
  t.equal(inner.asked, many.length, 'the last is remembered')
  await keyring.unwrap('kek-1', context, many[0] as Buffer)
  t.equal(inner.asked, many.length + 1, 'the first was forgotten')
})
