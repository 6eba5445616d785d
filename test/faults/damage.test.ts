import {
  closeSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeSync
} from 'node:fs'
import t, { type Test } from 'tap'
import { checkExchange } from '../../src/housekeeping/check-exchange.ts'
import type { TestExchange } from '../helpers/exchange.ts'
import { damaged, flipBit, MARKER, type Placed, setUp } from './damage-stage.ts'
import { assertFaults, assertSound } from './soundness.ts'

const HEADER_BYTES = 56
const SEALED_CHUNK_BYTES = 16_400
/** What is opened at a time: damage in the first piece is found before anything is sent. */
const PIECE_BYTES = 512 * 1024

/** Reads content as far as it comes, and holds it and the log against the original. */
async function readCut(t: Test, x: TestExchange, object: Placed, what: string) {
  const call = await x.raw('specialistGb', `GET ${object.path}`)
  const { status, headers } = await call.head()
  const got = await call.rest()
  t.match([status, headers['content-length']], [200, String(object.original.length)], what)
  t.ok(got.length < object.original.length, `${what}: cut short after ${got.length} bytes`)
  t.ok(object.original.subarray(0, got.length).equals(got), `${what}: no wrong byte`)
  const events = await x.auditEvents({ action: 'content.read', objectId: object.id })
  const [granted, end] = events.slice(-2)
  t.match([granted, end], [{ outcome: 'granted' }, { outcome: 'failed', grantId: granted?.id }])
  t.ok(Number(end?.bytesHandedOver) >= got.length, `${what}: every byte is on the log`)
}

t.test('every byte of a small blob, with one bit changed, opens to nothing', async t => {
  const { x, specialist, objects } = await setUp(t)
  const [, object] = objects
  const { size } = statSync(object.blob)
  for (let position = 0; position < size; position += 1) {
    flipBit(object.blob, position)
    const { status, json, text } = await specialist.send('GET', object.path)
    if (status !== 500 || json['code'] !== 'object-damaged' || text.includes(MARKER)) {
      t.fail(`byte ${position}: ${status} ${text}`)
    }
    flipBit(object.blob, position)
  }
  const failed = await x.auditEvents({ outcome: 'failed', objectId: object.id })
  t.strictSame(
    failed.map(event => event.bytesHandedOver),
    Array(size).fill(0),
    'each is on the log'
  )
  t.ok((await specialist.send('GET', object.path)).bytes.equals(object.original), 'mended')
  await assertSound(t, x, [MARKER])
})

t.test('one bit of a large blob', async t => {
  const { x, specialist, objects } = await setUp(t)
  const [object] = objects
  const { size } = statSync(object.blob)
  const chunk = (k: number) => HEADER_BYTES + k * SEALED_CHUNK_BYTES
  const early: Record<string, number> = {
    'of the salt': 3,
    'of the commitment': 30,
    'of the first chunk': chunk(0) + 5,
    'of the first tag': chunk(1) - 1,
    'of the last chunk of the first piece': chunk(31) + 9
  }
  for (const [what, position] of Object.entries(early)) {
    flipBit(object.blob, position)
    t.match(await specialist.send('GET', object.path), damaged, `${what}: nothing is sent`)
    assertFaults(t, await checkExchange(x.exchange), [new RegExp(`^Object ${object.id}: sealed-`)])
    flipBit(object.blob, position)
  }
  const late: Record<string, number> = {
    'of the second piece': chunk(32) + 1,
    'of a middle chunk': chunk(80) + 4_000,
    'of the last chunk': size - 100,
    'of the last tag': size - 1
  }
  for (const [what, position] of Object.entries(late)) {
    flipBit(object.blob, position)
    await readCut(t, x, object, what)
    assertFaults(t, await checkExchange(x.exchange), [new RegExp(`^Object ${object.id}: sealed-`)])
    flipBit(object.blob, position)
  }

  flipBit(object.blob, chunk(50))
  const range = (from: number, to: number) =>
    specialist.send('GET', object.path, undefined, { range: `bytes=${from}-${to}` })
  t.match(await range(50 * 16_384 + 7, 50 * 16_384 + 7), damaged, 'a range in the damaged chunk')
  const beside = await range(0, 50 * 16_384 - 1)
  t.equal(beside.status, 206, 'a range before it')
  t.ok(beside.bytes.equals(object.original.subarray(0, 50 * 16_384)))
  const after = await range(51 * 16_384, object.original.length - 1)
  t.ok(after.bytes.equals(object.original.subarray(51 * 16_384)), 'and one after it')
  flipBit(object.blob, chunk(50))
  await assertSound(t, x, [MARKER])
})

