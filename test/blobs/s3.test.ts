import { createHash, randomBytes } from 'node:crypto'
import { ListMultipartUploadsCommand, ListObjectVersionsCommand } from '@aws-sdk/client-s3'
import t, { type Test } from 'tap'
import { issueReceipt } from '../../src/audit/receipt.ts'
import { BlobError, type Blobs, newBlobName } from '../../src/blobs/blobs.ts'
import { openS3Blobs } from '../../src/blobs/s3.ts'
import { connectS3, disconnectS3, type S3Patience, s3Patience } from '../../src/blobs/s3-client.ts'
import type { S3Settings } from '../../src/config-s3.ts'
import { type FaultProxy, faultProxy, type ProxiedRequest } from '../helpers/fault-proxy.ts'
import { s3Server, s3Settings } from '../helpers/s3.ts'
import { entries, load, store } from './conformance.ts'

// What is true of S3 alone, and what becomes of a blob when the network or the server fails. What
// every store promises is in conformance.ts, which disk.test.ts tells to both.

const MIB = 1_048_576
const PART = 8 * MIB
const receipt = issueReceipt('event-of-the-s3-tests')

/** Enough for a loopback, so that no test waits long for what never comes. */
const hasty: S3Patience = { ...s3Patience, attemptsMax: 3, idleMilliseconds: 500 }

interface Scene {
  settings: S3Settings
  proxy: FaultProxy
  blobs: Blobs
  /** The numbers of uploads that nobody completed. */
  uploads(): Promise<number>
}

/** A store on a real server behind a proxy that fails when told to. */
async function scene(t: Test, change: Partial<S3Settings> = {}): Promise<Scene | undefined> {
  const server = await s3Server(t)
  if (server === undefined) return undefined
  const proxy = await faultProxy(t, server.endpoint)
  const settings = s3Settings(server, { ...change, endpoint: proxy.url })
  const blobs = openS3Blobs(settings, hasty)
  t.teardown(() => blobs.close())
  return {
    settings,
    proxy,
    blobs,
    async uploads() {
      const s3 = connectS3({ ...settings, endpoint: server.endpoint }, hasty)
      const place = { Bucket: settings.bucket, Prefix: settings.prefix }
      const { Uploads } = await s3.client.send(new ListMultipartUploadsCommand(place))
      disconnectS3(s3)
      return Uploads?.length ?? 0
    }
  }
}

const isPut = ({ method, url }: ProxiedRequest) => method === 'PUT' && !url.includes('partNumber')
const isPart = ({ method, url }: ProxiedRequest) => method === 'PUT' && url.includes('partNumber')
const isComplete = ({ method, url }: ProxiedRequest) => method === 'POST' && /uploadId/.test(url)
const isGet = ({ method, url }: ProxiedRequest) => method === 'GET' && !url.includes('list-type')

/** The same bytes at every start, a mebibyte at a time. */
function block(n: number): Buffer {
  return Buffer.alloc(MIB, createHash('sha256').update(String(n)).digest())
}

const passing: [string, (proxy: FaultProxy) => void][] = [
  ['the connection breaks in the middle of a part', p => p.fail(isPart, { cutUpAfter: MIB })],
  ['a part is answered 503 SlowDown', p => p.fail(isPart, { answer: 503, code: 'SlowDown' }, 2)],
  ['a part is answered 500', p => p.fail(isPart, { answer: 500, code: 'InternalError' }, 2)],
  ['the answer to a part is lost', p => p.fail(isPart, { loseAnswer: true })],
  ['the answer to the end is lost', p => p.fail(isComplete, { loseAnswer: true })],
  [
    'the answer to the end is lost, and the upload is not known any more',
    p => {
      p.fail(isComplete, { loseAnswer: true })
      p.fail(isComplete, { answer: 404, code: 'NoSuchUpload' })
    }
  ],
  ['an answer breaks off', p => p.fail(isGet, { cutDownAfter: 3 * MIB })],
  ['every answer breaks off', p => p.fail(isGet, { cutDownAfter: 5 * MIB + 1 }, 100)],
  ['an answer falls silent', p => p.fail(isGet, { stallAfter: MIB + 1 })]
]

for (const [what, plan] of passing) {
  t.test(`${what}: the blob is whole all the same`, async t => {
    const s = await scene(t)
    if (s === undefined) return
    plan(s.proxy)
    const blocks = Array.from({ length: 17 }, (_, n) => block(n))
    const name = await store(s.blobs, ...blocks)
    t.ok((await load(s.blobs, name)).equals(Buffer.concat(blocks)))
    t.ok(s.proxy.struck() > 0, 'the fault has struck')
    t.equal((await entries(s.blobs)).length, 1)
    t.equal(await s.uploads(), 0)
  })
}

