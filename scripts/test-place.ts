import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readlinkSync,
  rmSync,
  statfsSync,
  symlinkSync
} from 'node:fs'
import { freemem } from 'node:os'
import { dirname, join } from 'node:path'

const MEMORY = '/dev/shm'
const PREFIX = join(MEMORY, 'consilium-tests-')
/** The databases of a whole run take eight, and stay until its end. */
const FREE_BYTES_MIN = 10 * 1024 ** 3
/** Where tap makes the directories of `t.testdir()`. */
const FIXTURES = '.tap/fixtures'

/**
 * Lets whatever the tests write stand in memory, where this machine has enough (Linux): every one of
 * their services waits for the disk at every commit, which is most of the time that tests take. They
 * lose nothing by it. They kill processes, and what a process has written outlives it in memory as on
 * a disk; they make writes and flushes fail in the system calls; a power cut they can make in neither.
 * TEST_ON_DISK keeps everything on the disk. What a run leaves that was itself killed goes at the next.
 */
export function keepInMemory(): void {
  removeLast()
  if (process.env.TEST_ON_DISK || !hasMemory()) return
  const place = mkdtempSync(PREFIX)
  // The server of PostgreSQL runs as a user of its own and has to come through to its data.
  chmodSync(place, 0o711)
  const fixtures = join(place, 'fixtures')
  mkdirSync(fixtures)
  mkdirSync(dirname(FIXTURES), { recursive: true })
  rmSync(FIXTURES, { recursive: true, force: true })
  symlinkSync(fixtures, FIXTURES)
  process.env.TMPDIR = place
  process.once('exit', removeLast)
  // Gigabytes of memory would stay behind whoever stops a run by hand.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1))
}

function removeLast(): void {
  const last = lastPlace()
  if (last === undefined) return
  rmSync(FIXTURES, { force: true })
  if (last.startsWith(PREFIX)) rmSync(dirname(last), { recursive: true, force: true })
}

function lastPlace(): string | undefined {
  try {
    return readlinkSync(FIXTURES)
  } catch {
    return undefined
  }
}

function hasMemory(): boolean {
  if (!existsSync(MEMORY)) return false
  const { bavail, bsize } = statfsSync(MEMORY)
  return Math.min(bavail * bsize, freemem()) >= FREE_BYTES_MIN
}
