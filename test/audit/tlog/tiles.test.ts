import fc from 'fast-check'
import t from 'tap'
import {
  type ChangedTile,
  decodeEntries,
  edgeRoot,
  encodeEntries,
  grow,
  parseTilePath,
  readThroughTiles,
  type Tile,
  tileExists,
  tilePath,
  tilesOf
} from '../../../src/audit/tlog/tiles.ts'
import {
  HASH_BYTES,
  proveConsistency,
  proveInclusion,
  rootAt
} from '../../../src/audit/tlog/tree.ts'
import { codeOf, leavesOf, naiveTree } from './naive.ts'

const RUNS = process.env.SLOW === '1' ? 1000 : 40
const LEAVES_MAX = 70_000
const leaves = leavesOf(LEAVES_MAX)
const tree = naiveTree(leaves)

/** Tiles by their path without the width, as a database that overwrites partial ones has them. */
type Stored = Map<string, Buffer>

const placeOf = ({ level, index }: { level: number; index: number }) =>
  tilePath({ level, index, width: 256 })

function store(stored: Stored, changed: ChangedTile[]): void {
  for (const tile of changed) stored.set(placeOf(tile), Buffer.from(tile.hashes))
}

/** The tree after these leaves were added in batches of these sizes, over and over. */
function grownBy(size: number, batches: number[]) {
  const stored: Stored = new Map()
  let grown = grow(0, [], [])
  for (let at = 0; grown.size < size; at++) {
    const end = Math.min(size, grown.size + batches[at % batches.length]!)
    grown = grow(grown.size, grown.edge, leaves.slice(grown.size, end))
    store(stored, grown.changed)
  }
  return { stored, edge: grown.edge }
}

const reader = (stored: Stored) => async (tile: Tile) => {
  const hashes = stored.get(placeOf(tile))
  if (hashes === undefined) throw new Error(`no tile ${tilePath(tile)}`)
  return hashes.subarray(0, tile.width * HASH_BYTES)
}

const whole = grownBy(LEAVES_MAX, [LEAVES_MAX])
const decoding = (bundle: Uint8Array) => codeOf(() => decodeEntries(bundle))

t.test('the worked example of tlog-tiles: a tree of 70,000 leaves', async t => {
  const widths = [...tilesOf(70_000)].map(({ level, index, width }) => [level, index, width])
  t.same(widths, [
    ...Array.from({ length: 273 }, (_, index) => [0, index, 256]),
    [0, 273, 112],
    [1, 0, 256],
    [1, 1, 17],
    [2, 0, 1]
  ])
  t.same(
    [...tilesOf(256)],
    [
      { level: 0, index: 0, width: 256 },
      { level: 1, index: 0, width: 1 }
    ]
  )
  t.same([...tilesOf(0)], [])

  const { changed, edge, size } = grow(0, [], leaves)
  t.equal(size, 70_000)
  t.same(
    changed.map(tile => [tile.level, tile.index, tile.hashes.byteLength / 32]),
    widths
  )
  t.same(
    edge.map(hashes => hashes.byteLength / 32),
    [112, 17, 1]
  )
  for (const tile of tilesOf(70_000)) {
    const hashes = whole.stored.get(placeOf(tile))
    if (!hashes?.equals(tree.tile(tile))) t.fail(`${tilePath(tile)} holds other hashes`)
  }
  t.same(edgeRoot(70_000, edge), tree.root(70_000))
  t.same(await rootAt(70_000, readThroughTiles(70_000, reader(whole.stored))), tree.root(70_000))
})

const anySize = fc.oneof(
  fc.integer({ min: 1, max: LEAVES_MAX }),
  fc.integer({ min: 1, max: 3000 }),
  fc.constantFrom(255, 256, 257, 511, 512, 513, 65_535, 65_536, 65_537, 65_791, 65_792)
)

