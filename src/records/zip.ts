import { Readable } from 'node:stream'
import yazl from 'yazl'
import type { Content } from './content.ts'

/** One entry: its name in the archive, its length, and how to open it when its turn comes. */
export interface ZipEntry {
  name: string
  bytes: number
  modifiedAt: number
  open(): Promise<Content>
}

/** Gives every name a place number, so that no two are alike and the order is kept. */
export function entryName(position: number, count: number, fileName: string): string {
  return `${String(position).padStart(String(count).length, '0')}-${fileName}`
}

/** An archive on its way out. */
export interface Archive {
  /** Its whole length, known beforehand. */
  bytes: number
  pull(): Promise<Buffer | undefined>
  close(): Promise<void>
}

/**
 * A ZIP archive, stored without compression: images are compressed already, and so its length is
 * known beforehand. Zip64 records are written where sizes or counts need them.
 */
export async function zipOf(entries: ZipEntry[]): Promise<Archive> {
  const zip = new yazl.ZipFile()
  const archive = zip.outputStream as Readable
  let current: Readable | undefined
  // Whoever pulls hears of an error; until then it must not end the process.
  archive.on('error', () => {})
  zip.on('error', err => archive.destroy(err))
  for (const entry of entries) {
    zip.addReadStreamLazy(
      entry.name,
      { compress: false, size: entry.bytes, mtime: new Date(entry.modifiedAt), mode: 0o100600 },
      done => {
        current = Readable.from(copies(entry), { objectMode: false })
        // yazl pipes, and a pipe carries no errors.
        current.on('error', err => archive.destroy(err))
        done(null, current)
      }
    )
  }
  const bytes = await new Promise<number>(resolve => {
    // The type of yazl leaves out that it calls back with the size.
    const tell = ((size: number) => resolve(size)) as () => void
    zip.end({ forceZip64Format: false, comment: '' }, tell)
  })
  const pieces = archive.iterator()
  return {
    bytes,
    pull: async () => (await pieces.next()).value,
    async close() {
      archive.destroy()
      // Closes the blob of the entry under way.
      current?.destroy()
    }
  }
}

/** Pieces that stay as they are: streams hold several, and `Content` uses its memory again. */
async function* copies(entry: ZipEntry): AsyncGenerator<Buffer> {
  const content = await entry.open()
  try {
    for (let piece = await content.pull(); piece !== undefined; piece = await content.pull()) {
      yield Buffer.from(piece)
    }
  } finally {
    await content.close()
  }
}
