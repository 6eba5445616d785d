import type { Database } from '../../database/database.ts'
import { removeUnfinished, replacePrivateFile } from '../../sealing/private-file.ts'
import type { AuditLog } from '../log.ts'
import { isDue, signTree } from './checkpoints.ts'
import { type Edge, GROW_EVENTS_MAX, growTree, LogFault } from './grow-tree.ts'
import { isAnyPending } from './pending.ts'
import { eventCount, lastCheckpoint, type StoredCheckpoint } from './queries.ts'
import type { LogKeys } from './signing-keys.ts'
import { checkLogAtStart } from './start-check.ts'

/** Under load the tree grows this often, many events at a time; after a pause at once. */
const GROW_MILLISECONDS = 200
/** How often events that other processes, such as the operator's scripts, wrote are looked for. */
const LOOK_MILLISECONDS = 1000

/** The Merkle tree over the access log, kept up to date while it is open. */
export interface LogTree {
  readonly keys: LogKeys
  /** The last signed checkpoint, which is on the disk. Undefined before the first. */
  checkpoint(): StoredCheckpoint | undefined
  /** Resolves once `checkpoint` is no older than what any other process has answered with. */
  catchUp(): Promise<void>
  /** Resolves once everything on the log so far is in the tree and signed. Rejects if it cannot be. */
  settle(): Promise<StoredCheckpoint>
  /** What is wrong with the log itself, in the operator's words; while there is, nothing grows. */
  fault(): string | undefined
  /**
   * Whether the last checkpoint could not be put beside the database, and so is not shown to anybody.
   * It is tried again each second; meanwhile events are written and signed.
   */
  isUnpublished(): boolean
  /** Has `listener` called with each new checkpoint, once it is on the disk. */
  onCheckpoint(listener: (checkpoint: StoredCheckpoint) => void): void
  close(): Promise<void>
}

interface Parts {
  database: Database
  audit: AuditLog
  keys: LogKeys
  /** Where the copy of the last checkpoint is kept, outside the database. */
  copyPath: string
  clock: () => number
  /** Told of a round that failed; the next one tries again. */
  onFailure(err: unknown): void
}

/**
 * Checks the log and then keeps its tree growing: one transaction takes what is new into the tree
 * and, when one is due, signs a checkpoint. If it stops at any point, the events are safe where
 * their own transactions put them, and the next start goes on from the head.
 * Throws LogFault when the log is not what was signed.
 */
export async function openLogTree(parts: Parts): Promise<LogTree> {
  const { database, audit, keys, copyPath, clock } = parts
  // What a crash left of writing the copy; the service alone writes it.
  await removeUnfinished(copyPath)
  await checkLogAtStart(database, keys, copyPath)
  const shown = showing(parts, await lastCheckpoint(database.read))
  await shown.noteBegun()
  let known: Edge | undefined
  let fault: LogFault | undefined

  async function advance(signNow: boolean): Promise<boolean> {
    const { tree, latest } = await database.write(async tx => {
      const tree = await growTree(tx, known)
      const now = clock()
      const last = await lastCheckpoint(tx)
      const due = signNow ? last?.size !== tree.size : isDue(last, tree.size, now)
      const fresh = due ? await signTree(tx, keys, tree, now) : undefined
      return { tree, latest: fresh ?? last }
    })
    known = tree
    // Signed by this process or another; or earlier, and then the copy could not be renewed.
    await shown.renew(latest)
    return tree.taken === GROW_EVENTS_MAX
  }

  async function round(signNow = false): Promise<void> {
    if (fault !== undefined) throw fault
    try {
      while (await advance(signNow)) await new Promise(setImmediate)
    } catch (err) {
      if (err instanceof LogFault) fault = err
      parts.onFailure(err)
      throw err
    }
  }

  const rounds = inTurn(round)
  // Before anything goes on by itself: a log that cannot be gone on with leaves nothing running.
  await rounds.now(false)
  audit.onAppend(rounds.soon)
  async function lookForMore(): Promise<void> {
    const { read } = database
    const isBehind = (await isAnyPending(read)) || (await eventCount(read)) > (known?.size ?? -1)
    if (isBehind || isDue(shown.checkpoint(), known?.size ?? 0, clock())) rounds.soon()
  }

  const look = setInterval(() => lookForMore().catch(parts.onFailure), LOOK_MILLISECONDS)
  look.unref()

  return {
    keys,
    checkpoint: shown.checkpoint,
    async catchUp() {
      if (database.read.kind === 'sqlite') return
      await shown.renew(await lastCheckpoint(database.read))
    },
    async settle() {
      await rounds.now(true)
      const signed = shown.checkpoint()
      if (signed === undefined) throw new LogFault('The access log could not be signed.')
      return signed
    },
    fault: () => fault?.message,
    isUnpublished: shown.isUnpublished,
    onCheckpoint: shown.onCheckpoint,
    async close() {
      clearInterval(look)
      rounds.stop()
      // What stays out of the tree is taken in at the next start.
      await rounds.now(true).catch(() => {})
    }
  }
}

