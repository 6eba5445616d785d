import { and, asc, eq, gte, lt, max, sql } from '../../../schemas/drizzle.ts'
import { prepared, type Queries } from '../../database/database.ts'
import { LogFault } from './log-fault.ts'

const p = sql.placeholder

/** How many events are in the tree. Throws LogFault when nothing says so. */
export async function treeSize(queries: Queries): Promise<number> {
  const { auditHead } = queries.tables
  const [head] = await queries.select({ size: auditHead.size }).from(auditHead)
  if (head === undefined) throw new LogFault('The head of the access log is missing.')
  return head.size
}

/** How many events there are, in the tree or about to be. */
export async function eventCount(queries: Queries): Promise<number> {
  const { auditEvents } = queries.tables
  const [row] = await queries.select({ last: max(auditEvents.idx) }).from(auditEvents)
  return (row?.last ?? -1) + 1
}

/** Leaves from index `from` on, in order. */
export const leavesFrom = prepared<
  { from: number; limit: number },
  { idx: number; leaf: Buffer }[]
>(q => {
  const { auditEvents } = q.tables
  return q
    .select({ idx: auditEvents.idx, leaf: auditEvents.leaf })
    .from(auditEvents)
    .where(gte(auditEvents.idx, p('from')))
    .orderBy(asc(auditEvents.idx))
    .limit(p('limit'))
    .prepare('leaves_from')
})

/** Leaves from index `from` up to and without `to`, in order. */
export function leavesBetween(queries: Queries, from: number, to: number) {
  const { auditEvents } = queries.tables
  return queries
    .select({ idx: auditEvents.idx, leaf: auditEvents.leaf })
    .from(auditEvents)
    .where(and(gte(auditEvents.idx, from), lt(auditEvents.idx, to)))
    .orderBy(asc(auditEvents.idx))
}

/** Where an event is in the log. */
export async function findEntry(
  queries: Queries,
  id: string
): Promise<{ idx: number; leaf: Buffer } | undefined> {
  const { auditEvents } = queries.tables
  const [row] = await queries
    .select({ idx: auditEvents.idx, leaf: auditEvents.leaf })
    .from(auditEvents)
    .where(eq(auditEvents.id, id))
  return row
}

/** The hashes of one tile as wide as it is now, or none. */
export async function findTile(queries: Queries, level: number, idx: number) {
  const { auditTiles } = queries.tables
  const [tile] = await queries
    .select({ hashes: auditTiles.hashes })
    .from(auditTiles)
    .where(and(eq(auditTiles.level, level), eq(auditTiles.idx, idx)))
  return tile?.hashes
}

export const putTile = prepared<{ level: number; idx: number; hashes: Buffer }, unknown>(q => {
  const { auditTiles } = q.tables
  return q
    .insert(auditTiles)
    .values({ level: p('level'), idx: p('idx'), hashes: p('hashes') })
    .onConflictDoUpdate({
      target: [auditTiles.level, auditTiles.idx],
      set: { hashes: sql`excluded.hashes` }
    })
    .prepare('put_tile')
})

/** Moves the head from one size to another. False when it was not where the caller thought. */
export async function moveHead(tx: Queries, from: number, to: number): Promise<boolean> {
  const { auditHead } = tx.tables
  const moved = await tx
    .update(auditHead)
    .set({ size: to })
    .where(eq(auditHead.size, from))
    .returning({ size: auditHead.size })
  return moved.length === 1
}

/** A small durable write, to see that the log can be written. */
export async function touchHead(tx: Queries, at: number): Promise<void> {
  await tx.update(tx.tables.auditHead).set({ checkedAt: at })
}

export interface StoredCheckpoint {
  size: number
  note: string
  signedAt: number
}

export async function lastCheckpoint(queries: Queries): Promise<StoredCheckpoint | undefined> {
  const { auditCheckpoint } = queries.tables
  const { size, note, signedAt } = auditCheckpoint
  const [row] = await queries.select({ size, note, signedAt }).from(auditCheckpoint)
  return row
}

/** Puts `next` in the place of `last`. False when another process has signed meanwhile. */
export async function replaceCheckpoint(
  tx: Queries,
  last: StoredCheckpoint | undefined,
  next: StoredCheckpoint
): Promise<boolean> {
  const { auditCheckpoint } = tx.tables
  if (last === undefined) {
    const put = await tx
      .insert(auditCheckpoint)
      .values({ id: 1, ...next })
      .onConflictDoNothing()
      .returning({ id: auditCheckpoint.id })
    return put.length === 1
  }
  const replaced = await tx
    .update(auditCheckpoint)
    .set(next)
    .where(and(eq(auditCheckpoint.size, last.size), eq(auditCheckpoint.note, last.note)))
    .returning({ id: auditCheckpoint.id })
  return replaced.length === 1
}