t.test('growing in any batches gives the same tiles, edge and root', async t => {
  const batch = fc.oneof(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 3000 }))
  const batches = fc.array(batch, { minLength: 1, maxLength: 5 })
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 3000 }), batches, (size, split) => {
      const inOneGo = grownBy(size, [size])
      const byBatches = grownBy(size, split)
      t.same(byBatches.edge, inOneGo.edge)
      t.same([...byBatches.stored.keys()].sort(), [...inOneGo.stored.keys()].sort())
      const tiles = [...tilesOf(size)]
      t.equal(tiles.length, inOneGo.stored.size)
      for (const tile of tiles) {
        const hashes = byBatches.stored.get(placeOf(tile))
        t.ok(hashes?.equals(tree.tile(tile)), tilePath(tile))
      }
      t.ok(edgeRoot(size, byBatches.edge).equals(tree.root(size)))
    }),
    { numRuns: RUNS }
  )
})

t.test('growing past a level boundary, leaf by leaf', async t => {
  for (const start of [65_534, 65_790]) {
    let grown = { ...grow(0, [], leaves.slice(0, start)) }
    const stored: Stored = new Map()
    store(stored, grown.changed)
    for (let size = start + 1; size <= start + 4; size++) {
      grown = grow(grown.size, grown.edge, [leaves[size - 1]!])
      store(stored, grown.changed)
      t.same(edgeRoot(size, grown.edge), tree.root(size), `root of ${size}`)
      for (const { level, index, hashes } of grown.changed) {
        t.same(hashes, tree.tile({ level, index, width: hashes.byteLength / HASH_BYTES }))
      }
      const last = [...tilesOf(size)].filter(tile => tile.width < 256 || size % 256 === 0)
      for (const tile of last) t.ok(stored.get(placeOf(tile))?.equals(tree.tile(tile)))
    }
  }
})

t.test('a tile that has just become full is followed by none that is empty', async t => {
  const widths = ({ changed }: ReturnType<typeof grow>) =>
    changed.map(({ level, index, hashes }) => [level, index, hashes.byteLength / HASH_BYTES])
  t.same(widths(grow(0, [], leaves.slice(0, 256))), [
    [0, 0, 256],
    [1, 0, 1]
  ])
  const { edge } = grow(0, [], leaves.slice(0, 65_535))
  t.same(widths(grow(65_535, edge, [leaves[65_535]!])), [
    [0, 255, 256],
    [1, 0, 256],
    [2, 0, 1]
  ])
})

t.test('adding nothing changes nothing; what did not change is not given', async t => {
  const { edge } = grow(0, [], leaves.slice(0, 300))
  t.same(grow(300, edge, []), { size: 300, edge, changed: [] })
  const { changed } = grow(300, edge, leaves.slice(300, 302))
  t.same(
    changed.map(({ level, index }) => [level, index]),
    [[0, 1]]
  )
})

t.test('proofs from tiles are proofs from leaves', async t => {
  const at = fc.tuple(anySize, fc.nat(), fc.nat())
  await fc.assert(
    fc.asyncProperty(at, async ([size, i, f]) => {
      const read = readThroughTiles(size, reader(whole.stored))
      const [index, from] = [i % size, 1 + (f % size)]
      t.same(await rootAt(size, read), tree.root(size))
      t.same(await proveInclusion(index, size, read), tree.inclusion(index, size))
      t.same(await proveConsistency(from, size, read), tree.consistency(from, size))
    }),
    { numRuns: RUNS }
  )
})

t.test('a reader asks for tiles as they are at its size, each once', async t => {
  const asked: string[] = []
  const read = readThroughTiles(70_000, async tile => {
    asked.push(tilePath(tile))
    return tree.tile(tile)
  })
  await proveInclusion(69_999, 70_000, read)
  t.same(asked.sort(), ['tile/0/273.p/112', 'tile/1/001.p/17', 'tile/2/000.p/1'])
  asked.length = 0
  await proveInclusion(0, 70_000, read)
  t.same(asked.sort(), ['tile/0/000', 'tile/0/273.p/112', 'tile/1/000', 'tile/1/001.p/17'])
})

