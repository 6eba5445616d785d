import fc from 'fast-check'
import t from 'tap'
import {
  completeRoot,
  ENTRY_BYTES_MAX,
  emptyRoot,
  frontier,
  leafHash,
  PROOF_HASHES_MAX,
  proveConsistency,
  proveInclusion,
  rootAt,
  type Subtree,
  verifyConsistency,
  verifyInclusion
} from '../../../src/audit/tlog/tree.ts'
import { bitFlips, codeOf, flipped, leavesOf, naiveLeaf, naiveTree } from './naive.ts'

const RUNS = process.env.SLOW === '1' ? 2000 : 100
const SIZE_MAX = 300
const leaves = leavesOf(SIZE_MAX)
const tree = naiveTree(leaves)
const HUGE = Number.MAX_SAFE_INTEGER

const isSame = (a: Buffer[], b: Buffer[]) => Buffer.concat(a).equals(Buffer.concat(b))

t.test('every leaf of every tree up to 300 is proven as RFC 6962 says', async t => {
  const wrong: string[] = []
  for (let size = 1; size <= SIZE_MAX; size++) {
    const root = await rootAt(size, tree.read)
    if (!root.equals(tree.root(size))) wrong.push(`root of ${size}`)
    for (let index = 0; index < size; index++) {
      const proof = await proveInclusion(index, size, tree.read)
      if (!isSame(proof, tree.inclusion(index, size))) wrong.push(`proof of ${index} in ${size}`)
      if (!verifyInclusion(leaves[index]!, index, size, proof, root)) {
        wrong.push(`verdict on ${index} in ${size}`)
      }
    }
  }
  t.same(wrong, [])
})

t.test('every two trees up to 300 are proven consistent as RFC 6962 says', async t => {
  const wrong: string[] = []
  for (let to = 1; to <= SIZE_MAX; to++) {
    for (let from = 1; from <= to; from++) {
      const proof = await proveConsistency(from, to, tree.read)
      if (!isSame(proof, tree.consistency(from, to))) wrong.push(`proof from ${from} to ${to}`)
      if (!verifyConsistency(from, tree.root(from), to, tree.root(to), proof)) {
        wrong.push(`verdict from ${from} to ${to}`)
      }
    }
  }
  t.same(wrong, [])
})

t.test('the frontier has the root of every tree on its way', async t => {
  const edge = frontier()
  const wrong: number[] = []
  for (const [size, leaf] of leaves.entries()) {
    if (!edge.root().equals(tree.root(size)) || edge.size() !== size) wrong.push(size)
    edge.add(leaf)
  }
  t.same(wrong, [])
  t.throws(() => edge.add(Buffer.alloc(31)), RangeError)
  t.equal(edge.size(), SIZE_MAX, 'what was refused has not been counted')
})

t.test('no leaf is proven at another place, in another size or under another root', async t => {
  const accepted: string[] = []
  for (let size = 1; size <= 40; size++) {
    for (let index = 0; index < size; index++) {
      const proof = tree.inclusion(index, size)
      const says = (at: number, n: number, root: Buffer) =>
        verifyInclusion(leaves[index]!, at, n, proof, root)
      for (let other = 0; other <= 41; other++) {
        const root = tree.root(size)
        if (other !== index && says(other, size, root)) accepted.push(`${index}→${other}/${size}`)
        const elsewhere = tree.root(other)
        if (other !== size && says(index, other, elsewhere)) accepted.push(`${index}/${other}`)
        if (other !== size && says(index, size, elsewhere)) accepted.push(`root of ${other}`)
      }
    }
  }
  t.same(accepted, [])
})

t.test('a proof proves nothing where another number of hashes is needed', async t => {
  const accepted: string[] = []
  const sizes = Array.from({ length: 14 }, (_, at) => at + 1)
  const places = sizes.flatMap(size => sizes.slice(0, size).map(n => ({ size, n })))
  for (const { size, n } of places) {
    const path = tree.inclusion(n - 1, size)
    const growth = tree.consistency(n, size)
    for (const claimed of places) {
      const { size: to, n: from } = claimed
      const isPath = verifyInclusion(leaves[n - 1]!, from - 1, to, path, tree.root(size))
      const isGrowth = verifyConsistency(from, tree.root(n), to, tree.root(size), growth)
      const pathFits = path.length === tree.inclusion(from - 1, to).length
      const growthFits = growth.length === tree.consistency(from, to).length
      if ((isPath && !pathFits) || (isGrowth && !growthFits)) {
        accepted.push(`${n}/${size} as ${from}/${to}`)
      }
    }
  }
  t.same(accepted, [])
})

