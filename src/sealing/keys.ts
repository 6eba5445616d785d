import { createCipheriv, createDecipheriv, KeyObject, randomBytes } from 'node:crypto'
import { KEK_ID, type Keyring } from './keyrings/keyring.ts'
import { randomSource } from './random.ts'
import { SealError } from './seal-error.ts'

// Small secrets and fields. docs/sealed-object.md describes the bytes.

export const KEY_BYTES = 32
const CIPHER = 'aes-256-gcm'
const BOX_VERSION = 1
const IV_BYTES = 12
const TAG_BYTES = 16
export const BOX_OVERHEAD_BYTES = 1 + IV_BYTES + TAG_BYTES
const WRAPPED_VERSION = 1
const freshIv = randomSource(IV_BYTES)

/** A fresh random 32-byte key. Overwrite it with fill(0) once it is wrapped and used. */
export function newKey(): Buffer {
  return randomBytes(KEY_BYTES)
}

/**
 * Joins the parts of a context so that no two different lists give the same bytes: each part is
 * preceded by its length as four big-endian bytes. Text is UTF-8.
 */
export function canonicalContext(...parts: Array<string | Uint8Array>): Buffer {
  let bytes = 0
  for (const part of parts) {
    // Half a surrogate pair has no UTF-8 form, and every one would turn into the same bytes.
    if (typeof part === 'string' && !part.isWellFormed()) {
      throw new TypeError('A context is well-formed text.')
    }
    bytes += 4 + Buffer.byteLength(part)
  }
  const context = Buffer.allocUnsafe(bytes)
  let at = 0
  for (const part of parts) {
    const start = at + 4
    if (typeof part === 'string') {
      at = start + context.write(part, start, 'utf8')
    } else {
      context.set(part, start)
      at = start + part.byteLength
    }
    context.writeUInt32BE(at - start, start - 4)
  }
  return context
}

/** The context of one sealed object: moved to another place, it does not open. */
export function objectContext(organisationId: string, recordId: string, objectId: string): Buffer {
  return canonicalContext('object', organisationId, recordId, objectId, '1')
}

/** What a segment was sealed for: it opens nowhere else, and under no other name. */
export interface SegmentPlace {
  /** The upload that received it, and its number there, from 0. */
  upload: string
  number: number
  /** The name of its blob, which is random and used once. */
  blob: string
}

/** The context of one segment of an object that arrived in several. */
export function segmentContext(
  organisationId: string,
  recordId: string,
  { upload, number, blob }: SegmentPlace
): Buffer {
  return canonicalContext('segment', organisationId, recordId, upload, String(number), blob, '1')
}

/** The context of the list of an object's segments. */
export function layoutContext(organisationId: string, recordId: string, objectId: string): Buffer {
  return canonicalContext('layout', organisationId, recordId, objectId, '1')
}

/** The context of a record's wrapped key. */
export function recordKeyContext(organisationId: string, recordId: string): Buffer {
  return canonicalContext('record-key', organisationId, recordId, '1')
}

/**
 * Seals a small value: 0x01, 12 random bytes, ciphertext, 16-byte tag, by AES-256-GCM with `context`
 * as additional data. One key seals at most 2^32 boxes (NIST SP 800-38D, section 8.3).
 */
export function sealBox(key: KeyObject, context: Uint8Array, plain: Uint8Array): Buffer {
  const iv = freshIv()
  const cipher = createCipheriv(CIPHER, key, iv).setAAD(context)
  const sealed = cipher.update(plain)
  cipher.final()
  return Buffer.concat([Uint8Array.of(BOX_VERSION), iv, sealed, cipher.getAuthTag()])
}

/** Opens a box. Throws sealed-damaged unless it was sealed with this key and context. */
export function openBox(key: KeyObject, context: Uint8Array, box: Uint8Array): Buffer {
  if (box.byteLength < BOX_OVERHEAD_BYTES || box[0] !== BOX_VERSION) throw damagedBox()
  const decipher = createDecipheriv(CIPHER, key, box.subarray(1, 1 + IV_BYTES))
  decipher.setAAD(context)
  decipher.setAuthTag(box.subarray(-TAG_BYTES))
  const plain = decipher.update(box.subarray(1 + IV_BYTES, -TAG_BYTES))
  try {
    decipher.final()
  } catch {
    // What update() returned is not authenticated, and nobody may see it.
    plain.fill(0)
    throw damagedBox()
  }
  return plain
}

function damagedBox(): SealError {
  return new SealError('sealed-damaged', 'A sealed field is damaged or belongs elsewhere.')
}

/**
 * Wraps a 32-byte key under the key ring's current KEK: 0x01, the length of the KEK's id in one byte,
 * the id in ASCII, then what the key ring made. The id is bound in, with `context`.
 * Throws keys-unavailable when the key ring cannot be asked.
 */
export async function wrapKey(
  keyring: Keyring,
  context: Uint8Array,
  key: Uint8Array | KeyObject
): Promise<Buffer> {
  const kekId = await keyring.currentId()
  if (!KEK_ID.test(kekId)) throw new RangeError('A KEK id has 1 to 64 characters of A-Za-z0-9._-')
  const bytes = key instanceof KeyObject ? key.export() : key
  if (bytes.byteLength !== KEY_BYTES) throw new RangeError('A key to wrap has 32 bytes.')
  try {
    const wrapped = await keyring.wrap(kekId, wrapContext(kekId, context), bytes)
    return Buffer.concat([wrappedPrefix(kekId), wrapped])
  } finally {
    if (key instanceof KeyObject) bytes.fill(0)
  }
}

/**
 * Unwraps a key. Throws key-missing when the key ring lacks the KEK it names, key-damaged when it is
 * not a key wrapped with this context, keys-unavailable when the key ring cannot be asked.
 */
export async function unwrapKey(
  keyring: Keyring,
  context: Uint8Array,
  wrapped: Uint8Array
): Promise<KeyObject> {
  const { kekId, body } = parseWrapped(wrapped)
  const key = await keyring.unwrap(kekId, wrapContext(kekId, context), body)
  if (key.symmetricKeySize !== KEY_BYTES) throw damagedKey()
  return key
}

/** What takes the place of a wrapped key that is destroyed: from then on nothing under it opens. */
export const SHREDDED = Buffer.alloc(0)

/** Whether a wrapped key was destroyed. */
export const isShredded = (wrapped: Uint8Array): boolean => wrapped.byteLength === 0

/** What every key wrapped under this KEK begins with, and no other key does. */
export function wrappedPrefix(kekId: string): Buffer {
  return Buffer.concat([Uint8Array.of(WRAPPED_VERSION, kekId.length), Buffer.from(kekId, 'ascii')])
}

function parseWrapped(wrapped: Uint8Array): { kekId: string; body: Uint8Array } {
  const idEnd = 2 + (wrapped[1] ?? 0)
  const kekId = Buffer.from(wrapped.subarray(2, idEnd)).toString('latin1')
  if (wrapped[0] !== WRAPPED_VERSION || wrapped.byteLength <= idEnd || !KEK_ID.test(kekId)) {
    throw damagedKey()
  }
  return { kekId, body: wrapped.subarray(idEnd) }
}

const wrapContext = (kekId: string, context: Uint8Array): Buffer =>
  canonicalContext('wrapped-key', kekId, context)

function damagedKey(): SealError {
  return new SealError('key-damaged', 'A wrapped key is damaged or belongs elsewhere.')
}
