import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { open, rename } from 'node:fs/promises'
import { ReadableStream } from 'node:stream/web'
import { Decrypter, type Encrypter } from 'age-encryption'
import { encrypterTo } from '../identity/age-encrypter.ts'
import { readPrivateFile } from '../sealing/private-file.ts'
import { Ending } from './ending.ts'

// What is encrypted on the sender's machine to one specialist: age-encryption.org/v1.

const READ_BYTES = 1024 ** 2

/**
 * An encrypter to this one recipient: never to two, because with a classic one beside it the whole
 * would only be as strong as that. Throws Ending for what is no recipient.
 */
export function sealerTo(recipient: string): Encrypter {
  try {
    return encrypterTo(recipient)
  } catch {
    // It is not quoted: an identity given by mistake must not be shown.
    throw new Ending('usage', 'That is not an age recipient (age1…).')
  }
}

export interface SealedAs {
  bytes: number
  sha256: string
  plainBytes: number
  plainSha256: string
}

/** The file that was to be sealed cannot be read. Whatever else goes wrong is no fault of its own. */
export class Unreadable extends Error {
  readonly code: string

  constructor(code: string) {
    super('It cannot be read.')
    this.name = 'Unreadable'
    this.code = code
  }
}

/** Encrypts a file into one that only this user can read, and that is whole if it has its name. Throws Unreadable. */
export async function sealFile(
  encrypter: Encrypter,
  source: string,
  target: string
): Promise<SealedAs> {
  return sealPieces(encrypter, readPieces(source), target)
}

async function* readPieces(path: string): AsyncGenerator<Uint8Array> {
  try {
    yield* createReadStream(path, { highWaterMark: READ_BYTES })
  } catch (err) {
    throw new Unreadable(String(Object(err).code))
  }
}

export async function sealPieces(
  encrypter: Encrypter,
  plain: AsyncIterable<Uint8Array>,
  target: string
): Promise<SealedAs> {
  const read = counted()
  const written = counted()
  const unfinished = `${target}.part`
  const file = await open(unfinished, 'w', 0o600)
  try {
    const source = ReadableStream.from(
      tapped(plain, read)
    ) as unknown as globalThis.ReadableStream<Uint8Array>
    for await (const piece of await encrypter.encrypt(source)) {
      written.take(piece)
      await file.appendFile(piece)
    }
    await file.sync()
  } finally {
    await file.close()
  }
  await rename(unfinished, target)
  const [plainly, sealed] = [read.end(), written.end()]
  return { ...sealed, plainBytes: plainly.bytes, plainSha256: plainly.sha256 }
}

/** An opener with the identities of a private file. Throws Ending when it holds none. */
export async function openerFrom(path: string): Promise<Decrypter> {
  const text = await readPrivateFile(path).catch(err => {
    throw new Ending('usage', `The identity file cannot be used. ${err.message}`)
  })
  const lines = text.split('\n').map(line => line.trim())
  const identities = lines.filter(line => line !== '' && !line.startsWith('#'))
  const decrypter = new Decrypter()
  try {
    for (const identity of identities) decrypter.addIdentity(identity)
  } catch {
    throw new Ending('usage', 'The identity file holds something else than age identities.')
  }
  if (identities.length > 0) return decrypter
  throw new Ending('usage', 'The identity file holds no identity (AGE-SECRET-KEY-…).')
}

/** What could not be opened: for another recipient, damaged or cut off. */
export class Unopened extends Error {}

/**
 * What is in a sealed file, piece by piece. Each is authenticated before it is given out, and that
 * there is no more only when the last has been: whoever keeps the pieces waits for the end. Throws
 * Unopened.
 */
export async function* openedFile(decrypter: Decrypter, path: string): AsyncGenerator<Uint8Array> {
  const sealed = createReadStream(path, { highWaterMark: READ_BYTES })
  try {
    const source = ReadableStream.from(sealed) as unknown as globalThis.ReadableStream<Uint8Array>
    yield* await decrypter.decrypt(source)
  } catch (err) {
    const isForOthers = err instanceof Error && err.message.startsWith('no identity matched')
    throw new Unopened(
      isForOthers ? 'it was sealed to another recipient' : 'it is damaged, or no age file'
    )
  } finally {
    sealed.destroy()
  }
}

/** A digest and a count of what passes. */
export function counted() {
  const hash = createHash('sha256')
  let bytes = 0
  return {
    take(piece: Uint8Array) {
      hash.update(piece)
      bytes += piece.byteLength
    },
    end: () => ({ bytes, sha256: hash.digest('hex') })
  }
}

async function* tapped(
  pieces: AsyncIterable<Uint8Array>,
  count: ReturnType<typeof counted>
): AsyncGenerator<Uint8Array> {
  for await (const piece of pieces) {
    count.take(piece)
    // Not a Buffer of a pool: the stream may give its memory away.
    yield new Uint8Array(piece)
  }
}
