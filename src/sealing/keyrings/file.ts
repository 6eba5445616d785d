import {
  createHmac,
  createSecretKey,
  type KeyObject,
  randomBytes,
  timingSafeEqual
} from 'node:crypto'
import { stat } from 'node:fs/promises'
import { canonicalContext, KEY_BYTES, newKey, openBox, sealBox } from '../keys.ts'
import {
  createPrivateFile,
  readPrivateFile,
  removeUnfinished,
  replacePrivateFile
} from '../private-file.ts'
import { SealError } from '../seal-error.ts'
import { KEK_ID, type Keyring } from './keyring.ts'

// A key ring in a JSON file. docs/sealed-object.md describes it.

const FORMAT = 'consilium-keyring-1'
const CHECK_BYTES = 16
/** KEKs in one file, which must stay within the length of a key file. */
const KEKS_MAX = 100

/** One KEK as the file has it. */
interface Entry {
  id: string
  key: string
  check: string
  /** When another became the current one, milliseconds UTC. */
  replacedAt?: number | undefined
}

interface Ring {
  current: string
  entries: Entry[]
  keks: Map<string, KeyObject>
}

/**
 * Makes a key ring file with one new key, readable by this user alone, and its directory where there
 * is none. Never overwrites: rejects with Node's EEXIST when the file exists.
 * It is on the disk, under its name, when the promise resolves.
 */
export async function createKeyringFile(path: string): Promise<void> {
  const entry = newEntry()
  // Should it stop in between, the key in the temporary file has wrapped nothing.
  await createPrivateFile(path, textOf(entry.id, [entry]))
}

/**
 * Adds a new KEK and makes it the current one. Resolves to its id. `record` puts it on the access
 * log first: if it stops in between, the log tells of a KEK that never wrapped anything.
 * Nobody else may be changing the file meanwhile. Throws as `openKeyringFile`.
 */
export async function addKek(
  path: string,
  now: number,
  record: (id: string) => Promise<void>
): Promise<string> {
  await removeUnfinished(path)
  const { current, entries } = parseKeyring(await readPrivateFile(path))
  if (entries.length >= KEKS_MAX) throw new RangeError('Remove KEKs that nothing uses first.')
  const entry = newEntry()
  await record(entry.id)
  const older = entries.map(old => (old.id === current ? { ...old, replacedAt: now } : old))
  await replacePrivateFile(path, textOf(entry.id, [...older, entry]))
  return entry.id
}

/**
 * Removes a KEK that is not the current one: what is still wrapped under it is lost for ever. The
 * caller has made sure that nothing is, and records it first. Nobody else may be changing the file
 * meanwhile. Throws as `openKeyringFile`.
 */
export async function removeKek(path: string, id: string): Promise<void> {
  const { current, entries } = parseKeyring(await readPrivateFile(path))
  if (id === current) throw new RangeError('The current KEK cannot be removed.')
  const kept = entries.filter(entry => entry.id !== id)
  await replacePrivateFile(path, textOf(current, kept))
}

/** The KEKs in the file and since when they wrap nothing new. Throws as `openKeyringFile`. */
export async function listKeks(
  path: string
): Promise<{ id: string; isCurrent: boolean; replacedAt: number | undefined }[]> {
  const { current, entries } = parseKeyring(await readPrivateFile(path))
  return entries.map(({ id, replacedAt }) => ({ id, isCurrent: id === current, replacedAt }))
}

/**
 * Opens a key ring file and checks every key in it. When another process replaces the file, this key
 * ring has what is new in it before it next wraps a key, or meets a KEK that it does not know.
 * Throws key-missing when there is no such file, keyring-unsafe when another user may read or change
 * it or owns it, keyring-damaged when it is not a whole, sound key ring.
 */