/**
 * The checkpoint that is shown to everybody: the last whose copy lies beside the database. The copy
 * is renewed after the row: an older copy agrees with a newer row, never the reverse. The key file
 * knows that the log has begun before anybody is shown a checkpoint.
 */
function showing({ keys, copyPath }: Parts, first: StoredCheckpoint | undefined) {
  const listeners: ((checkpoint: StoredCheckpoint) => void)[] = []
  let signed = first
  let isUnpublished = false
  let renewing = Promise.resolve()

  const noteBegun = async ({ signedAt }: StoredCheckpoint) =>
    await keys.noteBegun(new Date(signedAt).toISOString())

  async function show(latest: StoredCheckpoint | undefined): Promise<void> {
    if (latest === undefined || !isNewer(latest, signed)) return
    try {
      await replacePrivateFile(copyPath, latest.note)
      await noteBegun(latest)
    } catch (err) {
      isUnpublished = true
      throw err
    }
    isUnpublished = false
    signed = latest
    for (const listener of listeners) listener(latest)
  }

  return {
    checkpoint: () => signed,
    isUnpublished: () => isUnpublished,
    onCheckpoint: (listener: (checkpoint: StoredCheckpoint) => void) =>
      void listeners.push(listener),
    /** The first start may have been killed between signing and this. */
    async noteBegun() {
      if (signed !== undefined) await noteBegun(signed)
    },
    /** Shows `latest` if it is newer. Rejects when its copy cannot be written. */
    renew(latest: StoredCheckpoint | undefined): Promise<void> {
      // One after the other: requests catch up while rounds sign, and of two whose copies are written
      // at once the older may be the later one.
      const next = renewing.then(() => show(latest))
      renewing = next.catch(() => {})
      return next
    }
  }
}

function isNewer(found: StoredCheckpoint, known: StoredCheckpoint | undefined): boolean {
  if (known === undefined || found.size !== known.size) return found.size > (known?.size ?? -1)
  return found.note !== known.note || found.signedAt !== known.signedAt
}

/** Lets one round run at a time: soon after a request, though not more often than is worth it. */
function inTurn(round: (signNow?: boolean) => Promise<void>) {
  let running = Promise.resolve()
  let timer: NodeJS.Timeout | undefined
  let lastAt = Number.NEGATIVE_INFINITY
  let stopped = false

  function now(signNow: boolean): Promise<void> {
    const next = running.then(() => round(signNow))
    running = next
      .catch(() => {})
      .finally(() => {
        lastAt = performance.now()
      })
    return next
  }

  return {
    now,
    soon() {
      if (timer !== undefined || stopped) return
      const wait = Math.max(0, lastAt + GROW_MILLISECONDS - performance.now())
      timer = setTimeout(() => {
        timer = undefined
        now(false).catch(() => {})
      }, wait)
      timer.unref()
    },
    stop() {
      stopped = true
      clearTimeout(timer)
    }
  }
}
