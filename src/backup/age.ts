import { open } from 'node:fs/promises'
import { ReadableStream } from 'node:stream/web'
import { Decrypter, Encrypter, generateHybridIdentity, identityToRecipient } from 'age-encryption'
import { createPrivateFile, readPrivateFile } from '../sealing/private-file.ts'
import { SealError } from '../sealing/seal-error.ts'
import { BackupError } from './backup-error.ts'

// The encryption of a backup: age-encryption.org/v1, to recipients.

const FIRST_LINE = 'age-encryption.org/v1\n'
const READ_BYTES = 1_048_576

/** Recipients that a quantum computer does not help against. */
const HYBRID = /^age1(pq|tagpq)1/

/**
 * An encrypter to these recipients. Throws BackupError for one that is none, and for a mixture: with
 * one classic recipient the whole file is only as strong as that (C2SP age, "post-quantum").
 */
export function encrypterTo(recipients: string[]): Encrypter {
  if (recipients.length === 0) throw new BackupError('A backup needs at least one recipient.')
  const hybrid = recipients.filter(recipient => HYBRID.test(recipient))
  if (hybrid.length > 0 && hybrid.length < recipients.length) {
    throw new BackupError(
      'Post-quantum (age1pq1…) and classic recipients cannot be mixed: the backup would be only as strong as the classic ones.'
    )
  }
  const encrypter = new Encrypter()
  for (const recipient of recipients) {
    try {
      encrypter.addRecipient(recipient)
    } catch {
      // It is not quoted: an identity given by mistake must not reach a log.
      throw new BackupError('One of the recipients is not an age recipient (age1…).')
    }
  }
  return encrypter
}

export const isHybrid = (recipients: string[]): boolean =>
  recipients.every(recipient => HYBRID.test(recipient))

/**
 * Makes a post-quantum identity in a new file of mode 0600, in the form of age-keygen. Resolves to
 * its recipient. Throws BackupError when the file exists.
 */
export async function createIdentity(path: string, now: number): Promise<string> {
  const identity = await generateHybridIdentity()
  const recipient = await identityToRecipient(identity)
  const created = new Date(now).toISOString()
  const text = `# created: ${created}\n# public key: ${recipient}\n${identity}\n`
  await createPrivateFile(path, text).catch(err => {
    if (err.code === 'EEXIST') throw new BackupError('The file for the new identity exists.')
    throw err
  })
  return recipient
}

/** A decrypter with the identities in a private file. Throws BackupError when it holds none. */
export async function decrypterFrom(path: string): Promise<Decrypter> {
  const text = await readPrivateFile(path).catch(err => {
    if (!(err instanceof SealError)) throw err
    throw new BackupError(
      err.code === 'key-missing'
        ? 'There is no such identity file.'
        : 'The identity file must belong to you and nobody else may read it (chmod 600), and be small.'
    )
  })
  const lines = text.split('\n').map(line => line.trim())
  const identities = lines.filter(line => line !== '' && !line.startsWith('#'))
  const decrypter = new Decrypter()
  try {
    for (const identity of identities) decrypter.addIdentity(identity)
  } catch {
    throw new BackupError('The identity file holds something else than age identities.')
  }
  if (identities.length > 0) return decrypter
  throw new BackupError('The identity file holds no identity (AGE-SECRET-KEY-…).')
}

/** Encrypts what comes, piece by piece. */
export async function* encrypted(
  encrypter: Encrypter,
  plain: AsyncIterable<Uint8Array>
): AsyncGenerator<Uint8Array> {
  yield* await encrypter.encrypt(
    ReadableStream.from(plain) as unknown as globalThis.ReadableStream<Uint8Array>
  )
}

/**
 * Decrypts a file, piece by piece: each is authenticated before it is handed over, and that there is
 * no more only when the last has been read. Throws BackupError, which says what is wrong.
 */
export async function* decrypted(decrypter: Decrypter, path: string): AsyncGenerator<Uint8Array> {
  const file = await open(path, 'r').catch((err: NodeJS.ErrnoException) => {
    throw new BackupError(`The backup cannot be read (${err.code}).`)
  })
  const reading: { failed?: unknown } = {}
  try {
    const first = Buffer.alloc(FIRST_LINE.length)
    const { bytesRead } = await file.read(first, 0, first.length, 0)
    if (!FIRST_LINE.startsWith(first.toString('latin1', 0, bytesRead)) || bytesRead === 0) {
      throw new BackupError('This is not a backup of Consilium: it is not an age file.')
    }
    const source = ReadableStream.from(
      piecesOf(file, reading)
    ) as unknown as globalThis.ReadableStream<Uint8Array>
    const plain = await decrypter.decrypt(source).catch(err => {
      throw reading.failed ?? headerProblem(err)
    })
    const pieces = plain[Symbol.asyncIterator]()
    for (;;) {
      const { value, done } = await pieces.next().catch(() => {
        throw reading.failed ?? new BackupError('The backup is damaged, or was cut off.')
      })
      if (done) return
      yield value
    }
  } finally {
    await file.close()
  }
}

function headerProblem(err: unknown): BackupError {
  const message = err instanceof Error ? err.message : ''
  return new BackupError(
    message.startsWith('no identity matched')
      ? 'None of the identities opens this backup: it was made for other recipients, or its first bytes are damaged.'
      : 'The backup is damaged, or was cut off: its header is not whole.'
  )
}

async function* piecesOf(
  file: Awaited<ReturnType<typeof open>>,
  reading: { failed?: unknown }
): AsyncGenerator<Uint8Array> {
  try {
    for (;;) {
      const piece = new Uint8Array(READ_BYTES)
      const { bytesRead } = await file.read(piece, 0, READ_BYTES, null)
      if (bytesRead === 0) return
      yield piece.subarray(0, bytesRead)
    }
  } catch (err) {
    // Its own fault must not be taken for one of the file.
    const code = err instanceof Error && 'code' in err ? String(err.code) : 'unknown'
    reading.failed = new BackupError(`The backup cannot be read (${code}).`)
    throw err
  }
}
