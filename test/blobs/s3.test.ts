import { createHash, randomBytes } from 'node:crypto'
import { ListObjectVersionsCommand } from '@aws-sdk/client-s3'
import t from 'tap'
import { issueReceipt } from '../../src/audit/receipt.ts'
import { newBlobName } from '../../src/blobs/blobs.ts'
import { openS3Blobs } from '../../src/blobs/s3.ts'
import { connectS3, disconnectS3 } from '../../src/blobs/s3-client.ts'
import { s3Server, s3Settings } from '../helpers/s3.ts'
import { entries, load, store } from './conformance.ts'
import { block, hasty, isComplete, isGet, isPart, isPut, MIB, PART, scene } from './s3-scene.ts'

// What is true of S3 alone. What every store promises is in conformance.ts, which disk.test.ts tells
// to both.

const receipt = issueReceipt('event-of-the-s3-tests')

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
  // A slow machine may have sent one again.
  const numbers = new Set(parts.map(({ url }) => /partNumber=(\d+)/.exec(url)?.[1]))
  t.equal(numbers.size, (blocks * MIB) / PART)
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
