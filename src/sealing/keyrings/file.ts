import {
  createHmac,
  createSecretKey,
  type KeyObject,
  randomBytes,
  timingSafeEqual
} from 'node:crypto'
import { canonicalContext, KEY_BYTES, newKey, openBox, sealBox } from '../keys.ts'
import { createPrivateFile, readPrivateFile } from '../private-file.ts'
import { SealError } from '../seal-error.ts'
import { KEK_ID, type Keyring } from './keyring.ts'

// A key ring in a JSON file. docs/sealed-object.md describes it.

const FORMAT = 'consilium-keyring-1'
const CHECK_BYTES = 16

/**
 * Makes a key ring file with one new key, readable by this user alone, and its directory where there
 * is none. Never overwrites: rejects with Node's EEXIST when the file exists.
 * It is on the disk, under its name, when the promise resolves.
 */
export async function createKeyringFile(path: string): Promise<void> {
  const id = `kek-${randomBytes(8).toString('hex')}`
  const key = newKey()
  const check = checkValue(id, createSecretKey(key)).toString('base64url')
  const entry = { id, key: key.toString('base64url'), check }
  key.fill(0)
  const text = `${JSON.stringify({ format: FORMAT, current: id, keys: [entry] }, null, 2)}\n`
  // Should it stop in between, the key in the temporary file has wrapped nothing.
  await createPrivateFile(path, text)
}

/**
 * Opens a key ring file and checks every key in it.
 * Throws key-missing when there is no such file, keyring-unsafe when another user may read or change
 * it or owns it, keyring-damaged when it is not a whole, sound key ring.
 */
export async function openKeyringFile(path: string): Promise<Keyring> {
  const { current, keks } = parseKeyring(await readPrivateFile(path))

  function kekOf(id: string): KeyObject {
    const kek = keks.get(id)
    if (!kek)
      throw new SealError('key-missing', 'The key ring has not the key this was wrapped with.')
    return kek
  }
  return {
    currentId: current,
    async wrap(kekId, context, key) {
      return sealBox(kekOf(kekId), context, key)
    },
    async unwrap(kekId, context, wrapped) {
      const bytes = openWrapped(kekOf(kekId), context, wrapped)
      const key = createSecretKey(bytes)
      bytes.fill(0)
      return key
    }
  }
}

function openWrapped(kek: KeyObject, context: Buffer, wrapped: Uint8Array): Buffer {
  try {
    return openBox(kek, context, wrapped)
  } catch {
    throw new SealError('key-damaged', 'A wrapped key is damaged or belongs elsewhere.')
  }
}

function parseKeyring(text: string): { current: string; keks: Map<string, KeyObject> } {
  const { format, current, keys } = fieldsOf(parseJson(text))
  if (format !== FORMAT || !Array.isArray(keys)) throw damaged('is not a key ring')
  const keks = new Map<string, KeyObject>()
  for (const entry of keys) {
    const { id, key, check } = fieldsOf(entry)
    if (typeof id !== 'string' || !KEK_ID.test(id) || keks.has(id)) throw damaged('has a bad id')
    const kek = createSecretKey(bytesOf(key, KEY_BYTES))
    if (!timingSafeEqual(checkValue(id, kek), bytesOf(check, CHECK_BYTES))) {
      throw damaged('has a key that fails its check')
    }
    keks.set(id, kek)
  }
  if (typeof current !== 'string' || !keks.has(current)) throw damaged('has no current key')
  return { current, keks }
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
function bytesOf(value: unknown, length: number): Buffer {
  const bytes = Buffer.from(typeof value === 'string' ? value : '', 'base64url')
  if (bytes.byteLength !== length || bytes.toString('base64url') !== value) {
    throw damaged('has a key or check of the wrong length')
  }
  return bytes
}

function damaged(how: string): SealError {
  return new SealError('keyring-damaged', `The key ring file ${how}.`)
}
