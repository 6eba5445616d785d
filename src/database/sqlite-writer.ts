import Sqlite from 'better-sqlite3'
import { Refusal } from '../errors.ts'
import type { Database, Queries } from './database.ts'
import { queriesOn } from './sqlite-queries.ts'
import type { WalCheckpoints } from './wal-checkpoints.ts'

interface Waiting {
  run(): Promise<void>
  settle(): void
  fail(err: unknown): void
}

/**
 * One writer. Works that wait while a commit is under way share the next one: each runs in its own
 * savepoint, so one that throws undoes only itself, and none is acknowledged before the shared
 * commit has reached the disk. If the process stops before that, none of the group is stored and
 * none was acknowledged.
 */
export function groupedWriter(
  connection: Sqlite.Database,
  groupMax: number,
  snapshot: { end(): void; endSoon(): void },
  wal: WalCheckpoints
): Database['write'] {
  const tx = queriesOn(connection)
  const begin = connection.prepare('BEGIN IMMEDIATE')
  const commit = connection.prepare('COMMIT')
  const rollback = connection.prepare('ROLLBACK')
  const savepoint = connection.prepare('SAVEPOINT work')
  const release = connection.prepare('RELEASE work')
  const undo = connection.prepare('ROLLBACK TO work')
  const queue: Waiting[] = []
  let running = false
  let broken: unknown

  async function commitGroup(group: Waiting[]): Promise<void> {
    try {
      if (broken !== undefined) throw broken // These had been waiting when it broke.
      begin.run()
      for (const work of group) await work.run()
      commit.run()
      snapshot.end()
      wal.afterCommit()
    } catch (err) {
      // The system may have dropped the pages that it could not write, so nobody knows what is on
      // the disk. The next start reads it; until then nothing more is written on top.
      if (isDiskFailure(err)) broken = storageRefusal(err)
      if (connection.inTransaction) rollback.run()
      for (const work of group) work.fail(storageRefusal(err))
      return
    }
    for (const work of group) work.settle()
    snapshot.endSoon()
  }

  async function drain(): Promise<void> {
    running = true
    while (queue.length > 0) {
      await joined(queue, groupMax)
      wal.betweenCommits()
      await commitGroup(queue.splice(0, groupMax))
    }
    running = false
  }

  return function write<T>(work: (tx: Queries) => Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      if (broken !== undefined) return reject(broken)
      let outcome: { value: T } | { error: unknown }
      queue.push({
        async run() {
          savepoint.run()
          try {
            outcome = { value: await work(tx) }
          } catch (error) {
            // A full or failing disk has undone the whole group already, which is told so.
            if (!connection.inTransaction) throw undoing(error)
            undo.run()
            outcome = { error: storageRefusal(error) }
          }
          release.run()
        },
        settle: () => ('value' in outcome ? resolve(outcome.value) : reject(outcome.error)),
        fail: reject
      })
      if (!running) void drain()
    })
  }
}

/**
 * Lets every request of this turn of the loop join, and those of the next while each turn brings more:
 * those that were answered together ask again over a few turns, and one commit does for all.
 */
async function joined(queue: Waiting[], groupMax: number): Promise<void> {
  let before: number
  do {
    before = queue.length
    await new Promise(setImmediate)
  } while (queue.length > before && queue.length < groupMax)
}

/** What the driver threw, which the query builder may have wrapped. */
const causeOf = (err: unknown): unknown =>
  err instanceof Error && err.cause instanceof Sqlite.SqliteError ? err.cause : err

function isDiskFailure(err: unknown): boolean {
  const cause = causeOf(err)
  return cause instanceof Sqlite.SqliteError && cause.code.startsWith('SQLITE_IOERR')
}

/** Why a whole group was undone, by what a work of it threw then: that may be its own word for it. */
function undoing(err: unknown): unknown {
  if (causeOf(err) instanceof Sqlite.SqliteError) return err
  return new Refusal('storage-unavailable', 'undone', {}, err)
}

/** What the driver says of the disk, as the caller may know it; anything else unchanged. */
function storageRefusal(err: unknown): unknown {
  const cause = causeOf(err)
  if (!(cause instanceof Sqlite.SqliteError)) return err
  if (cause.code === 'SQLITE_FULL') return new Refusal('storage-full', cause.code)
  if (cause.code.startsWith('SQLITE_CONSTRAINT') || cause.code === 'SQLITE_ERROR') return cause
  return new Refusal('storage-unavailable', cause.code)
}
