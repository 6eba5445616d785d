import type { Worker } from 'node:worker_threads'
import Sqlite from 'better-sqlite3'
import { startThread } from '../thread.ts'

// The write-ahead log is copied into the database file from time to time (SQLite's checkpoint, which
// has nothing to do with those of the access log). That takes as long as all the commits before it,
// so a thread with a connection of its own does it while this one goes on.

/** Commits after which the thread is asked to copy. */
const COMMITS_PER_CHECKPOINT = 64
/** Pages of the write-ahead log after which it is begun again from its start. 16 MiB. */
const PAGES_TO_RESTART = 4096
/** What was written while the thread copied is left to this one when it is no more than this. */
const COMMITS_LEFT_MAX = 8
/** How often the thread is sent after what is written meanwhile, under a load as fast as it is. */
const ROUNDS_MAX = 6
/** Pages after which SQLite copies in a commit, should the thread not keep up. 128 MiB. */
const PAGES_MAX = 32_768
/** Pages after which SQLite copies by default; when there is no thread. 4 MiB. */
const PAGES_WITHOUT_THREAD = 1000

/** What SQLite says after a checkpoint: pages in the write-ahead log, and those of them copied. */
export interface WalState {
  log: number
  checkpointed: number
}

export interface WalCheckpoints {
  /** To be called after each commit. */
  afterCommit(): void
  /** To be called while no transaction is open. Brief: copies what was written since the thread did. */
  betweenCommits(): void
  /** Ends the thread. Only then may the connection be closed, so that it is the last one. */
  close(): Promise<void>
}

/**
 * Keeps the write-ahead log of `writer` short. A crash at any point leaves the log or the file it
 * was copied to whole, and a thread that fails leaves the copying to SQLite's commits, as before.
 */
export function checkpointsOf(writer: Sqlite.Database): WalCheckpoints {
  let thread: Worker | undefined
  let commits = 0
  let rounds = 0
  let isCopying = false
  let mayRestart = false

  writer.pragma(`wal_autocheckpoint = ${PAGES_MAX}`)

  /** Only once there is something to copy: a script that writes a row needs no thread. */
  function startCopier(): Worker {
    const started = startThread(new URL('./wal-checkpoint-worker.ts', import.meta.url), {
      name: 'wal-checkpoints',
      workerData: writer.name
    })
    started.unref()
    started.on('message', ({ log }: WalState) => {
      isCopying = false
      if (log < PAGES_TO_RESTART) return
      if (commits > COMMITS_LEFT_MAX && rounds < ROUNDS_MAX) copy()
      else mayRestart = true
    })
    started.once('error', () => {
      // It has ended, and as `isCopying` stays true nobody asks for another.
      thread = undefined
      if (writer.open) writer.pragma(`wal_autocheckpoint = ${PAGES_WITHOUT_THREAD}`)
    })
    return started
  }

  function copy(): void {
    commits = 0
    rounds += 1
    isCopying = true
    thread ??= startCopier()
    thread.postMessage('copy')
  }

  return {
    afterCommit() {
      commits += 1
      if (commits >= COMMITS_PER_CHECKPOINT && !isCopying && !mayRestart) copy()
    },
    betweenCommits() {
      if (!mayRestart) return
      mayRestart = false
      rounds = 0
      try {
        // SQLite begins the log again with the next write after all of it was copied.
        writer.pragma('wal_checkpoint(PASSIVE)')
      } catch (err) {
        // No room in the file, for instance. The pages are still in the log, where commits go on as
        // long as there is room for them, and the thread is asked again.
        if (!(err instanceof Sqlite.SqliteError)) throw err
      }
    },
    async close() {
      isCopying = true
      const last = thread
      if (last === undefined) return
      last.ref()
      last.postMessage('end')
      await new Promise(resolve => last.once('exit', resolve))
    }
  }
}