t.test('no bit of a proof of inclusion can be changed', async t => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: SIZE_MAX }), fc.nat(), fc.nat(), (size, i, flip) => {
      const index = i % size
      const parts = [leaves[index]!, tree.root(size), ...tree.inclusion(index, size)]
      const part = flip % parts.length
      parts[part] = flipped(parts[part]!, flip % 256)
      const [leaf, root, ...proof] = parts
      return !verifyInclusion(leaf!, index, size, proof, root!)
    }),
    { numRuns: RUNS * 10 }
  )
  const proof = tree.inclusion(5, 13)
  let refused = 0
  for (const [at, hash] of proof.entries()) {
    for (const changed of bitFlips(hash)) {
      if (!verifyInclusion(leaves[5]!, 5, 13, proof.with(at, changed), tree.root(13))) refused++
    }
  }
  t.equal(refused, proof.length * 256)
})

t.test('no bit of a proof of consistency can be changed', async t => {
  fc.assert(
    fc.property(fc.integer({ min: 2, max: SIZE_MAX }), fc.nat(), fc.nat(), (to, f, flip) => {
      const from = 1 + (f % to)
      const parts = [tree.root(from), tree.root(to), ...tree.consistency(from, to)]
      const part = flip % parts.length
      parts[part] = flipped(parts[part]!, flip % 256)
      const [fromRoot, toRoot, ...proof] = parts
      return !verifyConsistency(from, fromRoot!, to, toRoot!, proof)
    }),
    { numRuns: RUNS * 10 }
  )
  const proof = tree.consistency(6, 13)
  let refused = 0
  for (const [at, hash] of proof.entries()) {
    for (const changed of bitFlips(hash)) {
      if (!verifyConsistency(6, tree.root(6), 13, tree.root(13), proof.with(at, changed))) refused++
    }
  }
  t.equal(refused, proof.length * 256)
})

t.test('a proof with a hash more, less or out of its place is refused', async t => {
  const place = fc.tuple(fc.integer({ min: 2, max: SIZE_MAX }), fc.nat(), fc.nat())
  const variants = (proof: Buffer[], n: number): Buffer[][] => {
    const at = n % (proof.length + 1)
    const [here, next] = [proof[at], proof[at + 1]]
    return [
      proof.toSpliced(at, 0, tree.root(7)),
      ...(here === undefined ? [] : [proof.toSpliced(at, 1), proof.toSpliced(at, 0, here)]),
      ...(here === undefined || next === undefined ? [] : [proof.toSpliced(at, 2, next, here)])
    ]
  }
  const inclusion = fc.property(place, ([size, i, n]) =>
    variants(tree.inclusion(i % size, size), n).every(
      proof => !verifyInclusion(leaves[i % size]!, i % size, size, proof, tree.root(size))
    )
  )
  const consistency = fc.property(place, ([to, f, n]) => {
    const from = 1 + (f % to)
    return variants(tree.consistency(from, to), n).every(
      proof => !verifyConsistency(from, tree.root(from), to, tree.root(to), proof)
    )
  })
  t.doesNotThrow(() => fc.assert(inclusion, { numRuns: RUNS * 10 }))
  t.doesNotThrow(() => fc.assert(consistency, { numRuns: RUNS * 10 }))
})

t.test('a hash that has not 32 bytes proves nothing, wherever it stands', async t => {
  const short = Buffer.alloc(31)
  const long = Buffer.concat([leaves[0]!, Buffer.alloc(1)])
  const none = Buffer.alloc(0)
  const two = tree.root(2)
  for (const bad of [short, long, none]) {
    t.notOk(verifyInclusion(bad, 0, 1, [], bad), 'leaf and root')
    t.notOk(verifyInclusion(bad, 0, 2, [leaves[1]!], two), 'leaf')
    t.notOk(verifyInclusion(leaves[0]!, 0, 2, [bad], two), 'proof')
    t.notOk(verifyInclusion(leaves[0]!, 0, 2, [leaves[1]!], bad), 'root')
    t.notOk(verifyConsistency(1, bad, 1, bad, []), 'both roots')
    t.notOk(verifyConsistency(1, bad, 2, two, [leaves[1]!]), 'first root')
    t.notOk(verifyConsistency(1, leaves[0]!, 2, bad, [leaves[1]!]), 'second root')
    t.notOk(verifyConsistency(1, leaves[0]!, 2, two, [bad]), 'proof')
  }
  // Parts of one leaf and the next that together have the right bytes hash to the right root.
  const joined = Buffer.concat([leaves[0]!, leaves[1]!])
  t.notOk(verifyInclusion(joined.subarray(0, 31), 0, 2, [joined.subarray(31)], two))
  t.ok(verifyInclusion(leaves[0]!, 0, 2, [leaves[1]!], two), 'the true ones are accepted')
})