export async function openKeyringFile(path: string): Promise<Keyring> {
  let stamp = await stampOf(path)
  let ring = parseKeyring(await readPrivateFile(path))

  /** Before it is read again, so that a change in between is seen the next time. */
  async function refresh(): Promise<void> {
    try {
      const found = await stampOf(path)
      if (found === stamp) return
      ring = parseKeyring(await readPrivateFile(path))
      stamp = found
    } catch (err) {
      // A key wrapped now, under a KEK whose file is gone, would be lost at the next start.
      const why = err instanceof SealError ? err.code : 'it cannot be read'
      throw new SealError('keys-unavailable', `The key ring file is not as it was: ${why}.`)
    }
  }

  async function kekOf(id: string): Promise<KeyObject> {
    if (!ring.keks.has(id)) await refresh()
    const kek = ring.keks.get(id)
    if (kek !== undefined) return kek
    throw new SealError('key-missing', 'The key ring has not the key this was wrapped with.')
  }

  return {
    async currentId() {
      await refresh()
      return ring.current
    },
    async kekIds() {
      await refresh()
      const ids = [...ring.keks.keys()].filter(id => id !== ring.current)
      return [ring.current, ...ids]
    },
    async wrap(kekId, context, key) {
      return sealBox(await kekOf(kekId), context, key)
    },
    async unwrap(kekId, context, wrapped) {
      const bytes = openWrapped(await kekOf(kekId), context, wrapped)
      const key = createSecretKey(bytes)
      bytes.fill(0)
      return key
    },
    close() {}
  }
}

/** Differs once the file was replaced: a new file has another inode, a changed one another time. */
async function stampOf(path: string): Promise<string> {
  const { ino, mtimeNs, ctimeNs, size } = await stat(path, { bigint: true }).catch(err => {
    if (err.code === 'ENOENT') throw new SealError('key-missing', 'There is no such key file.')
    throw err
  })
  return [ino, mtimeNs, ctimeNs, size].join(' ')
}

function openWrapped(kek: KeyObject, context: Buffer, wrapped: Uint8Array): Buffer {
  try {
    return openBox(kek, context, wrapped)
  } catch {
    throw new SealError('key-damaged', 'A wrapped key is damaged or belongs elsewhere.')
  }
}

function newEntry(): Entry {
  const id = `kek-${randomBytes(8).toString('hex')}`
  const key = newKey()
  const check = checkValue(id, createSecretKey(key)).toString('base64url')
  const entry = { id, key: key.toString('base64url'), check }
  key.fill(0)
  return entry
}

function textOf(current: string, keys: Entry[]): string {
  return `${JSON.stringify({ format: FORMAT, current, keys }, null, 2)}\n`
}

function parseKeyring(text: string): Ring {
  const { format, current, keys } = fieldsOf(parseJson(text))
  if (format !== FORMAT || !Array.isArray(keys)) throw damaged('is not a key ring')
  const keks = new Map<string, KeyObject>()
  const entries = keys.map(value => {
    const entry = parseEntry(value)
    if (keks.has(entry.id)) throw damaged('has a bad id')
    keks.set(entry.id, openEntry(entry))
    return entry
  })
  if (typeof current !== 'string' || !keks.has(current)) throw damaged('has no current key')
  return { current, entries, keks }
}

function parseEntry(value: unknown): Entry {
  const { id, key, check, replacedAt } = fieldsOf(value)
  if (typeof id !== 'string' || !KEK_ID.test(id)) throw damaged('has a bad id')
  if (typeof key !== 'string' || typeof check !== 'string') throw damaged('has a key of no form')
  if (replacedAt === undefined) return { id, key, check }
  if (typeof replacedAt !== 'number' || !Number.isSafeInteger(replacedAt)) {
    throw damaged('has a bad time')
  }
  return { id, key, check, replacedAt }
}

function openEntry({ id, key, check }: Entry): KeyObject {
  const kek = createSecretKey(bytesOf(key, KEY_BYTES))
  if (timingSafeEqual(checkValue(id, kek), bytesOf(check, CHECK_BYTES))) return kek
  throw damaged('has a key that fails its check')
}

/** Tells a damaged key when the ring is opened instead of when the key is first needed. */
function checkValue(id: string, kek: KeyObject): Buffer {
  const mac = createHmac('sha256', kek).update(canonicalContext('keyring-check', id)).digest()
  return mac.subarray(0, CHECK_BYTES)
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // The parser's own message quotes the text, which holds keys.
    throw damaged('is not JSON')
  }
}

function fieldsOf(value: unknown): Record<string, unknown> {
  if (typeof value !== 'object' || value === null) throw damaged('is not a key ring')
  return { ...value }
}

/** Decodes base64url strictly: what does not encode back to the same text was altered. */
function bytesOf(value: string, length: number): Buffer {
  const bytes = Buffer.from(value, 'base64url')
  if (bytes.byteLength !== length || bytes.toString('base64url') !== value) {
    throw damaged('has a key or check of the wrong length')
  }
  return bytes
}

function damaged(how: string): SealError {
  return new SealError('keyring-damaged', `The key ring file ${how}.`)
}
