import { createHash } from 'node:crypto'
import {
  digestLists,
  digestsName,
  END_NAME,
  type End,
  FORMAT,
  HEAD_NAME,
  type Head,
  VERSION
} from './archive.ts'
import { BackupError } from './backup-error.ts'
import { readTar, type TarEntry } from './tar.ts'

const SMALL_BYTES_MAX = 1_048_576

/** A backup as it is read. */
export interface Verified {
  head: Head
  /** What is in it, in its order; each must be read before the next. Throws when it is not whole. */
  files(): AsyncGenerator<TarEntry>
  /** Known once all files have been read. */
  end(): End | undefined
  close(): Promise<void>
}

/**
 * Reads what `archiveOf` wrote, and holds it against its own digests, counts and end. Nothing of it
 * may be used before `files` has come to its end. Throws BackupError.
 */
export async function openArchive(plain: AsyncIterable<Uint8Array>): Promise<Verified> {
  const entries = readTar(plain)
  const lists = digestLists()
  let end: End | undefined
  try {
    const first = await entries.next()
    if (first.done || first.value.name !== HEAD_NAME) throw foreign()
    const text = await smallText(first.value)
    lists.add(HEAD_NAME, first.value.bytes, sha256(text))
    const head = parseHead(text)
    return {
      head,
      async *files() {
        end = yield* checkedFiles(entries, lists)
      },
      end: () => end,
      close: async () => void (await entries.return(undefined))
    }
  } catch (err) {
    await entries.return(undefined)
    throw err
  }
}

async function* checkedFiles(
  entries: AsyncGenerator<TarEntry>,
  lists: ReturnType<typeof digestLists>
): AsyncGenerator<TarEntry, End> {
  let parts = 0
  let end: End | undefined
  for (;;) {
    const { value: entry, done } = await entries.next()
    if (done) break
    if (end !== undefined) throw foreign()
    if (entry.name === END_NAME) {
      end = requireEnd(await smallText(entry), lists)
    } else if (entry.name === digestsName(parts + 1)) {
      parts += 1
      const { text } = lists.take()
      if ((await smallText(entry)) !== text) throw damaged()
    } else {
      if (lists.isFull()) throw damaged()
      const hash = createHash('sha256')
      yield { ...entry, content: hashed(entry.content, hash) }
      lists.add(entry.name, entry.bytes, hash.digest('hex'))
    }
  }
  if (end === undefined) throw damaged()
  return end
}

async function* hashed(content: AsyncIterable<Buffer>, hash: ReturnType<typeof createHash>) {
  for await (const piece of content) {
    hash.update(piece)
    yield piece
  }
}

function requireEnd(text: string, lists: ReturnType<typeof digestLists>): End {
  const end = parsed<End>(text)
  const { files, bytes, digests } = lists.end()
  const isWhole = end.files === files && end.bytes === bytes && end.digests === digests
  if (!isWhole || !lists.isEmpty()) throw damaged()
  return end as End
}

function parseHead(text: string): Head {
  const head = parsed<Head>(text)
  if (head.format !== FORMAT) throw foreign()
  if (head.version !== VERSION) {
    throw new BackupError('This backup was made by a newer release, which is needed to restore it.')
  }
  return head as Head
}

function parsed<T>(text: string): Partial<T> {
  try {
    return Object(JSON.parse(text))
  } catch {
    throw damaged()
  }
}

async function smallText(entry: TarEntry): Promise<string> {
  if (entry.bytes > SMALL_BYTES_MAX) throw foreign()
  const pieces: Buffer[] = []
  for await (const piece of entry.content) pieces.push(Buffer.from(piece))
  return Buffer.concat(pieces).toString()
}

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex')

function foreign(): BackupError {
  return new BackupError('This is not a backup of Consilium: what is inside is not our archive.')
}

function damaged(): BackupError {
  return new BackupError('The backup is not whole: what is inside is not what its own lists say.')
}
