import { generateKeyPairSync } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { Test } from 'tap'
import { type Checkpoint, signCheckpoint } from '../../src/audit/tlog/checkpoint.ts'
import { formatVerifierKey, noteSigner, verifierKeyOf } from '../../src/audit/tlog/note.ts'
import { formatProofFile } from '../../src/audit/tlog/proof-file.ts'
import {
  edgeRoot,
  encodeEntries,
  grow,
  readThroughTiles,
  TILE_WIDTH,
  tilePath
} from '../../src/audit/tlog/tiles.ts'
import {
  HASH_BYTES,
  leafHash,
  proveConsistency,
  proveInclusion
} from '../../src/audit/tlog/tree.ts'

/** A log as files, made by the code of src/audit/tlog alone. */
export interface StaticLog {
  origin: string
  /** Its verifier key. */
  vkey: string
  /** What it publishes, by the path below its prefix. Tests change it as they like. */
  files: Map<string, Buffer>
  /** Adds entries up to this size and signs a checkpoint. */
  growTo: (size: number) => void
  /** The last checkpoint. */
  checkpoint: () => string
  /** Signs whatever checkpoint, as a log that lies would. */
  sign: (checkpoint: Checkpoint) => string
  /** A proof file for an entry under the last checkpoint. */
  prove: (index: number) => Promise<string>
  /** That the last checkpoint extends that of an earlier size; nothing from size 0. */
  proveSince: (from: number) => Promise<Buffer[]>
}

/** An empty log with a signed checkpoint. Its entry i says so; `variant` makes another history. */
export function staticLog(origin: string, variant = ''): StaticLog {
  const { privateKey } = generateKeyPairSync('ed25519')
  const signer = noteSigner(origin, privateKey)
  const files = new Map<string, Buffer>()
  const entries: Buffer[] = []
  let edge: Buffer[] = []
  let checkpoint = ''

  const sign = (checkpoint: Checkpoint) => signCheckpoint(checkpoint, [signer])
  const growTo = (size: number) => {
    const begin = entries.length
    for (let i = begin; i < size; i++) entries.push(Buffer.from(`{"entry":${i}${variant}}`))
    const grown = grow(begin, edge, entries.slice(begin).map(leafHash))
    edge = grown.edge
    for (const { level, index, hashes } of grown.changed) {
      const width = hashes.byteLength / HASH_BYTES
      files.set(tilePath({ level, index, width }), hashes)
      if (level > 0) continue
      const bundle = entries.slice(index * TILE_WIDTH, index * TILE_WIDTH + width)
      files.set(tilePath({ level: 'entries', index, width }), encodeEntries(bundle))
    }
    checkpoint = sign({ origin, size, root: edgeRoot(size, edge) })
    files.set('checkpoint', Buffer.from(checkpoint))
  }
  const read = () =>
    readThroughTiles(entries.length, async tile => files.get(tilePath(tile)) ?? Buffer.alloc(0))

  growTo(0)
  return {
    origin,
    vkey: formatVerifierKey(verifierKeyOf(origin, privateKey)),
    files,
    growTo,
    checkpoint: () => checkpoint,
    sign,
    async prove(index) {
      const proof = await proveInclusion(index, entries.length, read())
      return formatProofFile({ extra: entries[index] ?? Buffer.alloc(0), index, proof, checkpoint })
    },
    proveSince: async from => (from === 0 ? [] : proveConsistency(from, entries.length, read()))
  }
}

/** Serves the files of a log until the test ends; gives its prefix. */
export async function serveFiles(t: Test, files: Map<string, Buffer>): Promise<string> {
  const server = createServer((request, response) => {
    const file = files.get(request.url?.slice('/v1/audit/'.length) ?? '')
    response.writeHead(file === undefined ? 404 : 200).end(file)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return `http://127.0.0.1:${address.port}/v1/audit`
}
