import { parentPort, workerData } from 'node:worker_threads'
import Sqlite from 'better-sqlite3'
import type { WalState } from './wal-checkpoints.ts'

// The thread of wal-checkpoints.ts. It copies what it may without waiting for anybody. What fails
// here is thrown, and ends the thread: the pages are still in the write-ahead log.

const connection = new Sqlite(workerData, { fileMustExist: true })
connection.pragma('synchronous = FULL')

parentPort?.on('message', (message: 'copy' | 'end') => {
  if (message === 'end') {
    connection.close()
    parentPort?.close()
    return
  }
  const [state] = connection.pragma('wal_checkpoint(PASSIVE)') as WalState[]
  parentPort?.postMessage(state)
})
