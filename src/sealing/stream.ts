import {
  type CipherGCM,
  createCipheriv,
  createDecipheriv,
  createHmac,
  createSecretKey,
  KeyObject,
  randomBytes,
  timingSafeEqual
} from 'node:crypto'
import {
  CHUNK_BYTES,
  CHUNKS_MAX,
  COMMITMENT_BYTES,
  HEADER_BYTES,
  lastChunkOf,
  plainBytes,
  SALT_BYTES,
  SEALED_CHUNK_BYTES,
  sealedBytes,
  TAG_BYTES
} from './layout.ts'
import { SealError } from './seal-error.ts'

// C2SP chunked-encryption in its form Cobblestone-256: AES-256-GCM in chunks of 16 KiB, keys by
// HKDF-Expand with SHA-512. docs/sealed-object.md describes the bytes.

export {
  CHUNK_BYTES,
  type ChunkRange,
  chunkRange,
  HEADER_BYTES,
  PLAIN_READ_BYTES,
  plainBytes,
  SEALED_CHUNK_BYTES,
  SEALED_READ_BYTES,
  sealedBytes,
  TAG_BYTES
} from './layout.ts'

export const INPUT_KEY_BYTES = 32
const CIPHER = 'aes-256-gcm'
const CIPHER_KEY_BYTES = 32
const NONCE_BYTES = 12
const INFO = Buffer.from('c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM\0', 'ascii')

/** A 32-byte key, as it was made (Buffer) or as it was unwrapped (KeyObject). */
export type InputKey = KeyObject | Uint8Array

export interface ObjectKey {
  key: KeyObject
  baseNonce: Buffer
  commitment: Buffer
}

/**
 * Derives what seals one object: cipher key, first nonce and the commitment that is stored in the
 * clear. `context` says what the object is; another context gives another key.
 * Throws sealed-wrong-key when the input key is not 32 bytes.
 */
export function deriveObjectKey(
  inputKey: InputKey,
  salt: Uint8Array,
  context: Uint8Array
): ObjectKey {
  // node:crypto works 2.7 to 5 times as fast from a KeyObject as from a Buffer.
  const secret = inputKey instanceof KeyObject ? inputKey : createSecretKey(inputKey)
  if (secret.symmetricKeySize !== INPUT_KEY_BYTES) {
    throw new SealError('sealed-wrong-key', 'The key of a sealed object has 32 bytes.')
  }
  const material = hkdfExpand(secret, Buffer.concat([INFO, salt, context]))
  const nonceEnd = CIPHER_KEY_BYTES + NONCE_BYTES
  const key = createSecretKey(material.subarray(0, CIPHER_KEY_BYTES))
  const baseNonce = Buffer.from(material.subarray(CIPHER_KEY_BYTES, nonceEnd))
  const commitment = Buffer.from(material.subarray(nonceEnd, nonceEnd + COMMITMENT_BYTES))
  material.fill(0)
  return { key, baseNonce, commitment }
}

/** HKDF-Expand with SHA-512 (RFC 5869, section 2.3): two blocks, 128 bytes, of which 76 are used. */
function hkdfExpand(secret: KeyObject, info: Buffer): Buffer {
  const first = createHmac('sha512', secret).update(info).update(Uint8Array.of(1)).digest()
  const second = createHmac('sha512', secret)
    .update(first)
    .update(info)
    .update(Uint8Array.of(2))
    .digest()
  const material = Buffer.concat([first, second])
  first.fill(0)
  second.fill(0)
  return material
}

/**
 * The nonce of chunk number `chunk`: the base nonce XOR the number as a 12-byte big-endian integer.
 * Every nonce, sealing and opening, is made here, and a number that would repeat one is refused.
 */
export function chunkNonce(baseNonce: Buffer, chunk: number): Buffer {
  if (!Number.isSafeInteger(chunk) || chunk < 0 || chunk >= CHUNKS_MAX) {
    throw new RangeError('A chunk number is a whole number below 2^38.')
  }
  const nonce = Buffer.from(baseNonce)
  // 38 bits: the low 32 fall on the last four bytes, the high six on the byte before them.
  nonce.writeUInt32BE((nonce.readUInt32BE(8) ^ (chunk % 2 ** 32)) >>> 0, 8)
  nonce.writeUInt8(nonce.readUInt8(7) ^ Math.floor(chunk / 2 ** 32), 7)
  return nonce
}

/**
 * Gives the memory of a buffer back at once. V8 counts buffers against its heap and otherwise runs a
 * full collection for every 45 to 75 MiB of them. Does nothing to a view on shared memory.
 */
export function release(bytes: Uint8Array): void {
  const { buffer } = bytes
  if (buffer instanceof ArrayBuffer && buffer.byteLength === bytes.byteLength) buffer.transfer(0)
}

/** Receives sealed bytes in order. It must copy or use them before it returns: they are then freed. */
export type SealedWriter = (sealed: Uint8Array) => void

export interface Sealer {
  /** The first 56 bytes of the sealed object. */
  header(): Buffer
  update(piece: Uint8Array, write: SealedWriter): void
  /** Seals the last, short chunk. The sealer is of no further use. */
  final(write: SealedWriter): void
}

/**
 * Seals one object, fed in pieces of any size. The salt is random. To give one is for tests only:
 * the same salt under the same key and context seals two objects with the same nonces, which
 * reveals both.
 */