t.test('a small blob whose answer is lost was stored once', async t => {
  const s = await scene(t)
  if (s === undefined) return
  s.proxy.fail(isPut, { loseAnswer: true })
  const name = await store(s.blobs, Buffer.from('sealed'))
  t.equal(s.proxy.struck(), 1)
  t.equal(s.proxy.requests.filter(isPut).length, 2)
  t.equal((await load(s.blobs, name)).toString(), 'sealed')
})

const refused: [string, (proxy: FaultProxy) => void, code: string, said: RegExp][] = [
  [
    'a part that changed on its way',
    p => p.fail(isPart, { flipBit: true }, 100),
    'blob-store-failed',
    /could not \w+ a blob\.$/
  ],
  [
    'a part that never gets through',
    p => p.fail(isPart, { cutUpAfter: MIB }, 100),
    'blob-store-failed',
    /cannot be reached/
  ],
  [
    'a store that is too busy for too long',
    p => p.fail(isPart, { answer: 503, code: 'SlowDown' }, 100),
    'blob-store-failed',
    /not able to answer now/
  ],
  [
    'a store that is full',
    p => p.fail(isPart, { answer: 507, code: 'XMinioStorageFull' }, 100),
    'blob-store-full',
    /no room/
  ],
  [
    'an upload that was swept by somebody',
    p => p.fail(isComplete, { answer: 404, code: 'NoSuchUpload' }, 100),
    'blob-store-failed',
    /could not commit a blob\.$/
  ],
  [
    'an end that is refused',
    p => p.fail(isComplete, { answer: 403, code: 'AccessDenied' }, 100),
    'blob-store-failed',
    /credentials do not allow it/
  ]
]

for (const [what, plan, code, said] of refused) {
  t.test(`${what}: nothing is stored, and nothing is left behind`, async t => {
    const s = await scene(t)
    if (s === undefined) return
    plan(s.proxy)
    const writer = await s.blobs.create()
    const failure = await (async () => {
      for (let n = 0; n < 17; n += 1) await writer.write(block(n))
      await writer.commit()
    })().catch(error => error)
    t.ok(failure instanceof BlobError)
    t.equal(failure.code, code)
    t.match(failure.message, said)
    for (const secret of [s.settings.bucket, s.settings.prefix, writer.name, 'http']) {
      t.notOk(failure.message.includes(secret), 'the message names no place')
    }
    t.ok(failure.cause instanceof Error, 'what the store said is kept')
    await t.rejects(writer.commit(), { code: 'blob-store-failed' })
    await writer.abort()
    t.same(await entries(s.blobs), [])
    t.equal(await s.uploads(), 0)
  })
}

t.test('giving up in the middle of a part leaves nothing', async t => {
  const s = await scene(t)
  if (s === undefined) return
  s.proxy.fail(isPart, { answer: 503, code: 'SlowDown' }, 100)
  const writer = await s.blobs.create()
  await writer.write(Buffer.alloc(PART))
  const writing = writer.write(Buffer.alloc(PART)).catch(error => error)
  await writer.abort()
  await writing
  await t.rejects(writer.write(Buffer.from('more')), { code: 'blob-store-failed' })
  t.equal(await s.uploads(), 0)
  t.same(await entries(s.blobs), [])
})

t.test('an answer that never goes on is given up', async t => {
  const s = await scene(t)
  if (s === undefined) return
  const name = await store(s.blobs, block(0), block(1))
  s.proxy.fail(isGet, { cutDownAfter: 0 }, 100)
  await t.rejects(load(s.blobs, name), { code: 'blob-store-failed' })
})

t.test('who reads in sequence asks once, who reads here and there asks for just that', async t => {
  const s = await scene(t)
  if (s === undefined) return
  const whole = randomBytes(5 * MIB)
  const name = await store(s.blobs, whole)
  const asked = () => s.proxy.requests.splice(0).filter(isGet)
  const read = async (position: number, bytes: number) => {
    const into = Buffer.alloc(bytes)
    const count = await reader.read(into, position)
    t.ok(into.subarray(0, count).equals(whole.subarray(position, position + bytes)))
  }
  let reader = await s.blobs.open(name, receipt)
  await read(0, 56)
  for (let at = 56; at < whole.length; at += MIB) await read(at, MIB)
  t.equal(asked().length, 1, 'all in sequence')
  await reader.close()

  reader = await s.blobs.open(name, receipt)
  await read(0, 56)
  await read(3 * MIB, MIB)
  await read(100, 1000)
  t.same(
    asked().map(({ headers }) => headers.range),
    [undefined, `bytes=${3 * MIB}-${4 * MIB - 1}`, 'bytes=100-1099']
  )
  await read(1100, MIB)
  await read(1100 + MIB, MIB)
  t.same(
    asked().map(({ headers }) => headers.range),
    [`bytes=1100-${whole.length - 1}`],
    'in sequence again'
  )
  await reader.close()
  await t.rejects(reader.read(Buffer.alloc(1), 0), { code: 'blob-store-failed' })
})

