import t from 'tap'
import { rememberedHashes } from '../../../src/audit/ask/export-proofs.ts'
import { grow, tilePath } from '../../../src/audit/tlog/tiles.ts'
import { leafHash, proveInclusion, rootAt, verifyInclusion } from '../../../src/audit/tlog/tree.ts'

t.test('proofs of events near one another read each tile about once', async t => {
  const size = 70_000
  const hashes = Array.from({ length: size }, (_, n) => leafHash(Buffer.from(`${n}`)))
  const { changed } = grow(0, [], hashes)
  const tiles = new Map(changed.map(tile => [`${tile.level}/${tile.index}`, tile.hashes]))
  const read: string[] = []
  const readHashes = rememberedHashes(size, async tile => {
    read.push(tilePath(tile))
    return tiles.get(`${tile.level}/${tile.index}`) ?? Buffer.alloc(0)
  })
  const root = await rootAt(size, readHashes)
  for (let index = 60_500; index > 60_000; index -= 1) {
    const proof = await proveInclusion(index, size, readHashes)
    const leaf = hashes[index] ?? Buffer.alloc(0)
    if (!verifyInclusion(leaf, index, size, proof, root)) t.fail(`event ${index}`)
  }
  t.ok(read.length < 12, `tiles read: ${read.length}`)
})