t.test('a blob of another length, of another object, or none', async t => {
  const { x, specialist, objects } = await setUp(t)
  const [large, one, two] = objects
  for (const change of [-1, 1, -16, -SEALED_CHUNK_BYTES, SEALED_CHUNK_BYTES, -PIECE_BYTES]) {
    const { blob, path, id } = large
    const { size } = statSync(blob)
    const end = Buffer.alloc(Math.max(0, -change))
    const file = openSync(blob, 'r')
    readSync(file, end, 0, end.length, size - end.length)
    closeSync(file)
    truncateSync(blob, size + change)
    t.match(await specialist.send('GET', path), damaged, `${change} bytes`)
    t.match(
      await specialist.send('GET', path, undefined, { range: 'bytes=0-9' }),
      damaged,
      'not even a range of what is left'
    )
    assertFaults(t, await checkExchange(x.exchange), [
      new RegExp(`^Object ${id}: sealed-truncated`)
    ])
    truncateSync(blob, size - end.length)
    const mend = openSync(blob, 'r+')
    writeSync(mend, end, 0, end.length, size - end.length)
    closeSync(mend)
  }

  const swap = (a: string, b: string) => {
    renameSync(a, `${a}.aside`)
    renameSync(b, a)
    renameSync(`${a}.aside`, b)
  }
  swap(one.blob, two.blob)
  for (const { path } of [one, two]) t.match(await specialist.send('GET', path), damaged, 'swapped')
  assertFaults(t, await checkExchange(x.exchange), [
    new RegExp(`^Object ${one.id}: sealed-wrong-key`),
    new RegExp(`^Object ${two.id}: sealed-wrong-key`)
  ])
  swap(one.blob, two.blob)
  t.ok((await specialist.send('GET', one.path)).bytes.equals(one.original), 'swapped back')
  await assertSound(t, x, [MARKER])

  truncateSync(one.blob, 0)
  t.match(await specialist.send('GET', one.path), damaged, 'empty')
  rmSync(two.blob)
  t.match(await specialist.send('GET', two.path), damaged, 'missing')
  t.equal((await specialist.send('HEAD', two.path)).status, 200, 'though known')
  assertFaults(t, await checkExchange(x.exchange), [
    new RegExp(`^Object ${one.id}: sealed-truncated`),
    new RegExp(`^Object ${two.id}: blob-missing`)
  ])
  t.ok((await specialist.send('GET', large.path)).bytes.equals(large.original), 'others are whole')
})

t.test('a damaged file in an archive', async t => {
  const { x, specialist, objects, zip } = await setUp(t)
  const [, one, two] = objects
  for (const { blob } of [one, two]) {
    flipBit(blob, HEADER_BYTES)
    const call = await x.raw('specialistGb', `GET ${zip}`)
    const { status, headers } = await call.head()
    const got = await call.rest()
    if (status === 200) t.ok(got.length < Number(headers['content-length']), 'cut short')
    else t.match(status, /500|0/)
    t.equal(
      got.includes('0000000011'),
      blob === two.blob && got.length > 100,
      'nothing of it is sent'
    )
    const [end] = (await x.auditEvents({ action: 'content.read', recordId: one.recordId })).slice(
      -1
    )
    t.match(end, { outcome: 'failed' })
    t.ok(Number(end?.bytesHandedOver) >= (status === 200 ? got.length : 0))
    flipBit(blob, HEADER_BYTES)
  }
  t.equal((await specialist.send('GET', zip)).status, 200, 'mended')
  await assertSound(t, x, [MARKER])
})
