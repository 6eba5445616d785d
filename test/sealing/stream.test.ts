import { createSecretKey, randomBytes } from 'node:crypto'
import fc from 'fast-check'
import t from 'tap'
import {
  CHUNK_BYTES,
  chunkRange,
  HEADER_BYTES,
  plainBytes,
  SEALED_CHUNK_BYTES,
  sealedBytes,
  TAG_BYTES
} from '../../src/sealing/layout.ts'
import {
  chunkNonce,
  createSealer,
  deriveObjectKey,
  openHeader,
  release
} from '../../src/sealing/stream.ts'
import { openByChunk, openWhole, sealWhole } from './whole.ts'

const inputKey = randomBytes(32)
const context = Buffer.from('what the object is')
const object = { inputKey, context }

/** Lengths on both sides of every boundary the format has, up to some chunks. */
const lengths = [0, 1, 16, 16_383, 16_384, 16_385, 32_767, 32_768, 32_769, 100_000]

t.test('what is sealed in pieces of any size opens to the same bytes', async t => {
  for (const length of lengths) {
    const plain = randomBytes(length)
    for (const pieceBytes of [length || 1, 16_384, 16_383, 16_385, 1_000, 7, 1]) {
      const blob = sealWhole(object, plain, pieceBytes)
      t.equal(blob.byteLength, sealedBytes(length))
      t.ok(openWhole({ ...object, plainLength: length }, blob).equals(plain))
    }
  }
})

t.test('the same plaintext is sealed into different bytes each time', async t => {
  const plain = Buffer.from('letter')
  const [a, b] = [sealWhole(object, plain), sealWhole(object, plain)]
  t.notSame(a.subarray(0, 24), b.subarray(0, 24), 'fresh salt')
  t.notSame(a.subarray(HEADER_BYTES), b.subarray(HEADER_BYTES))
})

t.test('a KeyObject and its bytes are the same key', async t => {
  const blob = sealWhole(object, Buffer.from('letter'))
  t.equal(openWhole({ inputKey: createSecretKey(inputKey), context }, blob).toString(), 'letter')
})

t.test('a change of any single bit is refused', async t => {
  const plain = randomBytes(40)
  const blob = sealWhole(object, plain)
  let refused = 0
  for (let bit = 0; bit < blob.byteLength * 8; bit += 1) {
    const damaged = Buffer.from(blob)
    damaged.writeUInt8(damaged.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3)
    const code = bit >> 3 < HEADER_BYTES ? 'sealed-wrong-key' : 'sealed-damaged'
    if (codeOf(() => openWhole(object, damaged)) === code) refused += 1
  }
  t.equal(refused, blob.byteLength * 8)
})

t.test('a sealed object cut anywhere is refused', async t => {
  const plainLength = 40
  const blob = sealWhole(object, randomBytes(plainLength))
  for (let length = 0; length < blob.byteLength; length += 1) {
    const cut = blob.subarray(0, length)
    t.equal(
      codeOf(() => openWhole({ ...object, plainLength }, cut)),
      'sealed-truncated'
    )
    t.match(
      codeOf(() => openWhole(object, cut)),
      /^sealed-(truncated|damaged)$/
    )
  }
  const longer = Buffer.concat([blob, Buffer.alloc(1)])
  t.equal(
    codeOf(() => openWhole({ ...object, plainLength }, longer)),
    'sealed-truncated'
  )
})

t.test('an object of several chunks cut anywhere near a boundary is refused', async t => {
  const blob = sealWhole(object, randomBytes(2 * CHUNK_BYTES + 5))
  for (const boundary of [HEADER_BYTES, HEADER_BYTES + SEALED_CHUNK_BYTES, blob.byteLength - 21]) {
    for (let length = boundary - 17; length <= boundary + 17; length += 1) {
      t.match(
        codeOf(() => openByChunk(object, blob.subarray(0, length))),
        /^sealed-/
      )
    }
  }
})

t.test('the recorded length decides, also when the blob is sound by itself', async t => {
  const blob = sealWhole(object, randomBytes(100))
  for (const plainLength of [0, 99, 101, CHUNK_BYTES]) {
    t.equal(
      codeOf(() => openWhole({ ...object, plainLength }, blob)),
      'sealed-truncated'
    )
  }
})

