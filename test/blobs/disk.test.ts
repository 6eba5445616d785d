import { randomBytes } from 'node:crypto'
import fs from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { issueReceipt } from '../../src/audit/receipt.ts'
import { BlobError } from '../../src/blobs/blobs.ts'
import { openDiskBlobs } from '../../src/blobs/disk.ts'
import { conformance, entries, load, store } from './conformance.ts'

conformance()

const receipt = issueReceipt('event-of-the-disk-tests')

type BytesWrite = (
  bytes: Buffer,
  from: number,
  count: number,
  at: number
) => Promise<{ bytesWritten: number }>
type BytesRead = (
  into: Buffer,
  from: number,
  count: number,
  at: number
) => Promise<{ bytesRead: number }>

/** Every file opened during the test passes through `change`, which may replace its methods. */
function changeFiles(t: Test, change: (file: fs.FileHandle, path: string) => void): void {
  const original = fs.open
  t.capture(fs, 'open', async (path: string, flags: string, mode?: number) => {
    const file = await original(path, flags, mode)
    change(file, path)
    return file
  })
}

function refusal(code: string): Error {
  return Object.assign(new Error(`${code}: as the system says it, with /a/path`), { code })
}

t.test('files are for their owner only', async t => {
  const root = t.testdir()
  const blobs = await openDiskBlobs(join(root, 'new', 'store'))
  const unfinished = await blobs.create()
  const name = await store(blobs, Buffer.from('sealed'))
  const mode = async (...path: string[]) =>
    (await fs.stat(join(root, 'new', 'store', ...path))).mode & 0o777
  t.equal(await mode('blobs', name.slice(0, 2), name), 0o600)
  t.equal(await mode('incoming', unfinished.name), 0o600)
  for (const path of [[], ['incoming'], ['blobs'], ['blobs', name.slice(0, 2)]]) {
    t.equal(await mode(...path), 0o700)
  }
  await blobs.close()
})

t.test('a system that takes and gives a few bytes at a time loses none', async t => {
  changeFiles(t, file => {
    const write: BytesWrite = file.write.bind(file)
    const read: BytesRead = file.read.bind(file)
    const few: BytesWrite = (bytes, from, count, at) => write(bytes, from, Math.min(count, 7), at)
    const less: BytesRead = (into, from, count, at) => read(into, from, Math.min(count, 5), at)
    Object.assign(file, { write: few, read: less })
  })
  const blobs = await openDiskBlobs(t.testdir())
  const text = 'The quick brown fox jumps over the lazy dog.'
  const name = await store(blobs, Buffer.from(text), Buffer.from(text))
  t.equal((await load(blobs, name)).toString(), text + text)
})

t.test('past the page cache: a blob of any length, written in pieces of any size', async t => {
  const blobs = await openDiskBlobs(t.testdir())
  for (const length of [1, 4095, 4096, 4097, 1_048_576, 1_048_577, 2_500_000]) {
    const bytes = randomBytes(length)
    for (const piece of [length, 100_001, 4096, 1023]) {
      const parts: Buffer[] = []
      for (let at = 0; at < length; at += piece) parts.push(bytes.subarray(at, at + piece))
      const name = await store(blobs, ...parts)
      t.ok((await load(blobs, name)).equals(bytes), `${length} bytes in pieces of ${piece}`)
    }
  }
})

t.test(
  'past the page cache: the system may take a part of a page, and it is written again',
  async t => {
    changeFiles(t, file => {
      const write: BytesWrite = file.write.bind(file)
      const few: BytesWrite = async (from, offset, count, at) => {
        const { bytesWritten } = await write(from, offset, Math.min(count, 8192), at)
        return { bytesWritten: bytesWritten > 4096 ? bytesWritten - 100 : bytesWritten }
      }
      Object.assign(file, { write: few })
    })
    const blobs = await openDiskBlobs(t.testdir())
    const bytes = randomBytes(50_001)
    t.ok((await load(blobs, await store(blobs, bytes))).equals(bytes))
  }
)

t.test('a file system that knows no direct writes gets ordinary ones', async t => {
  const { open } = fs
  const flags: unknown[] = []
  t.capture(fs, 'open', (path: string, flag: string | number, mode?: number) => {
    flags.push(flag)
    if (typeof flag === 'number') return Promise.reject(refusal('EINVAL'))
    return open(path, flag, mode)
  })
  const blobs = await openDiskBlobs(t.testdir())
  const bytes = randomBytes(50_001)
  t.ok((await load(blobs, await store(blobs, bytes))).equals(bytes))
  t.equal(flags.filter(flag => typeof flag === 'number').length, 1, 'asked once, at the start')
})

t.test('more writers than there are places for direct writes all get their turn', async t => {
  const blobs = await openDiskBlobs(t.testdir())
  const blob = randomBytes(1_500_000)
  const names = await Promise.all(Array.from({ length: 20 }, () => store(blobs, blob)))
  for (const name of names) t.ok((await load(blobs, name)).equals(blob))
})

t.test('a second write before the first has ended is refused', async t => {
  const blobs = await openDiskBlobs(t.testdir())
  const writer = await blobs.create()
  const first = writer.write(randomBytes(10_000))
  await t.rejects(writer.write(randomBytes(10_000)), { code: 'blob-store-failed' })
  await first
  await writer.abort()
})

