import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdir, rm, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import type { Encrypter } from 'age-encryption'
import { sealFile, sealPieces, Unreadable } from './seal.ts'
import { carriedName, LIST_NAME, type SealedList } from './sealed-list.ts'
import type { SentFile, SentRecord } from './state.ts'

/** One file as it goes over the line: itself, or what was sealed of it. */
export interface Outgoing {
  path: string
  name: string
  bytes: number
  /** The file it is of; none for the list of a sealed record. */
  of?: SentFile
}

/** Where what is sealed waits until its record is stored. */
export interface Spool {
  encrypter: Encrypter
  directory: string
}

const READ_BYTES = 1024 ** 2

/** What is to be sent of a record, in its order. Files that are settled already are not among it. */
export async function outgoingOf(
  record: SentRecord,
  spool: Spool | undefined
): Promise<Outgoing[]> {
  const open = record.files.filter(file => file.outcome === undefined)
  if (spool !== undefined) return sealAll(record, open, spool)
  return open.map(of => ({ path: of.path, name: basename(of.path), bytes: of.bytes, of }))
}

/**
 * Seals every file of the record once, and their list. What was sealed by a run before is used again,
 * because sealing anew would give other bytes, which could not be told to be the same record. A disk
 * that is full ends the run: no file is passed over for it.
 */
async function sealAll(
  record: SentRecord,
  files: SentFile[],
  { encrypter, directory }: Spool
): Promise<Outgoing[]> {
  await mkdir(directory, { recursive: true, mode: 0o700 })
  const outgoing: Outgoing[] = []
  const list: SealedList = { consiliumSealed: 1, files: [] }
  for (const of of files) {
    const name = carriedName(record.files.indexOf(of) + 1)
    const path = join(directory, name)
    const sealed = await stat(path).catch(() => undefined)
    if (sealed === undefined || of.sha256 === undefined || of.plainSha256 === undefined) {
      const made = await sealFile(encrypter, of.path, path).catch(ifUnreadable)
      if (made instanceof Unreadable || made.plainBytes !== of.bytes) {
        Object.assign(of, { outcome: 'skipped', why: whySkipped(made) })
        await rm(path, { force: true })
        continue
      }
      Object.assign(of, { sha256: made.sha256, plainSha256: made.plainSha256 })
    }
    const { size: bytes } = await stat(path)
    outgoing.push({ path, name, bytes, of })
    const { plainSha256: sha256 = '' } = of
    list.files.push({ carried: name, name: of.inFolder, bytes: of.bytes, sha256 })
  }
  if (outgoing.length === 0) return []
  const path = join(directory, LIST_NAME)
  const known = await stat(path).catch(() => undefined)
  const text = Buffer.from(JSON.stringify(list))
  if (known === undefined) await sealPieces(encrypter, piecesOf(text), path)
  return [...outgoing, { path, name: LIST_NAME, bytes: (await stat(path)).size }]
}

const whySkipped = (made: unknown): string =>
  made instanceof Unreadable ? `it cannot be read (${made.code})` : 'it changed while it was sealed'

function ifUnreadable(err: unknown): Unreadable {
  if (err instanceof Unreadable) return err
  throw err
}

async function* piecesOf(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes
}

export async function digestOf(path: string): Promise<string> {
  const hash = createHash('sha256')
  const pieces = createReadStream(path, { highWaterMark: READ_BYTES })
  for await (const piece of pieces as AsyncIterable<Buffer>) hash.update(piece)
  return hash.digest('hex')
}

/** A file and the SHA-256 of what goes over the line of it, in hex. */
export interface Digested {
  file: Outgoing
  sha256: string
}

/** Of one that cannot be read the digest is that of no file. */
export async function digestAll(files: Outgoing[]): Promise<Digested[]> {
  const digested: Digested[] = []
  for (const file of files) {
    digested.push({ file, sha256: await digestOf(file.path).catch(() => '') })
  }
  return digested
}