t.test('another context, key or object is refused before the first chunk', async t => {
  const plain = randomBytes(100)
  const blob = sealWhole(object, plain)
  const other = sealWhole({ inputKey, context: Buffer.from('another object') }, plain)
  const open = (opening: { inputKey: Buffer; context: Buffer }, sealed: Buffer) =>
    codeOf(() =>
      openHeader({
        ...opening,
        header: sealed.subarray(0, HEADER_BYTES),
        blobLength: sealed.byteLength,
        plainLength: 100
      })
    )
  t.equal(open(object, blob), undefined)
  t.equal(open({ inputKey, context: Buffer.from('else') }, blob), 'sealed-wrong-key')
  t.equal(open({ inputKey: randomBytes(32), context }, blob), 'sealed-wrong-key')
  t.equal(open({ inputKey: randomBytes(31), context }, blob), 'sealed-wrong-key')
  t.equal(open(object, other), 'sealed-wrong-key', 'a blob put in the place of another')
})

t.test('chunks swapped, repeated or taken from another object are refused', async t => {
  const plain = randomBytes(3 * CHUNK_BYTES)
  const blob = sealWhole(object, plain)
  const other = sealWhole(object, plain)
  const chunk = (from: Buffer, index: number) =>
    from.subarray(HEADER_BYTES + index * SEALED_CHUNK_BYTES).subarray(0, SEALED_CHUNK_BYTES)
  const header = blob.subarray(0, HEADER_BYTES)
  const build = (...chunks: Buffer[]) => Buffer.concat([header, ...chunks])
  const last = chunk(blob, 3)
  const [c0, c1, c2] = [chunk(blob, 0), chunk(blob, 1), chunk(blob, 2)]
  t.equal(
    codeOf(() => openWhole(object, build(c0, c1, c2, last))),
    undefined
  )
  t.equal(
    codeOf(() => openWhole(object, build(c1, c0, c2, last))),
    'sealed-damaged'
  )
  t.equal(
    codeOf(() => openWhole(object, build(c0, c0, c2, last))),
    'sealed-damaged'
  )
  t.equal(
    codeOf(() => openWhole(object, build(c0, chunk(other, 1), c2, last))),
    'sealed-damaged'
  )
  t.equal(
    codeOf(() => openWhole(object, build(c0, c1, c2, chunk(other, 3)))),
    'sealed-damaged'
  )
})

t.test('nothing of a damaged chunk reaches the caller', async t => {
  const blob = sealWhole(object, Buffer.alloc(2 * CHUNK_BYTES, 'x'))
  const damagedAt = HEADER_BYTES + SEALED_CHUNK_BYTES
  blob.writeUInt8(blob.readUInt8(damagedAt) ^ 1, damagedAt)
  const opener = openHeader({
    ...object,
    header: blob.subarray(0, HEADER_BYTES),
    blobLength: blob.byteLength
  })
  const into = Buffer.alloc(3 * CHUNK_BYTES)
  t.equal(
    codeOf(() => opener.openChunks(blob.subarray(HEADER_BYTES), 0, into)),
    'sealed-damaged'
  )
  t.ok(into.subarray(0, CHUNK_BYTES).equals(Buffer.alloc(CHUNK_BYTES, 'x')), 'the sound chunk')
  t.ok(into.subarray(CHUNK_BYTES).equals(Buffer.alloc(2 * CHUNK_BYTES)), 'and no more')
})

t.test('a range is the same slice of the plaintext', async t => {
  const plain = randomBytes(5 * CHUNK_BYTES + 321)
  const blobs = new Map<number, Buffer>()
  const slice = fc
    .oneof(fc.constantFrom(0, CHUNK_BYTES, 5 * CHUNK_BYTES), fc.nat(plain.byteLength))
    .chain(length => fc.tuple(fc.constant(length), fc.nat(length), fc.nat(length)))
  const property = fc.property(slice, ([plainLength, a, b]) => {
    const [start, end] = [Math.min(a, b), Math.max(a, b)]
    const blob = blobs.get(plainLength) ?? sealWhole(object, plain.subarray(0, plainLength))
    blobs.set(plainLength, blob)
    const range = chunkRange(start, end, plainLength)
    const opener = openHeader({
      ...object,
      header: blob.subarray(0, HEADER_BYTES),
      blobLength: blob.byteLength,
      plainLength
    })
    const into = Buffer.alloc((range.lastChunk - range.firstChunk + 1) * CHUNK_BYTES)
    const read = blob.subarray(range.sealedStart, range.sealedEnd)
    const opened = into.subarray(0, opener.openChunks(read, range.firstChunk, into))
    const bytes = opened.subarray(range.skip, range.skip + range.take)
    return (
      bytes.equals(plain.subarray(start, end)) &&
      (end < plainLength || range.lastChunk === opener.lastChunk) &&
      (end === plainLength || read.byteLength <= end - start + 2 * SEALED_CHUNK_BYTES)
    )
  })
  t.doesNotThrow(() => fc.assert(property, { numRuns: 200 }))
})