t.test('tiles of a wrong length and subtrees that are not complete are refused', async t => {
  for (const bytes of [0, 31, 32 * 111, 32 * 113, 8192]) {
    const read = readThroughTiles(112, async () => Buffer.alloc(bytes))
    await t.rejects(rootAt(112, read), { code: 'tile-damaged' }, `${bytes} bytes`)
  }
  const failing = readThroughTiles(112, async () => {
    throw new Error('disk')
  })
  await t.rejects(rootAt(112, failing), { message: 'disk' })
  const read = readThroughTiles(96, async tile => tree.tile(tile))
  for (const [level, index] of [
    [7, 0],
    [6, 1],
    [5, 3],
    [0, 96],
    [8, 0]
  ] as const) {
    await t.rejects(read([{ level, index }]), /not complete/, `${level} ${index}`)
  }
  t.same(await read([{ level: 5, index: 2 }]), await tree.read([{ level: 5, index: 2 }]))
})

t.test('an edge that is not that of the size is refused', async t => {
  const { edge } = grow(0, [], leaves.slice(0, 300))
  const more = [leaves[300]!]
  const wrong: [number, Buffer[]][] = [
    [299, edge],
    [301, edge],
    [300 + 65_536, edge],
    [300, []],
    [300, [edge[0]!]],
    [300, [...edge, Buffer.alloc(32)]],
    [300, [edge[0]!.subarray(1), edge[1]!]],
    [0, edge]
  ]
  for (const [size, broken] of wrong) {
    t.equal(
      codeOf(() => grow(size, broken, more)),
      'tile-damaged'
    )
    t.equal(
      codeOf(() => edgeRoot(size, broken)),
      'tile-damaged'
    )
  }
  t.throws(() => grow(-1, [], more), RangeError)
  t.throws(() => grow(0, [], [Buffer.alloc(31)]), RangeError)
  t.equal(
    codeOf(() => grow(300, [...edge, Buffer.alloc(0)], more)),
    'none',
    'empty levels may stay'
  )
})

t.test('paths are spelt in one way', async t => {
  const spelt: [string, Tile['level'] | 'entries', number, number][] = [
    ['tile/0/x001/x234/067', 0, 1_234_067, 256],
    ['tile/0/000', 0, 0, 256],
    ['tile/1/001.p/17', 1, 1, 17],
    ['tile/63/999.p/255', 63, 999, 255],
    ['tile/10/x001/000.p/1', 10, 1000, 1],
    ['tile/entries/x273/273', 'entries', 273_273, 256],
    ['tile/entries/000.p/9', 'entries', 0, 9],
    ['tile/0/x009/x007/x199/x254/x740/991', 0, Number.MAX_SAFE_INTEGER, 256]
  ]
  for (const [path, level, index, width] of spelt) {
    t.equal(tilePath({ level, index, width }), path)
    t.same(parseTilePath(path), { level, index, width }, path)
  }
  const anyTile = fc.record({
    level: fc.oneof(fc.integer({ min: 0, max: 63 }), fc.constant('entries' as const)),
    index: fc.maxSafeNat(),
    width: fc.integer({ min: 1, max: 256 })
  })
  fc.assert(
    fc.property(anyTile, tile => t.same(parseTilePath(tilePath(tile)), tile)),
    { numRuns: RUNS * 5 }
  )
})

