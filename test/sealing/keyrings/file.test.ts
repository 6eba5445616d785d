import { createHmac, randomBytes } from 'node:crypto'
import {
  chmodSync,
  chownSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync
} from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import {
  addKek,
  createKeyringFile,
  listKeks,
  openKeyringFile,
  removeKek
} from '../../../src/sealing/keyrings/file.ts'
import { canonicalContext, newKey, unwrapKey, wrapKey } from '../../../src/sealing/keys.ts'

const context = canonicalContext('record-key', 'org', 'rec', '1')

t.test('a new key ring wraps and, opened again, unwraps', async t => {
  const path = join(t.testdir(), 'keys', 'keyring.json')
  await createKeyringFile(path)
  const key = newKey()
  const wrapped = await wrapKey(await openKeyringFile(path), context, key)
  t.ok((await unwrapKey(await openKeyringFile(path), context, wrapped)).export().equals(key))
})

t.test('a new key ring is private and leaves nothing beside it', async t => {
  const directory = join(t.testdir(), 'keys')
  const path = join(directory, 'keyring.json')
  await createKeyringFile(path)
  t.equal(statSync(path).mode & 0o777, 0o600)
  t.equal(statSync(directory).mode & 0o777, 0o700)
  t.same(readdirSync(directory), ['keyring.json'])
})

t.test('a key ring is never overwritten', async t => {
  const directory = t.testdir({ 'keyring.json': 'what was there' })
  const path = join(directory, 'keyring.json')
  await t.rejects(createKeyringFile(path), { code: 'EEXIST' })
  t.equal(readFileSync(path, 'utf8'), 'what was there')
  t.same(readdirSync(directory), ['keyring.json'])

  const fresh = join(directory, 'fresh.json')
  const made = await Promise.allSettled([1, 2, 3, 4].map(() => createKeyringFile(fresh)))
  t.equal(made.filter(({ status }) => status === 'fulfilled').length, 1, 'one of several at once')
  await openKeyringFile(fresh)
})

t.test('a missing key ring says so', async t => {
  await t.rejects(openKeyringFile(join(t.testdir(), 'none.json')), { code: 'key-missing' })
})

t.test('a key ring that others may touch is refused', async t => {
  const path = join(t.testdir(), 'keyring.json')
  await createKeyringFile(path)
  for (const bit of [0o040, 0o020, 0o010, 0o004, 0o002, 0o001]) {
    chmodSync(path, 0o600 | bit)
    await t.rejects(openKeyringFile(path), { code: 'keyring-unsafe' }, `mode ${bit.toString(8)}`)
  }
  chmodSync(path, 0o400)
  await t.resolves(openKeyringFile(path), 'read-only is safe')
})

t.test(
  'a key ring of another user is refused',
  {
    skip: process.getuid?.() === 0 ? false : 'only root can give a file away'
  },
  async t => {
    const path = join(t.testdir(), 'keyring.json')
    await createKeyringFile(path)
    chownSync(path, 65_534, 65_534)
    await t.rejects(openKeyringFile(path), { code: 'keyring-unsafe' })
  }
)

t.test('damage to any character of a key, id or check is noticed on opening', async t => {
  const path = join(t.testdir(), 'keyring.json')
  await createKeyringFile(path)
  const text = readFileSync(path, 'utf8')
  const { current, keys } = JSON.parse(text)
  for (const value of [keys[0].key, keys[0].check, keys[0].id, current]) {
    const start = text.lastIndexOf(value)
    for (let at = start; at < start + value.length; at += 1) {
      writeFileSync(
        path,
        `${text.slice(0, at)}${text[at] === 'Q' ? 'R' : 'Q'}${text.slice(at + 1)}`
      )
      await t.rejects(openKeyringFile(path), { code: 'keyring-damaged' })
    }
  }
})

t.test('a key ring cut anywhere is refused, and the error shows nothing of it', async t => {
  const path = join(t.testdir(), 'keyring.json')
  await createKeyringFile(path)
  const text = readFileSync(path, 'utf8')
  const { keys } = JSON.parse(text)
  for (let length = 0; length < text.length - 2; length += 1) {
    writeFileSync(path, text.slice(0, length))
    const error = await openKeyringFile(path).catch(error => error)
    t.equal(error.code, 'keyring-damaged')
    t.notOk(`${error.stack} ${error.cause}`.includes(keys[0].key.slice(0, 5)))
  }
})

