import t from 'tap'
import { BlobError } from '../../src/blobs/blobs.ts'
import type { FaultProxy } from '../helpers/fault-proxy.ts'
import { entries, load, store } from './conformance.ts'
import { block, isComplete, isGet, isPart, isPut, MIB, PART, scene } from './s3-scene.ts'

// What becomes of a blob when the network or the S3 server fails.

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
