import { createHash } from 'node:crypto'
import { BackupError } from './backup-error.ts'
import { tarEnd, tarHeader, tarPadding } from './tar.ts'

// What is in a backup, and in which order. Unpacked with tar it is a data directory, with the three
// files of the manifest beside it: docs/operating.md describes them.

export const FORMAT = 'consilium-backup'
export const VERSION = 1

/** The first file: what was backed up. */
export const HEAD_NAME = 'consilium-backup.json'
export const CHECKPOINT_NAME = 'checkpoint'
export const DATABASE_NAME = 'consilium.db'
/** The last file: how much there was. A backup without it is not whole. */
/** Rows of one table of PostgreSQL, as NDJSON; `n` counts from 1 within the table. */
export const rowsName = (table: string, n: number) =>
  `database/${table}/${String(n).padStart(8, '0')}.ndjson`
export const ROWS_NAME = /^database\/([a-z_]+)\/[0-9]{8}\.ndjson$/
export const END_NAME = 'consilium-backup-end.json'
/** Files whose digests are in one file of digests at most, which bounds memory. */
export const DIGESTS_MAX = 4096

export const keyName = (file: string) => `keys/${file}`
export const objectName = (blob: string) => `objects/blobs/${blob.slice(0, 2)}/${blob}`
/** In the form of `sha256sum`, for all files since the last of these. */
export const digestsName = (n: number) => `digests/${String(n).padStart(8, '0')}.sha256`

export interface Head {
  format: typeof FORMAT
  version: typeof VERSION
  release: string
  database: 'sqlite' | 'postgres'
  /** Of PostgreSQL: name and SHA-256 of each migration that made its tables. */
  migrations?: string[]
  /** ISO 8601, UTC: everything acknowledged before is in the backup. */
  takenAt: string
  counts: {
    organisations: number
    cases: number
    records: number
    objects: number
    /** Sealed blobs; backups of before there were segments have as many as objects. */
    blobs?: number
    shares: number
    /** Left out: drafts whose files are still arriving, and what has come of them, in clear. */
    drafts?: number
    draftBytes?: number
  }
  log: {
    /** Events in the database. */
    events: number
    /** The last checkpoint in the database, a signed note. */
    checkpoint?: string
  }
}

export interface End {
  /** Files before this one that are not files of digests, and their bytes. */
  files: number
  bytes: number
  objects: number
  /** Objects that the database names and the store did not have as it should. */
  faults: number
  /** SHA-256 in hex of all files of digests, one after the other. */
  digests: string
}

export interface ArchiveFile {
  name: string
  bytes: number
  content: AsyncIterable<Uint8Array>
}

/** A file whose content is at hand. */
export function fileOf(name: string, content: string | Buffer): ArchiveFile {
  const bytes = Buffer.from(content)
  return { name, bytes: bytes.length, content: once(bytes) }
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes
}

/** Digests of the files of an archive as they pass, and the files that list them. */
export function digestLists() {
  const all = createHash('sha256')
  let lines: string[] = []
  let parts = 0
  let files = 0
  let bytes = 0
  return {
    add(name: string, size: number, sha256: string): void {
      lines.push(`${sha256}  ${name}\n`)
      files += 1
      bytes += size
    },
    isFull: () => lines.length === DIGESTS_MAX,
    isEmpty: () => lines.length === 0,
    /** The next file of digests, for what was added since the last. */
    take(): { name: string; text: string } {
      const text = lines.join('')
      lines = []
      parts += 1
      all.update(text)
      return { name: digestsName(parts), text }
    },
    end: () => ({ files, bytes, digests: all.digest('hex') })
  }
}

/**
 * The bytes of the archive of these files. `end` is asked once all have been read. Throws BackupError
 * when a file is not as long as it said, because its length has already been written.
 */
export async function* archiveOf(
  files: AsyncIterable<ArchiveFile>,
  modifiedAt: number,
  end: () => Pick<End, 'objects' | 'faults'>
): AsyncGenerator<Uint8Array> {
  const lists = digestLists()
  for await (const file of files) {
    const sha256 = yield* contentOf(file, modifiedAt)
    lists.add(file.name, file.bytes, sha256)
    if (lists.isFull()) yield* listOf(lists, modifiedAt)
  }
  if (!lists.isEmpty()) yield* listOf(lists, modifiedAt)
  const { objects, faults } = end()
  const last: End = { ...lists.end(), objects, faults }
  yield* contentOf(fileOf(END_NAME, `${JSON.stringify(last, null, 2)}\n`), modifiedAt)
  yield tarEnd()
}

async function* listOf(lists: ReturnType<typeof digestLists>, modifiedAt: number) {
  const { name, text } = lists.take()
  yield* contentOf(fileOf(name, text), modifiedAt)
}

async function* contentOf(
  file: ArchiveFile,
  modifiedAt: number
): AsyncGenerator<Uint8Array, string> {
  yield tarHeader(file, modifiedAt)
  const hash = createHash('sha256')
  let bytes = 0
  for await (const piece of file.content) {
    hash.update(piece)
    bytes += piece.length
    yield piece
  }
  if (bytes !== file.bytes) {
    throw new BackupError('A file changed its length while it was being read. Begin again.')
  }
  yield tarPadding(bytes)
  return hash.digest('hex')
}
