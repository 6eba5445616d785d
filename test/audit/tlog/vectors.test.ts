import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { verifyConsistency, verifyInclusion } from '../../../src/audit/tlog/tree.ts'

// transparency-dev/merkle's vectors for RFC 6962 proofs; nine of ten must be refused.

interface Expected {
  desc: string
  wantErr: boolean
  proof: string[] | null
}

interface InclusionVector extends Expected {
  leafIdx: number
  treeSize: number
  root: string
  leafHash: string
}

interface ConsistencyVector extends Expected {
  size1: number
  size2: number
  root1: string
  root2: string
}

type Vector = InclusionVector | ConsistencyVector

/** Where we decide otherwise than the vector, on purpose. */
const otherwise = new Map([
  [
    'consistency/additional/sizes-are-equal-one-and-proof-is-empty.json',
    'Its roots are 12 bytes long; we accept no hash that has not 32.'
  ]
])

const directory = process.env.VECTORS_DIR

if (directory === undefined) {
  const skip = 'VECTORS_DIR is not set'
  if (process.env.CI_SERVICES === 'required') t.fail(skip)
  else t.test('the public proofs', { skip }, async () => {})
} else {
  const files = readdirSync(join(directory, 'merkle'), { recursive: true, encoding: 'utf8' })
    .filter(name => name.endsWith('.json'))
    .sort()
  t.equal(files.length, 196, 'all vectors are there')
  let accepted = 0
  for (const name of files) {
    const vector: Vector = JSON.parse(readFileSync(join(directory, 'merkle', name), 'utf8'))
    const verdict = 'leafIdx' in vector ? isIncluded(vector) : isConsistent(vector)
    const reason = otherwise.get(name)
    const wanted = reason === undefined ? !vector.wantErr : vector.wantErr
    t.equal(verdict, wanted, `${name}: ${vector.desc}${reason === undefined ? '' : ` (${reason})`}`)
    if (verdict) accepted++
  }
  t.equal(accepted, 11, 'both verdicts occur')
  t.same(
    [...otherwise.keys()].filter(name => !files.includes(name)),
    [],
    'every exception is still a vector'
  )
}

function isIncluded({ leafHash, leafIdx, treeSize, proof, root }: InclusionVector): boolean {
  return verifyInclusion(bytes(leafHash), leafIdx, treeSize, (proof ?? []).map(bytes), bytes(root))
}

function isConsistent({ size1, root1, size2, root2, proof }: ConsistencyVector): boolean {
  return verifyConsistency(size1, bytes(root1), size2, bytes(root2), (proof ?? []).map(bytes))
}

function bytes(base64: string): Buffer {
  return Buffer.from(base64, 'base64')
}
