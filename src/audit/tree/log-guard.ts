import { ConfigError } from '../../config.ts'
import type { Database } from '../../database/database.ts'
import { Refusal } from '../../errors.ts'
import { touchHead } from './queries.ts'

/** How often the log is tried while nobody uses it. */
const TRY_MILLISECONDS = 10_000

/** Stands before every act that would need an event: no event, no act. */
export interface LogGuard {
  /**
   * Throws Refusal `audit-unavailable` while the log cannot be written or contradicts itself, and
   * `storage-low` while there would soon be no room for the second events of what is under way.
   */
  requireLog(): void
  /** What is wrong, in the operator's words. */
  trouble(): string | undefined
  stop(): void
}

interface Parts {
  database: Database
  /** Room where the log is kept, and where objects are: whichever is less. */
  freeBytes: () => Promise<number>
  clock: () => number
  /** Acts stop below this; uploads have stopped earlier. */
  freeBytesMin: number
  /** Faults found elsewhere: unwritten completions, a log that contradicts itself. */
  faults: (() => string | undefined)[]
}

/**
 * Tries a small durable write every ten seconds, and looks how much room there is. Throws
 * ConfigError when the first does not succeed: there is nothing a service without a log may do.
 */
export async function guardLog(parts: Parts): Promise<LogGuard> {
  const { database, freeBytes, clock, freeBytesMin, faults } = parts
  let unwritable = false
  let isLow = false

  async function tryLog(): Promise<void> {
    const free = await freeBytes().catch(() => 0)
    isLow = free < freeBytesMin
    await database
      .write(tx => touchHead(tx, clock()))
      .then(
        () => {
          unwritable = false
        },
        () => {
          unwritable = true
        }
      )
  }

  await tryLog()
  if (unwritable) {
    throw new ConfigError(['The access log cannot be written: is the disk full, or read-only?'])
  }
  const timer = setInterval(tryLog, TRY_MILLISECONDS)
  timer.unref()
  const fault = () => faults.map(found => found()).find(text => text !== undefined)

  return {
    requireLog() {
      if (unwritable) throw new Refusal('audit-unavailable', 'the log cannot be written')
      const found = fault()
      if (found !== undefined) throw new Refusal('audit-unavailable', found)
      if (isLow) throw new Refusal('storage-low')
    },
    trouble() {
      if (unwritable) return 'cannot be written'
      return fault() ?? (isLow ? 'low on space' : undefined)
    },
    stop: () => clearInterval(timer)
  }
}
