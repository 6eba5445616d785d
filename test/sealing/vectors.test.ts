import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { inflateSync } from 'node:zlib'
import t, { type Test } from 'tap'
import { SealError } from '../../src/sealing/seal-error.ts'
import { deriveObjectKey } from '../../src/sealing/stream.ts'
import { type Opening, openByChunk, openWhole, sealWhole } from './whole.ts'

// Wycheproof's vectors for C2SP chunked-encryption with AES-256-GCM.

interface Vector {
  tcId: number
  comment: string
  key: string
  ctx: string
  ct: string
  aeadKey?: string
  baseNonce?: string
  msgLength?: number
  msgSha512?: string
  result: 'valid' | 'invalid'
  flags: string[]
}

const MIB = 1_048_576
const directory = process.env.VECTORS_DIR

if (directory === undefined) {
  const skip = 'VECTORS_DIR is not set'
  if (process.env.CI_SERVICES === 'required') t.fail(skip)
  else t.test('the public test vectors', { skip }, async () => {})
} else {
  const file = join(directory, 'chunked-encryption-aes-256-gcm.json')
  const { testGroups } = JSON.parse(readFileSync(file, 'utf8')) as {
    testGroups: Array<{ tests: Vector[] }>
  }
  const vectors = testGroups.flatMap(group => group.tests)
  t.equal(vectors.length, 35, 'all vectors are there')
  for (const vector of vectors) {
    t.test(`${vector.tcId}: ${vector.comment}`, async t => {
      const blob = inflateSync(Buffer.from(vector.ct, 'hex'))
      const opening = {
        inputKey: Buffer.from(vector.key, 'hex'),
        context: Buffer.from(vector.ctx, 'hex')
      }
      if (vector.result === 'valid') opens(t, vector, opening, blob)
      else isRefused(t, vector, opening, blob)
    })
  }
}

function opens(t: Test, vector: Vector, opening: Opening, blob: Buffer): void {
  const { inputKey, context } = opening
  const salt = blob.subarray(0, 24)
  const derived = deriveObjectKey(inputKey, salt, context)
  t.equal(derived.key.export().toString('hex'), vector.aeadKey)
  t.equal(derived.baseNonce.toString('hex'), vector.baseNonce)

  const plain = openWhole(opening, blob)
  t.equal(plain.byteLength, vector.msgLength)
  t.equal(createHash('sha512').update(plain).digest('hex'), vector.msgSha512)
  t.ok(openByChunk(opening, blob).equals(plain), 'opens alike chunk by chunk')

  // Byte by byte, the two vectors of 4 MiB would take seconds.
  const smallest = plain.byteLength < MIB ? 1 : 97
  for (const pieceBytes of [MIB, 65_537, 16_384, 16_383, smallest]) {
    const again = sealWhole({ inputKey, context, salt }, plain, pieceBytes)
    t.ok(again.equals(blob), `sealed again in pieces of ${pieceBytes} it is the same`)
  }
}

function isRefused(t: Test, vector: Vector, opening: Opening, blob: Buffer): void {
  const opened: Buffer[] = []
  const expected = new Set<string>()
  if (vector.flags.includes('Truncation')) expected.add('sealed-truncated').add('sealed-damaged')
  else if (vector.flags.includes('HeaderFailure')) expected.add('sealed-wrong-key')
  else expected.add('sealed-truncated').add('sealed-damaged')
  for (const open of [openWhole, openByChunk]) {
    opened.length = 0
    try {
      open(opening, blob, opened)
      t.fail('it opened')
    } catch (error) {
      t.ok(error instanceof SealError && expected.has(error.code), `refused: ${error}`)
    }
  }
  if (vector.flags.includes('HeaderFailure')) t.equal(opened.length, 0)
  // Only a true beginning of the message may have come out before the refusal.
  const prefix = Buffer.concat(opened)
  if (prefix.byteLength > 0) {
    t.equal(prefix.byteLength, vector.msgLength)
    t.equal(createHash('sha512').update(prefix).digest('hex'), vector.msgSha512)
  }
}