t.test('a blob far larger than the memory it may use', async t => {
  const s = await scene(t)
  if (s === undefined) return
  const blocks = 192
  const before = process.memoryUsage().arrayBuffers
  let most = 0
  const look = () => {
    most = Math.max(most, process.memoryUsage().arrayBuffers - before)
  }
  const sum = createHash('sha256')
  const writer = await s.blobs.create()
  for (let n = 0; n < blocks; n += 1) {
    const bytes = block(n)
    sum.update(bytes)
    await writer.write(bytes)
    look()
  }
  await writer.commit()
  const parts = s.proxy.requests.filter(isPart)
  t.equal(parts.length, (blocks * MIB) / PART)
  t.ok(
    parts.every(({ headers }) => headers['x-amz-checksum-sha256']),
    'each with its checksum'
  )
  const reader = await s.blobs.open(writer.name, receipt)
  const back = createHash('sha256')
  const into = Buffer.alloc(MIB)
  for (let at = 0; at < reader.bytes; at += MIB) {
    back.update(into.subarray(0, await reader.read(into, at)))
    look()
  }
  await reader.close()
  t.equal(back.digest('hex'), sum.digest('hex'))
  t.comment(`${Math.round(most / MIB)} MiB at most`)
  // Three parts, what the proxy of this test holds, and what awaits the garbage collector.
  t.ok(most < 128 * MIB)
})

t.test('every object is written once, with the headers that were asked for', async t => {
  const encryption = { algorithm: 'aws:kms', keyId: 'key-of-the-hospital' } as const
  const s = await scene(t, { encryption })
  if (s === undefined) return
  const name = await store(s.blobs, Buffer.from('small'))
  await store(s.blobs, Buffer.alloc(PART), Buffer.from('more'))
  const begun = s.proxy.requests.filter(({ url }) => /[?&]uploads/.test(url))
  const written = [...s.proxy.requests.filter(isPut), ...s.proxy.requests.filter(isComplete)]
  t.equal(written.length, 2)
  for (const { headers } of written) t.equal(headers['if-none-match'], '*')
  for (const { headers } of [...begun, ...s.proxy.requests.filter(isPut)]) {
    t.equal(headers['x-amz-server-side-encryption'], 'aws:kms')
    t.equal(headers['x-amz-server-side-encryption-aws-kms-key-id'], encryption.keyId)
  }
  t.ok(s.proxy.requests.filter(isPut)[0]?.headers['x-amz-checksum-sha256'])
  t.ok(
    s.proxy.requests[0]?.url.endsWith(
      `${s.settings.prefix}${name.slice(0, 2)}/${name}?x-id=PutObject`
    )
  )
})

t.test('uploads of other processes are spared until they are old', async t => {
  const s = await scene(t, { unfinishedHoursMax: 1 })
  if (s === undefined) return
  const writer = await s.blobs.create()
  await writer.write(Buffer.alloc(PART, 'half'))
  await writer.write(Buffer.from('a whole part is there now'))
  t.equal(await s.uploads(), 1)
  const other = openS3Blobs(s.settings, hasty)
  t.teardown(() => other.close())
  t.equal(await other.sweepUnfinished(), 0)
  await writer.commit()
  t.equal((await load(other, writer.name)).length, PART + 25)
})

t.test('under Object Lock a removed blob is gone for us, and kept by the store', async t => {
  const server = await s3Server(t)
  if (server === undefined) return
  const settings = s3Settings(server, {
    bucket: server.lockedBucket,
    lock: { mode: 'COMPLIANCE', days: 1 }
  })
  const blobs = openS3Blobs(settings, hasty)
  t.teardown(() => blobs.close())
  for (const length of [100, PART + 1]) {
    const name = await store(blobs, Buffer.alloc(length))
    await blobs.remove(name)
    await t.rejects(blobs.open(name, receipt), { code: 'blob-missing' })
  }
  t.same(await entries(blobs), [])
  const s3 = connectS3(settings, hasty)
  const place = { Bucket: settings.bucket, Prefix: settings.prefix }
  const { Versions } = await s3.client.send(new ListObjectVersionsCommand(place))
  disconnectS3(s3)
  t.equal(Versions?.length, 2)
})

t.test('a missing bucket is not a missing blob', async t => {
  const server = await s3Server(t)
  if (server === undefined) return
  const blobs = openS3Blobs(s3Settings(server, { bucket: 'no-such-bucket' }), hasty)
  t.teardown(() => blobs.close())
  const expected = { code: 'blob-store-failed', message: /there is no such bucket/ }
  await t.rejects(blobs.open(newBlobName(), receipt), expected)
  await t.rejects(store(blobs, Buffer.from('x')), expected)
  await t.rejects(entries(blobs), expected)
  await t.rejects(blobs.sweepUnfinished(), expected)
})