t.test('a key ring of the wrong shape is refused', async t => {
  const sound = entry('a')
  const ring = (change: object) => ({
    format: 'consilium-keyring-1',
    current: 'a',
    keys: [sound],
    ...change
  })
  const path = join(t.testdir(), 'keyring.json')
  const write = (value: unknown) => writeFileSync(path, JSON.stringify(value), { mode: 0o600 })
  write(ring({}))
  await t.resolves(openKeyringFile(path))
  for (const wrong of [
    null,
    [],
    ring({ format: 'consilium-keyring-2' }),
    ring({ keys: [] }),
    ring({ keys: {} }),
    ring({ keys: [null] }),
    ring({ keys: [sound, sound] }),
    ring({ current: 'b' }),
    ring({ current: undefined }),
    ring({ keys: [entry('a', 31)] }),
    ring({ keys: [entry('a', 33)] }),
    ring({ keys: [{ ...sound, key: `${sound.key}=` }] }),
    ring({ keys: [{ ...sound, check: undefined }] }),
    ring({ keys: [{ ...sound, check: entry('a').check }] }),
    ring({ keys: [sound, { ...sound, id: 'b' }] }),
    ring({ keys: [entry('a b')], current: 'a b' }),
    ring({ padding: 'x'.repeat(65_536) })
  ]) {
    write(wrong)
    await t.rejects(openKeyringFile(path), { code: 'keyring-damaged' })
  }
})

t.test('with several keys the current one wraps and every one unwraps', async t => {
  const path = join(t.testdir(), 'keyring.json')
  const keys = [entry('kek-2025'), entry('kek-2026')]
  const open = (current: string) => {
    const ring = { format: 'consilium-keyring-1', current, keys }
    writeFileSync(path, JSON.stringify(ring), { mode: 0o600 })
    return openKeyringFile(path)
  }
  const key = newKey()
  const old = await wrapKey(await open('kek-2025'), context, key)
  const keyring = await open('kek-2026')
  t.equal(await keyring.currentId(), 'kek-2026')
  const fresh = await wrapKey(keyring, context, key)
  t.equal(fresh.subarray(2, 10).toString(), 'kek-2026')
  t.ok((await unwrapKey(keyring, context, old)).export().equals(key))
  t.ok((await unwrapKey(keyring, context, fresh)).export().equals(key))

  keys.shift()
  const without = await open('kek-2026')
  await t.rejects(unwrapKey(without, context, old), { code: 'key-missing' })
  old.write('kek-2026', 2, 'ascii')
  await t.rejects(unwrapKey(keyring, context, old), { code: 'key-damaged' })
})

/** An entry made from its description in docs/sealed-object.md. */
function entry(id: string, keyBytes = 32) {
  const key = randomBytes(keyBytes)
  const text = 'keyring-check'
  const bound = Buffer.alloc(8 + text.length + id.length)
  bound.writeUInt32BE(text.length, 0)
  bound.write(text, 4)
  bound.writeUInt32BE(id.length, 4 + text.length)
  bound.write(id, 8 + text.length)
  const check = createHmac('sha256', key).update(bound).digest().subarray(0, 16)
  return { id, key: key.toString('base64url'), check: check.toString('base64url') }
}

t.test('a key ring that is open sees what another process adds', async t => {
  const path = join(t.testdir(), 'keyring.json')
  await createKeyringFile(path)
  const [service, script] = [await openKeyringFile(path), await openKeyringFile(path)]
  const key = newKey()
  const old = await wrapKey(service, context, key)
  const told: string[] = []
  const id = await addKek(path, 1000, async added => void told.push(added))
  t.same(told, [id])
  const [first = ''] = (await script.kekIds()).slice(1)
  t.same(await listKeks(path), [
    { id: first, isCurrent: false, replacedAt: 1000 },
    { id, isCurrent: true, replacedAt: undefined }
  ])
  const fresh = await wrapKey(script, context, key)
  t.ok((await unwrapKey(service, context, fresh)).export().equals(key), 'it did not know this KEK')
  t.equal(await service.currentId(), id)
  t.ok((await unwrapKey(service, context, old)).export().equals(key))
  await t.rejects(removeKek(path, id), RangeError)
  await removeKek(path, first)
  await t.rejects(unwrapKey(await openKeyringFile(path), context, old), { code: 'key-missing' })
  t.same(readdirSync(join(path, '..')), ['keyring.json'])
})

t.test('nothing is wrapped once the file is gone or spoilt', async t => {
  const path = join(t.testdir(), 'keyring.json')
  await createKeyringFile(path)
  const keyring = await openKeyringFile(path)
  const key = newKey()
  const wrapped = await wrapKey(keyring, context, key)
  const text = readFileSync(path, 'utf8')
  for (const spoil of [
    () => rmSync(path),
    () => writeFileSync(path, text.slice(9), { mode: 0o600 }),
    () => {
      writeFileSync(path, text)
      chmodSync(path, 0o644)
    }
  ]) {
    spoil()
    await t.rejects(wrapKey(keyring, context, key), { code: 'keys-unavailable' })
    t.ok((await unwrapKey(keyring, context, wrapped)).export().equals(key), 'reading goes on')
  }
  chmodSync(path, 0o600)
  await t.resolves(wrapKey(keyring, context, key), 'and it is put back')
})

t.test('a KEK that the log does not have is not added', async t => {
  const path = join(t.testdir(), 'keyring.json')
  await createKeyringFile(path)
  const before = readFileSync(path, 'utf8')
  const refuse = async () => {
    throw new Error('no log')
  }
  await t.rejects(addKek(path, 0, refuse), /no log/)
  t.equal(readFileSync(path, 'utf8'), before)
})
