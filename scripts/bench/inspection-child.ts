import { createInspectPool } from '../../src/records/inspect/inspect-pool.ts'
import { lookInside } from '../../src/records/inspect/look-inside.ts'
import { withHead } from '../../src/records/inspect/source.ts'
import { fileHead, MIB } from './bodies.ts'

// Looks into one small DICOM file again and again: by the pool, as the service does, or in this
// thread. A process of its own, so that its memory is that of the pool.

const FILES = 5000
const WARM_FILES = 500
const FILE_BYTES = 512 * 1024

/** What it sends when it is done. */
export interface Inspected {
  millisecondsEach: number
  /** What the process has taken since before the first file. */
  grownMib: number
}

const isPool = process.argv[2] === 'pool'
const head = fileHead(FILE_BYTES)
const source = withHead(head, {
  bytes: FILE_BYTES,
  read: () => Promise.reject(new Error('All is in the head.'))
})
const before = process.memoryUsage().rss
const pool = isPool ? createInspectPool() : undefined
const look = () =>
  pool === undefined
    ? lookInside('application/dicom', source)
    : pool.inspect({ type: 'application/dicom', head: new Uint8Array(head), source })

for (let file = 0; file < WARM_FILES; file += 1) await look()
const started = performance.now()
for (let file = 0; file < FILES; file += 1) await look()
const millisecondsEach = (performance.now() - started) / FILES
const grownMib = (process.memoryUsage().rss - before) / MIB
await pool?.close()
process.send?.({ millisecondsEach, grownMib } satisfies Inspected)
process.disconnect?.()
