import { readFile } from 'node:fs/promises'
import type { Database, Queries } from '../../database/database.ts'
import { TILE_WIDTH } from '../tlog/tiles.ts'
import { leafHash } from '../tlog/tree.ts'
import { requireConsistent } from './checkpoints.ts'
import { LogFault, readTile } from './grow-tree.ts'
import { eventCount, lastCheckpoint, leavesBetween, treeSize } from './queries.ts'
import type { LogKeys } from './signing-keys.ts'

/**
 * Refuses to go on with a log that is smaller than, or different from, what was signed: the usual
 * ways there are an older backup put back and a hand in the database. `copyPath` names the copy of
 * the last checkpoint outside the database, which an older database cannot have taken back with it.
 * Looks at the head, both checkpoints and the last tile; the verifier looks at everything.
 * Throws LogFault.
 */
export async function checkLogAtStart(
  database: Database,
  keys: LogKeys,
  copyPath: string
): Promise<void> {
  // Before the database: another process that signs meanwhile renews the copy after the row.
  const copy = await readCopy(copyPath)
  const { read, close } = await database.openSnapshot()
  try {
    await checkStored(read, keys, copy)
  } finally {
    await close()
  }
}

async function checkStored(read: Queries, keys: LogKeys, copy: string | undefined): Promise<void> {
  const size = await treeSize(read)
  const events = await eventCount(read)
  if (events < size) {
    throw new LogFault(`The access log has ${events} events, and its tree has ${size}.`)
  }
  const signed = await lastCheckpoint(read)
  // The first events come into the tree in the transaction that signs them.
  const hasBegun = copy !== undefined || size > 0 || keys.begun !== undefined
  if (signed === undefined && hasBegun) {
    throw new LogFault('A checkpoint was signed, and the database knows of none.')
  }
  for (const note of [signed?.note, copy]) {
    if (note !== undefined) await requireConsistent(() => read, keys, note, size)
  }
  await requireLastTile(read, size)
}

async function readCopy(path: string): Promise<string | undefined> {
  return readFile(path, 'utf8').catch((err: NodeJS.ErrnoException) => {
    if (err.code === 'ENOENT') return undefined
    throw err
  })
}

/** The newest events are those an intruder would touch first. */
async function requireLastTile(read: Queries, size: number): Promise<void> {
  if (size === 0) return
  const index = Math.floor((size - 1) / TILE_WIDTH)
  const from = index * TILE_WIDTH
  const hashes = await readTile(read, 0, index, size - from)
  const leaves = await leavesBetween(read, from, size)
  const found = Buffer.concat(leaves.map(({ leaf }) => leafHash(leaf)))
  if (found.equals(hashes)) return
  throw new LogFault(`Events from ${from} to ${size - 1} of the access log are not those signed.`)
}