const failures = [
  { errno: 'ENOSPC', code: 'blob-store-full' },
  { errno: 'EDQUOT', code: 'blob-store-full' },
  { errno: 'EIO', code: 'blob-store-failed' }
]

for (const { errno, code } of failures) {
  t.test(`${errno} during a write is ${code}, and the blob cannot be committed`, async t => {
    let strike = false
    changeFiles(t, file => {
      const write: BytesWrite = file.write.bind(file)
      const failing: BytesWrite = (...given) =>
        strike ? Promise.reject(refusal(errno)) : write(...given)
      Object.assign(file, { write: failing })
    })
    const blobs = await openDiskBlobs(t.testdir())
    const writer = await blobs.create()
    await writer.write(Buffer.from('first'))
    strike = true
    const failure = await writer.write(Buffer.alloc(8192)).catch(error => error)
    strike = false
    t.ok(failure instanceof BlobError)
    t.equal(failure.code, code)
    t.equal(failure.cause.code, errno, 'what the system said is kept')
    t.notMatch(failure.message, /path/, 'but not shown')
    await t.rejects(writer.write(Buffer.from('third')), { code: 'blob-store-failed' })
    await t.rejects(writer.commit(), { code: 'blob-store-failed' })
    t.same(await entries(blobs), [])
    await writer.abort()
    t.equal(await (await openDiskBlobs(t.testdirName)).sweepUnfinished(), 0)
  })
}

t.test('a commit whose bytes did not reach the disk shows nothing, ever', async t => {
  let strike = true
  changeFiles(t, file => {
    const { datasync } = file
    file.datasync = () => (strike ? Promise.reject(refusal('EIO')) : datasync.call(file))
  })
  const blobs = await openDiskBlobs(t.testdir())
  const writer = await blobs.create()
  await writer.write(Buffer.from('lost by the disk'))
  await t.rejects(writer.commit(), { code: 'blob-store-failed' })
  strike = false
  await t.rejects(writer.commit(), { code: 'blob-store-failed' }, 'a second fsync proves nothing')
  t.same(await entries(blobs), [])
  await writer.abort()
  t.same(await fs.readdir(join(t.testdirName, 'incoming')), [])
})

t.test('commit waits for the bytes, then renames; sync makes each directory durable', async t => {
  const steps: string[] = []
  changeFiles(t, (file, path) => {
    const { datasync, sync } = file
    file.datasync = () => datasync.call(file).then(() => void steps.push('bytes'))
    file.sync = () => sync.call(file).then(() => void steps.push(`directory ${path.slice(-2)}`))
  })
  const rename = t.capture(fs, 'rename', fs.rename)
  const blobs = await openDiskBlobs(t.testdir())
  const writer = await blobs.create()
  await writer.write(Buffer.from('sealed'))
  steps.length = 0
  await writer.commit()
  t.same(steps, ['bytes'])
  t.equal(rename().length, 1)
  const shard = writer.name.slice(0, 2)
  const other = await blobs.create()
  await other.commit()
  steps.length = 0
  await blobs.sync([writer.name, writer.name, other.name])
  const shards = new Set([shard, other.name.slice(0, 2)])
  t.same(new Set(steps), new Set([...shards].map(two => `directory ${two}`)))
  t.equal(steps.length, shards.size, 'once each')
})

t.test('a sync that failed is said to have failed', async t => {
  const blobs = await openDiskBlobs(t.testdir())
  const writer = await blobs.create()
  await writer.commit()
  changeFiles(t, file => {
    file.sync = () => Promise.reject(refusal('EIO'))
  })
  await t.rejects(blobs.sync([writer.name]), { code: 'blob-store-failed' })
})

t.test('a rename that fails, though it happened, leaves nothing after abort', async t => {
  const { rename } = fs
  t.capture(fs, 'rename', async (from: string, to: string) => {
    await rename(from, to)
    throw refusal('EIO')
  })
  const blobs = await openDiskBlobs(t.testdir())
  const writer = await blobs.create()
  await t.rejects(writer.commit(), { code: 'blob-store-failed' })
  await writer.abort()
  t.same(await entries(blobs), [])
})

t.test('a commit while a write is under way is refused', async t => {
  const blobs = await openDiskBlobs(t.testdir())
  const writer = await blobs.create()
  const write = writer.write(Buffer.alloc(1 << 20))
  await t.rejects(writer.commit(), { code: 'blob-store-failed' })
  await write
  await writer.abort()
  t.same(await entries(blobs), [])
})

t.test('a store that cannot be made or used says so', async t => {
  const root = t.testdir({ file: 'not a directory' })
  await t.rejects(openDiskBlobs(join(root, 'file')), { code: 'blob-store-failed' })
  const blobs = await openDiskBlobs(join(root, 'store'))
  const name = await store(blobs, Buffer.from('sealed'))
  await fs.rm(join(root, 'store', 'incoming'), { recursive: true })
  await t.rejects(blobs.create(), { code: 'blob-store-failed' })
  t.equal((await load(blobs, name)).toString(), 'sealed')
})

t.test('a closed reader reads no other file', async t => {
  const blobs = await openDiskBlobs(t.testdir())
  const name = await store(blobs, Buffer.from('sealed'))
  const reader = await blobs.open(name, receipt)
  await reader.close()
  await reader.close()
  await t.rejects(reader.read(Buffer.alloc(6), 0), { code: 'blob-store-failed' })
})