t.test('numbers that are no sizes or indexes prove nothing', async t => {
  const [leaf, root] = [leaves[0]!, tree.root(2)]
  const proof = [leaves[1]!]
  for (const bad of [-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, HUGE + 1, 2 ** 64]) {
    t.notOk(verifyInclusion(leaf, bad, 2, proof, root), `index ${bad}`)
    t.notOk(verifyInclusion(leaf, 0, bad, proof, root), `size ${bad}`)
    t.notOk(verifyConsistency(bad, leaf, 2, root, proof), `from ${bad}`)
    t.notOk(verifyConsistency(1, leaf, bad, root, proof), `to ${bad}`)
    await t.rejects(rootAt(bad, tree.read), RangeError)
    await t.rejects(proveInclusion(0, bad, tree.read), RangeError)
    await t.rejects(proveInclusion(bad, 2, tree.read), RangeError)
    await t.rejects(proveConsistency(1, bad, tree.read), RangeError)
    await t.rejects(proveConsistency(bad, 2, tree.read), RangeError)
  }
  await t.rejects(proveInclusion(2, 2, tree.read), RangeError)
  await t.rejects(proveConsistency(3, 2, tree.read), RangeError)
  t.notOk(verifyInclusion(leaf, 0, 0, [], emptyRoot), 'nothing is in the empty tree')
})

t.test(
  'consistency from the empty tree is refused, between equal sizes needs no proof',
  async t => {
    t.notOk(verifyConsistency(0, emptyRoot, 0, emptyRoot, []))
    t.notOk(verifyConsistency(0, emptyRoot, 5, tree.root(5), []))
    await t.rejects(proveConsistency(0, 5, tree.read), RangeError)
    t.ok(verifyConsistency(5, tree.root(5), 5, tree.root(5), []))
    t.notOk(verifyConsistency(5, tree.root(5), 5, tree.root(4), []))
    t.notOk(verifyConsistency(5, tree.root(5), 5, tree.root(5), [leaves[0]!]))
    t.notOk(verifyConsistency(5, tree.root(5), 4, tree.root(4), []), 'a log never shrinks')
    t.notOk(verifyConsistency(6, tree.root(6), 7, tree.root(7), []))
  }
)

t.test('the largest tree that can be has paths of at most 53 hashes', async t => {
  const asked: Subtree[] = []
  const read = async (subtrees: Subtree[]) => {
    asked.push(...subtrees)
    return subtrees.map(({ level, index }) => naiveLeaf(Buffer.from(`${level} ${index}`)))
  }
  const root = await rootAt(HUGE, read)
  t.same(
    asked.map(({ level }) => level),
    Array.from({ length: 53 }, (_, at) => 52 - at)
  )
  t.ok(asked.every(({ level, index }) => (index + 1) * 2 ** level <= HUGE))
  for (const index of [0, 1, 2 ** 32, 2 ** 52, HUGE - 1]) {
    const proof = await proveInclusion(index, HUGE, read)
    t.ok(proof.length <= PROOF_HASHES_MAX, `${proof.length} hashes for ${index}`)
  }
  t.equal((await proveInclusion(0, HUGE, read)).length, PROOF_HASHES_MAX)

  // The last leaf is a subtree of its own, so these hashes are those of one and the same tree.
  const last = naiveLeaf(Buffer.from(`0 ${HUGE - 1}`))
  const proof = await proveInclusion(HUGE - 1, HUGE, read)
  t.ok(verifyInclusion(last, HUGE - 1, HUGE, proof, root))
  t.notOk(verifyInclusion(last, HUGE - 2, HUGE, proof, root))
  const before = await rootAt(HUGE - 1, read)
  const growth = await proveConsistency(HUGE - 1, HUGE, read)
  t.ok(verifyConsistency(HUGE - 1, before, HUGE, root, growth))
})

t.test('hashes are asked for once, and what comes back is counted', async t => {
  let calls = 0
  const counting = async (subtrees: Subtree[]) => {
    calls++
    return tree.read(subtrees)
  }
  await proveInclusion(77, 300, counting)
  t.equal(calls, 1)
  await proveConsistency(300, 300, counting)
  await proveInclusion(0, 1, counting)
  t.equal(calls, 1, 'an empty proof needs nothing read')

  const damaged = { code: 'tile-damaged' }
  const short = async (subtrees: Subtree[]) => (await tree.read(subtrees)).slice(1)
  await t.rejects(rootAt(300, short), damaged)
  await t.rejects(proveInclusion(77, 300, short), damaged)
  const cut = async (subtrees: Subtree[]) =>
    (await tree.read(subtrees)).map(hash => hash.subarray(1))
  await t.rejects(proveConsistency(77, 300, cut), damaged)
})

t.test('a complete subtree has 2^k hashes', async t => {
  for (const width of [1, 2, 4, 128, 256]) {
    t.same(completeRoot(Buffer.concat(leaves.slice(0, width))), tree.root(width))
  }
  for (const bytes of [0, 31, 33, 96, 160]) {
    t.throws(() => completeRoot(Buffer.alloc(bytes)), RangeError)
  }
})

t.test('the longest entry is hashed whole, a longer one not at all', async t => {
  const longest = Buffer.alloc(ENTRY_BYTES_MAX, 1)
  t.same(leafHash(longest), naiveLeaf(longest))
  t.same(leafHash(Buffer.of(2)), naiveLeaf(Buffer.of(2)), 'and leaves nothing behind')
  t.equal(
    codeOf(() => leafHash(Buffer.alloc(ENTRY_BYTES_MAX + 1))),
    'entry-too-long'
  )
})