export function createSealer(object: {
  inputKey: InputKey
  context: Uint8Array
  salt?: Uint8Array
}): Sealer {
  const salt = object.salt ?? randomBytes(SALT_BYTES)
  if (salt.byteLength !== SALT_BYTES) throw new RangeError('A salt has 24 bytes.')
  const { key, baseNonce, commitment } = deriveObjectKey(object.inputKey, salt, object.context)
  let chunk = 0
  let filledBytes = 0
  let cipher: CipherGCM | undefined = createCipheriv(CIPHER, key, chunkNonce(baseNonce, chunk))

  function endChunk(open: CipherGCM, write: SealedWriter): void {
    open.final()
    write(open.getAuthTag())
    chunk += 1
    filledBytes = 0
  }

  return {
    header: () => Buffer.concat([salt, commitment]),
    update(piece, write) {
      if (cipher === undefined) throw new Error('This sealer has ended.')
      for (let at = 0; at < piece.byteLength; ) {
        const end = Math.min(at + CHUNK_BYTES - filledBytes, piece.byteLength)
        const sealed = cipher.update(piece.subarray(at, end))
        write(sealed)
        release(sealed)
        filledBytes += end - at
        at = end
        if (filledBytes === CHUNK_BYTES) {
          endChunk(cipher, write)
          cipher = createCipheriv(CIPHER, key, chunkNonce(baseNonce, chunk))
        }
      }
    },
    final(write) {
      if (cipher === undefined) throw new Error('This sealer has ended.')
      endChunk(cipher, write)
      cipher = undefined
    }
  }
}

export interface Opener {
  readonly plainLength: number
  readonly lastChunk: number
  /** Opens one whole sealed chunk. The plaintext is authenticated before it is returned. */
  openChunk(chunk: number, sealedChunk: Uint8Array): Buffer
  /**
   * Opens the whole chunks in `sealed`, the first of which is number `firstChunk`, into `into`, and
   * returns the number of plaintext bytes written there, all of them authenticated. When it throws,
   * `into` holds at most earlier, authenticated chunks. Throws sealed-truncated when `sealed` ends
   * inside a chunk, sealed-damaged when a chunk is not the one sealed at that place.
   */
  openChunks(sealed: Uint8Array, firstChunk: number, into: Uint8Array): number
}

export interface SealedObject {
  inputKey: InputKey
  context: Uint8Array
  /** The first 56 bytes of the blob. */
  header: Uint8Array
  /** The size of the whole blob, in bytes. */
  blobLength: number
  /** The plaintext length as recorded when it was sealed; without it the size of the blob decides. */
  plainLength?: number
}

/**
 * Checks, in this order, that the blob has the size of its recorded length (sealed-truncated), and
 * in constant time that key, context and header belong together (sealed-wrong-key), before any chunk
 * is touched. Chunks may then be opened in any order.
 */
export function openHeader(object: SealedObject): Opener {
  const { inputKey, context, header, blobLength } = object
  const plainLength = object.plainLength ?? plainBytes(blobLength)
  if (header.byteLength !== HEADER_BYTES || blobLength !== sealedBytes(plainLength)) {
    throw new SealError(
      'sealed-truncated',
      'The sealed object has not the size it was stored with.'
    )
  }
  const lastChunk = lastChunkOf(plainLength)
  const derived = deriveObjectKey(inputKey, header.subarray(0, SALT_BYTES), context)
  if (!timingSafeEqual(derived.commitment, header.subarray(SALT_BYTES))) {
    throw new SealError('sealed-wrong-key', 'The object was not sealed with this key and context.')
  }

  function sealedChunkBytes(chunk: number): number {
    if (!Number.isSafeInteger(chunk) || chunk < 0 || chunk > lastChunk) {
      throw new RangeError('The object has no such chunk.')
    }
    return chunk < lastChunk
      ? SEALED_CHUNK_BYTES
      : plainLength - lastChunk * CHUNK_BYTES + TAG_BYTES
  }

  function openChunk(chunk: number, sealedChunk: Uint8Array): Buffer {
    if (sealedChunk.byteLength !== sealedChunkBytes(chunk)) {
      throw new SealError('sealed-truncated', 'A sealed chunk has not its full length.')
    }
    return decryptChunk(derived, chunk, sealedChunk)
  }

  function openChunks(sealed: Uint8Array, firstChunk: number, into: Uint8Array): number {
    let written = 0
    for (let at = 0, chunk = firstChunk; at < sealed.byteLength; chunk += 1) {
      const end = at + sealedChunkBytes(chunk)
      const plain = openChunk(chunk, sealed.subarray(at, end))
      into.set(plain, written)
      written += plain.byteLength
      release(plain)
      at = end
    }
    return written
  }

  return { plainLength, lastChunk, openChunk, openChunks }
}

function decryptChunk(object: ObjectKey, chunk: number, sealedChunk: Uint8Array): Buffer {
  const tagStart = sealedChunk.byteLength - TAG_BYTES
  const decipher = createDecipheriv(CIPHER, object.key, chunkNonce(object.baseNonce, chunk))
  decipher.setAuthTag(sealedChunk.subarray(tagStart))
  const plain = decipher.update(sealedChunk.subarray(0, tagStart))
  try {
    decipher.final()
  } catch {
    // What update() returned is not authenticated, and nobody may see it.
    plain.fill(0)
    throw new SealError('sealed-damaged', 'A sealed chunk is damaged or out of place.')
  }
  return plain
}
