import { mkdirSync, type Stats } from 'node:fs'
import fs, { type FileHandle } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { assertReceipt } from '../audit/receipt.ts'
import { chooseAppender, type FileAppender } from './append-file.ts'
import type { BlobEntry, BlobReader, Blobs, BlobWriter } from './blobs.ts'
import { assertBlobName, BlobError, isBlobName, newBlobName } from './blobs.ts'

const FILE_MODE = 0o600
const DIRECTORY_MODE = 0o700

/** Names are random, so their first byte spreads the blobs evenly over 256 directories. */
const SHARDS = Array.from({ length: 256 }, (_, n) => n.toString(16).padStart(2, '0'))

/** The writers of this process, by name. */
type Unfinished = Map<string, Pick<BlobWriter, 'abort'>>

interface Layout {
  root: string
  /** `<root>/incoming/<name>`: still being written. */
  incoming(name: string): string
  /** `<root>/blobs/<2 hex>/<name>`: committed. */
  place(name: string): string
  shard(shard: string): string
}

/**
 * Opens, and when new creates, a store in the directory `root`. Blobs are only ever renamed within
 * `root`, which must therefore be one file system. Several processes may use it at once when each is
 * told so by `sharedHours`: an unfinished blob of another is swept when it is older than that.
 */
export async function openDiskBlobs(root: string, sharedHours?: number): Promise<Blobs> {
  const layout = layoutOf(resolve(root))
  await attempt('prepare its directories', () => prepare(layout))
  const appender = await attempt('try its disk', () => chooseAppender(layout.root))
  const unfinished: Unfinished = new Map()

  return {
    async create(name = newBlobName()) {
      assertBlobName(name)
      return await attempt('create a blob', () => createOnDisk(layout, appender, unfinished, name))
    },
    async open(name, receipt) {
      assertReceipt(receipt)
      assertBlobName(name)
      return await attempt('open a blob', () => openOnDisk(layout.place(name)))
    },
    async remove(name) {
      assertBlobName(name)
      await attempt('remove a blob', () => fs.rm(layout.place(name), { force: true }))
      return 'gone'
    },
    list: () => listOnDisk(layout),
    async sync(names) {
      for (const name of names) assertBlobName(name)
      const shards = [...new Set(names.map(name => name.slice(0, 2)))]
      // All at once, because the file system then lets them share one journal commit.
      await attempt('make blobs durable', () =>
        Promise.all(shards.map(shard => syncDirectory(layout.shard(shard))))
      )
    },
    check: () => attempt('look at its directories', () => fs.access(layout.incoming(''))),
    async freeBytes() {
      const space = await attempt('measure its space', () => fs.statfs(layout.root))
      return space.bavail * space.bsize
    },
    sweepUnfinished: alone =>
      attempt('sweep unfinished blobs', () =>
        sweep(layout, unfinished, alone ? undefined : sharedHours)
      ),
    async close() {
      for (const writer of [...unfinished.values()]) await writer.abort()
    }
  }
}

function layoutOf(root: string): Layout {
  const shard = (two: string) => join(root, 'blobs', two)
  return {
    root,
    shard,
    incoming: name => join(root, 'incoming', name),
    place: name => join(shard(name.slice(0, 2)), name)
  }
}

/**
 * Makes every directory the store will ever use, durably, so that `sync()` has only the one that
 * holds the blob to make durable. If it stops here, the next start makes what is missing.
 */
async function prepare(layout: Layout): Promise<void> {
  const firstMade = await makeDirectory(layout.root)
  await makeDirectory(layout.incoming(''))
  await makeDirectory(join(layout.root, 'blobs'))
  const there = new Set(await fs.readdir(join(layout.root, 'blobs')))
  // At once: to wait for each of 256 takes ten times as long as to make them.
  for (const shard of SHARDS.filter(each => !there.has(each))) {
    mkdirSync(layout.shard(shard), { recursive: true, mode: DIRECTORY_MODE })
  }
  await syncDirectory(join(layout.root, 'blobs'))
  await syncDirectory(layout.root)
  if (firstMade === undefined) return
  for (let made = layout.root; made.length >= firstMade.length; made = dirname(made)) {
    await syncDirectory(dirname(made))
  }
}

function makeDirectory(path: string): Promise<string | undefined> {
  return fs.mkdir(path, { recursive: true, mode: DIRECTORY_MODE })
}

/**
 * If it stops between the first byte and the rename, a file is left under `incoming` that no row
 * names and no reader sees; the next start sweeps it away.
 */
