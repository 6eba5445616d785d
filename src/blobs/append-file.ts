import { constants } from 'node:fs'
import fs, { type FileHandle } from 'node:fs/promises'
import { join } from 'node:path'

/** What O_DIRECT asks of addresses, lengths and offsets: whole pages satisfy every disk we know. */
const PAGE_BYTES = 4096
const SLICE_BYTES = 1_048_576
/** Direct writes under way at once; more wait. A disk gains nothing from a longer queue. */
const SLICES = 8
const WASM_PAGE_BYTES = 65_536

/** Creates files that are written from start to end, once. */
export interface FileAppender {
  /** Throws what the system says, EEXIST included. */
  create(path: string, mode: number): Promise<AppendFile>
}

/** One file. A caller waits for each call before the next. */
export interface AppendFile {
  append(bytes: Buffer): Promise<void>
  /** Writes what is left and resolves once every byte is on the disk and the file closed. */
  finish(): Promise<void>
  close(): Promise<void>
}

/**
 * Chooses how to write files below `directory`: past the page cache where the file system lets us
 * (open(2), O_DIRECT), else through it. Sealed objects are written once and seldom read soon, and
 * copying them into the cache costs a third of all the processor time of an upload.
 */
export async function chooseAppender(directory: string): Promise<FileAppender> {
  const slices = sliceMemory()
  const direct: FileAppender = { create: (path, mode) => createDirect(slices, path, mode) }
  return (await works(direct, join(directory, '.direct'))) ? direct : ordinary
}

const ordinary: FileAppender = { create: createOrdinary }

/** Tries one file, because some file systems refuse at the opening and some only at the writing. */
async function works(appender: FileAppender, path: string): Promise<boolean> {
  if (constants.O_DIRECT === undefined) return false
  await fs.rm(path, { force: true })
  try {
    const file = await appender.create(path, 0o600)
    await file.append(Buffer.alloc(PAGE_BYTES + 1)).finally(() => file.close())
    return true
  } catch {
    return false
  } finally {
    await fs.rm(path, { force: true })
  }
}

async function createOrdinary(path: string, mode: number): Promise<AppendFile> {
  const file = await fs.open(path, 'wx', mode)
  let position = 0
  return {
    async append(bytes) {
      await writeAll(file, bytes, position)
      position += bytes.length
    },
    async finish() {
      await file.datasync()
      await file.close()
    },
    close: () => file.close()
  }
}

/**
 * Direct writes are whole pages from page-aligned memory. What does not fill a page waits in `tail`;
 * at the end it is written with padding and the file cut to its length.
 */
async function createDirect(slices: Slices, path: string, mode: number): Promise<AppendFile> {
  const { O_WRONLY, O_CREAT, O_EXCL, O_DIRECT } = constants
  const file = await fs.open(path, O_WRONLY | O_CREAT | O_EXCL | O_DIRECT, mode)
  let position = 0
  let tail: Buffer = Buffer.alloc(0)

  /** Copies `tail` and as much of `bytes` as fits into a slice and writes its whole pages. */
  async function writeSlice(bytes: Buffer): Promise<number> {
    const slice = await slices.take()
    try {
      tail.copy(slice)
      const taken = bytes.copy(slice, tail.length)
      const filled = tail.length + taken
      const whole = filled - (filled % PAGE_BYTES)
      await writeAll(file, slice.subarray(0, whole), position, PAGE_BYTES)
      position += whole
      tail = Buffer.from(slice.subarray(whole, filled))
      return taken
    } finally {
      slices.giveBack(slice)
    }
  }

  async function writeTail(): Promise<void> {
    const length = position + tail.length
    const padding = Buffer.alloc(PAGE_BYTES - tail.length)
    await writeSlice(padding)
    await file.truncate(length)
  }

  return {
    async append(bytes) {
      for (let at = 0; at < bytes.length; ) at += await writeSlice(bytes.subarray(at))
    },
    async finish() {
      if (tail.length > 0) await writeTail()
      await file.datasync()
      await file.close()
    },
    close: () => file.close()
  }
}

/** The system may take fewer bytes than it was given; the rest follow, from a whole `unit` on. */
async function writeAll(file: FileHandle, bytes: Buffer, start: number, unit = 1): Promise<void> {
  let done = 0
  while (done < bytes.length) {
    const { bytesWritten } = await file.write(bytes, done, bytes.length - done, start + done)
    if (bytesWritten < unit) throw new Error('The system took no bytes.')
    done += bytesWritten - (bytesWritten % unit)
  }
}

interface Slices {
  /** A free slice, which the caller gives back. Waits its turn while there is none. */
  take(): Promise<Buffer<ArrayBuffer>>
  giveBack(slice: Buffer<ArrayBuffer>): void
}

declare const WebAssembly: {
  Memory: new (size: { initial: number; maximum: number }) => { readonly buffer: ArrayBuffer }
}

/** The memory of WebAssembly is page-aligned, which Node promises of no other buffer. */
function sliceMemory(): Slices {
  const pages = (SLICES * SLICE_BYTES) / WASM_PAGE_BYTES
  const { buffer } = new WebAssembly.Memory({ initial: pages, maximum: pages })
  const free = Array.from({ length: SLICES }, (_, n) =>
    Buffer.from(buffer, n * SLICE_BYTES, SLICE_BYTES)
  )
  const waiting: ((slice: Buffer<ArrayBuffer>) => void)[] = []
  return {
    take() {
      const slice = free.pop()
      if (slice !== undefined) return Promise.resolve(slice)
      return new Promise(resolve => waiting.push(resolve))
    },
    giveBack(slice) {
      const next = waiting.shift()
      if (next === undefined) free.push(slice)
      else next(slice)
    }
  }
}