t.test('any other spelling is no path', async t => {
  const others = [
    ...['', 'tile', 'tile/0', 'tile/0/', '/tile/0/000', 'tile/0/000/', ' tile/0/000'],
    ...['tile/0/000\n', 'tile/0/00', 'tile/0/0', 'tile/0/0000', 'tile/00/000', 'tile/01/000'],
    ...['tile/64/000', 'tile/100/000', 'tile/-1/000', 'tile/+1/000', 'tile/x/000', 'tile/data/000'],
    ...['tile/0/x000/067', 'tile/0/001/067', 'tile/0/x001/x067', 'tile/0/x01/067'],
    ...['tile/0/X001/067', 'tile/0/x001//067', 'tile/0/x001/../067', 'tile/0/٠٠٠'],
    ...['tile/0/000.p', 'tile/0/000.p/', 'tile/0/000.p/0', 'tile/0/000.p/01', 'tile/0/000.p/256'],
    ...['tile/0/000.p/257', 'tile/0/000.p/-1', 'tile/0/000.p/1.p/1', 'tile/0/000.p/1/'],
    ...['tile/0/x009/x007/x199/x254/x740/992', 'tile/0/x999/x999/x999/x999/x999/999'],
    ...['tile/0/x001/x000/x000/x000/x000/x000/000', 'tile/ENTRIES/000', 'tile/entries']
  ]
  for (const path of others) t.equal(parseTilePath(path), undefined, JSON.stringify(path))
})

t.test('which tiles a tree has', async t => {
  for (const tile of tilesOf(70_000)) {
    const { level, index, width } = tile
    if (!tileExists(tile, 70_000)) t.fail(`${tilePath(tile)} exists`)
    if (width < 256) t.notOk(tileExists({ level, index, width: width + 1 }, 70_000))
  }
  t.ok(tileExists({ level: 0, index: 273, width: 1 }, 70_000), 'as it was before')
  t.notOk(tileExists({ level: 0, index: 274, width: 1 }, 70_000))
  t.ok(tileExists({ level: 'entries', index: 273, width: 112 }, 70_000))
  t.notOk(tileExists({ level: 'entries', index: 273, width: 113 }, 70_000))
  t.notOk(tileExists({ level: 3, index: 0, width: 1 }, 70_000))
  t.notOk(tileExists({ level: 63, index: 0, width: 1 }, Number.MAX_SAFE_INTEGER))
})

t.test('bundles of entries', async t => {
  const entry = fc.uint8Array({ maxLength: 300 })
  fc.assert(
    fc.property(fc.array(entry, { minLength: 1, maxLength: 256 }), entries => {
      const bundle = encodeEntries(entries)
      const decoded = decodeEntries(bundle)
      t.equal(decoded.length, entries.length)
      t.ok(decoded.every((bytes, at) => bytes.equals(entries[at]!)))
    }),
    { numRuns: RUNS }
  )
  t.same(
    encodeEntries([Buffer.from('ab'), Buffer.alloc(0)]),
    Buffer.from('00026162' + '0000', 'hex')
  )
  const longest = Buffer.alloc(65_535, 1)
  t.same(decodeEntries(encodeEntries([longest])), [longest])
  const inPlace = Uint8Array.from([9, 0, 1, 65, 9]).subarray(1, 4)
  t.same(decodeEntries(inPlace), [Buffer.from('A')], 'a view is read as a view')

  t.equal(
    codeOf(() => encodeEntries([Buffer.alloc(65_536)])),
    'entry-too-long'
  )
  t.throws(() => encodeEntries([]), RangeError)
  t.throws(() => encodeEntries(Array.from({ length: 257 }, () => longest)), RangeError)
})

t.test('damaged bundles are refused', async t => {
  const bundle = encodeEntries([Buffer.from('one'), Buffer.from('three')])
  for (let end = 0; end < bundle.byteLength; end++) {
    const whole = end === 5
    t.equal(decoding(bundle.subarray(0, end)), whole ? 'none' : 'bundle-damaged')
  }
  t.equal(decoding(Buffer.alloc(512)), 'none', '256 empty entries')
  t.equal(decoding(Buffer.alloc(514)), 'bundle-damaged', '257 entries')
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), bytes => {
      const code = decoding(bytes)
      if (code === 'none') t.same(encodeEntries(decodeEntries(bytes)), Buffer.from(bytes))
      else t.equal(code, 'bundle-damaged')
    }),
    { numRuns: RUNS * 10 }
  )
})