async function createOnDisk(
  layout: Layout,
  appender: FileAppender,
  unfinished: Unfinished,
  name: string
): Promise<BlobWriter> {
  const incoming = layout.incoming(name)
  const place = layout.place(name)
  // Known from before the file exists, so that a sweep at this moment spares it.
  unfinished.set(name, { abort: async () => {} })
  const file = await appender.create(incoming, FILE_MODE).catch(error => {
    unfinished.delete(name)
    throw error
  })
  let state: 'writing' | 'damaged' | 'committed' | 'aborted' = 'writing'
  let writing: Promise<void> | undefined

  const writer: BlobWriter = {
    name,
    write: bytes =>
      attempt('write a blob', async () => {
        if (state !== 'writing') throw new Error(`The writer is ${state}.`)
        if (writing !== undefined) throw new Error('A write is still under way.')
        writing = file.append(bytes)
        try {
          await writing
        } catch (error) {
          state = 'damaged'
          throw error
        } finally {
          writing = undefined
        }
      }),
    commit: () =>
      attempt('commit a blob', async () => {
        if (state !== 'writing') throw new Error(`The writer is ${state}.`)
        // Until the last step has succeeded, so that a failed commit cannot be repeated.
        state = 'damaged'
        if (writing !== undefined) throw new Error('A write is still under way.')
        await file.finish()
        await fs.rename(incoming, place)
        state = 'committed'
        unfinished.delete(name)
      }),
    async abort() {
      if (state === 'committed' || state === 'aborted') return
      state = 'aborted'
      await file.close().catch(() => {})
      // A rename that reported failure may have happened, as on a network file system.
      for (const path of [incoming, place]) await fs.rm(path, { force: true }).catch(() => {})
      unfinished.delete(name)
    }
  }
  unfinished.set(name, writer)
  return writer
}

async function openOnDisk(place: string): Promise<BlobReader> {
  const file = await fs.open(place, 'r').catch(error => {
    if (errnoOf(error) !== 'ENOENT') throw error
    throw new BlobError('blob-missing', 'The blob store has no such blob.', error)
  })
  const { size } = await file.stat().catch(async error => {
    await file.close()
    throw error
  })
  return {
    bytes: size,
    async read(into, position) {
      if (!Number.isSafeInteger(position) || position < 0) {
        throw new RangeError('A position in a blob is a whole number from 0 upwards.')
      }
      return await attempt('read a blob', () => readFully(file, into, position))
    },
    close: () => attempt('close a blob', () => file.close())
  }
}

async function readFully(file: FileHandle, into: Buffer, position: number): Promise<number> {
  let done = 0
  while (done < into.length) {
    const { bytesRead } = await file.read(into, done, into.length - done, position + done)
    if (bytesRead === 0) break
    done += bytesRead
  }
  return done
}

async function* listOnDisk(layout: Layout): AsyncIterable<BlobEntry> {
  for (const shard of SHARDS) {
    const names = await attempt('list blobs', () => fs.readdir(layout.shard(shard)))
    for (const name of names.filter(isBlobName)) {
      const stats = await attempt('list blobs', () => statIfPresent(layout.place(name)))
      if (stats?.isFile()) yield { name, bytes: stats.size, modifiedAt: Math.floor(stats.mtimeMs) }
    }
  }
}

/** Undefined when the blob was removed after its directory was read. */
async function statIfPresent(path: string): Promise<Stats | undefined> {
  return await fs.stat(path).catch(error => {
    if (errnoOf(error) === 'ENOENT') return undefined
    throw error
  })
}

async function sweep(
  layout: Layout,
  unfinished: Unfinished,
  sharedHours: number | undefined
): Promise<number> {
  const names = await fs.readdir(layout.incoming(''))
  const began = sharedHours === undefined ? Number.POSITIVE_INFINITY : hoursAgo(sharedHours)
  let swept = 0
  for (const name of names) {
    if (!isBlobName(name) || unfinished.has(name)) continue
    // Another process may have committed it meanwhile.
    const file = await statIfPresent(layout.incoming(name))
    if (file === undefined || file.mtimeMs >= began) continue
    await fs.rm(layout.incoming(name), { force: true })
    swept += 1
  }
  return swept
}

const hoursAgo = (hours: number) => Date.now() - hours * 3_600_000

async function syncDirectory(path: string): Promise<void> {
  const directory = await fs.open(path, 'r')
  try {
    await directory.sync()
  } finally {
    await directory.close()
  }
}

const FULL = ['ENOSPC', 'EDQUOT']

/** Runs `work`; whatever the system refuses becomes a `BlobError` that keeps it as its cause. */
async function attempt<T>(task: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof BlobError) throw error
    const code = FULL.includes(errnoOf(error)) ? 'blob-store-full' : 'blob-store-failed'
    throw new BlobError(code, `The blob store could not ${task}.`, error)
  }
}

function errnoOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : ''
}