t.test('a range beyond the object is a mistake of the caller', async t => {
  for (const [start, end, length] of [
    [0, 11, 10],
    [6, 5, 10],
    [-1, 5, 10],
    [0.5, 5, 10]
  ] as const) {
    t.throws(() => chunkRange(start, end, length), RangeError)
  }
})

t.test('sealed and plain lengths belong together', async t => {
  for (const length of [...lengths, 2 ** 40, 2 ** 51 + 17]) {
    t.equal(plainBytes(sealedBytes(length)), length)
  }
  for (const impossible of [0, 55, 56, 71, 56 + 16_400, 56 + 16_400 + 15, 72.5, Number.NaN]) {
    t.equal(
      codeOf(() => plainBytes(impossible)),
      'sealed-truncated'
    )
  }
  t.equal(sealedBytes(0), 72)
  t.equal(sealedBytes(CHUNK_BYTES), HEADER_BYTES + SEALED_CHUNK_BYTES + TAG_BYTES)
  t.throws(() => sealedBytes(-1), RangeError)
  t.throws(() => sealedBytes(2 ** 52), RangeError)
})

t.test('nonces count up from the base and never wrap', async t => {
  const base = Buffer.from('00112233445566ff8899aabb', 'hex')
  t.equal(chunkNonce(base, 0).toString('hex'), '00112233445566ff8899aabb')
  t.equal(chunkNonce(base, 1).toString('hex'), '00112233445566ff8899aaba')
  t.equal(chunkNonce(base, 2 ** 32).toString('hex'), '00112233445566fe8899aabb')
  t.equal(chunkNonce(base, 2 ** 38 - 1).toString('hex'), '00112233445566c077665544')
  t.equal(base.toString('hex'), '00112233445566ff8899aabb', 'the base stays as it is')
  for (const beyond of [2 ** 38, -1, 0.5, Number.NaN]) {
    t.throws(() => chunkNonce(base, beyond), RangeError)
  }
})

t.test('nothing is sealed with a key or salt of another length', async t => {
  for (const length of [0, 16, 31, 33]) {
    const short = { inputKey: randomBytes(length), context }
    t.equal(
      codeOf(() => createSealer(short)),
      'sealed-wrong-key'
    )
  }
  t.throws(() => createSealer({ ...object, salt: Buffer.alloc(23) }), RangeError)
})

t.test('a sealer that has ended seals no more', async t => {
  const sealer = createSealer(object)
  sealer.final(() => {})
  t.throws(() => sealer.update(Buffer.alloc(1), () => {}), /has ended/)
  t.throws(() => sealer.final(() => {}), /has ended/)
})

t.test('a chunk of the wrong place or length is refused', async t => {
  const blob = sealWhole(object, randomBytes(CHUNK_BYTES + 1))
  const opener = openHeader({
    ...object,
    header: blob.subarray(0, HEADER_BYTES),
    blobLength: blob.byteLength
  })
  const body = blob.subarray(HEADER_BYTES)
  const into = Buffer.alloc(2 * CHUNK_BYTES)
  t.equal(
    codeOf(() => opener.openChunk(0, body.subarray(0, 16_399))),
    'sealed-truncated'
  )
  t.equal(
    codeOf(() => opener.openChunks(body.subarray(0, -1), 0, into)),
    'sealed-truncated'
  )
  t.equal(
    codeOf(() => opener.openChunks(body.subarray(0, 16_401), 0, into)),
    'sealed-truncated'
  )
  t.throws(() => opener.openChunk(2, body), RangeError)
  t.throws(() => opener.openChunks(body, 1, into))
})

t.test('the context is part of every derived value', async t => {
  const salt = randomBytes(24)
  const [a, b] = ['a', 'b'].map(text => deriveObjectKey(inputKey, salt, Buffer.from(text)))
  t.notOk(a?.key.equals(b?.key ?? a.key))
  t.notSame(a?.baseNonce, b?.baseNonce)
  t.notSame(a?.commitment, b?.commitment)
})

t.test('release frees only what is alone in its memory', async t => {
  const own = new Uint8Array(10)
  const part = new Uint8Array(10).subarray(5)
  release(own)
  release(part)
  t.equal(own.byteLength, 0)
  t.equal(part.byteLength, 5)
})

function codeOf(work: () => unknown): string | undefined {
  try {
    work()
    return undefined
  } catch (error) {
    return error instanceof Error && 'code' in error ? String(error.code) : String(error)
  }
}
