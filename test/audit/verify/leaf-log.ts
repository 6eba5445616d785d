import { generateKeyPairSync, hash } from 'node:crypto'
import { v7 as uuidv7 } from 'uuid'
import { type Leaf, leafBytes } from '../../../src/audit/entry.ts'
import { type Checkpoint, signCheckpoint } from '../../../src/audit/tlog/checkpoint.ts'
import { formatVerifierKey, noteSigner, verifierKeyOf } from '../../../src/audit/tlog/note.ts'
import {
  edgeRoot,
  encodeEntries,
  grow,
  TILE_WIDTH,
  tilePath
} from '../../../src/audit/tlog/tiles.ts'
import { HASH_BYTES, leafHash } from '../../../src/audit/tlog/tree.ts'

const ORIGIN = 'exchange.example/audit/0123456789ab'

/** A leaf like ours. */
export function makeLeaf(at: number, change: Partial<Leaf> = {}): Leaf {
  const d = hash('sha256', `details of ${at}`, 'base64url')
  const time = new Date(at).toISOString()
  const id = uuidv7({ msecs: at })
  return { action: 'case.list', at: time, d, id, outcome: 'success', v: 1, ...change }
}

/** A log of these leaves as a service publishes it, by the path below its prefix. */
export function publishedLog(leaves: (Leaf | Buffer)[]) {
  const { privateKey } = generateKeyPairSync('ed25519')
  const entries = leaves.map(leaf => (Buffer.isBuffer(leaf) ? leaf : leafBytes(leaf)))
  const { size, edge, changed } = grow(0, [], entries.map(leafHash))
  const sign = (head: Partial<Checkpoint> & Pick<Checkpoint, 'size' | 'root'>) =>
    Buffer.from(signCheckpoint({ origin: ORIGIN, ...head }, [noteSigner(ORIGIN, privateKey)]))
  const files = new Map<string, Buffer>([
    ['checkpoint', sign({ size, root: edgeRoot(size, edge) })]
  ])
  for (const { level, index, hashes } of changed) {
    const width = hashes.byteLength / HASH_BYTES
    files.set(tilePath({ level, index, width }), hashes)
    if (level > 0) continue
    const bundle = entries.slice(index * TILE_WIDTH, index * TILE_WIDTH + width)
    files.set(tilePath({ level: 'entries', index, width }), encodeEntries(bundle))
  }
  return { files, sign, vkey: formatVerifierKey(verifierKeyOf(ORIGIN, privateKey)) }
}
