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

/**
 * A ZIP archive as a stream, stored without compression: images are compressed already, and so its
 * length is known beforehand. Zip64 records are written where sizes or counts need them.
 */
export async function zipOf(entries: ZipEntry[]): Promise<{ bytes: number; stream: Readable }> {
  const zip = new yazl.ZipFile()
  zip.on('error', err => zip.outputStream.emit('error', err))
  for (const entry of entries) {
    zip.addReadStreamLazy(
      entry.name,
      { compress: false, size: entry.bytes, mtime: new Date(entry.modifiedAt), mode: 0o100600 },
      done => {
        const stream = Readable.from(copies(entry), { objectMode: false })
        // yazl listens for errors of the archive only.
        stream.on('error', err => zip.emit('error', err))
        done(null, stream)
      }
    )
  }
  const bytes = await new Promise<number>(resolve => {
    // The type of yazl leaves out that it calls back with the size.
    const tell = ((size: number) => resolve(size)) as () => void
    zip.end({ forceZip64Format: false, comment: '' }, tell)
  })
  return { bytes, stream: zip.outputStream as Readable }
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
