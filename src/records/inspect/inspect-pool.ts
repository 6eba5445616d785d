import type { FastifyBaseLogger } from 'fastify'
import { type Job, Seat, stopped } from './inspect-seat.ts'
import { hasInside } from './look-inside.ts'
import type { FileType } from './signatures.ts'
import type { InspectionSource } from './source.ts'
import type { ObjectSummary } from './summary.ts'

/** Time one file may take of a worker. Waiting for its bytes does not count. */
export const INSPECT_MILLISECONDS_MAX = 2000

export interface FileOfPool {
  type: FileType
  head: Uint8Array<ArrayBuffer>
  source: InspectionSource
}

export interface InspectPool {
  /**
   * What is in a file, by its structure, as `lookInside` says, but in a thread of its own and within
   * `INSPECT_MILLISECONDS_MAX` and a bounded heap: what needs more is stopped, and its summary says
   * `inspection-stopped`. `head` are first bytes, at hand already, whose memory is given away: afterwards
   * they are empty. Rejects with the
   * `Refusal` of a file whose structure proves false, or with what `source.read` rejected with.
   */
  inspect(file: FileOfPool): Promise<ObjectSummary>
  /** Stops the workers. Files under way, and those that wait, are answered as stopped. */
  close(): Promise<void>
}

/**
 * A pool with so many threads, which start with the first files they get. A fault in our own reading
 * is logged, with nothing of the file in it, and the file is taken as if it had been stopped.
 */
export function createInspectPool({
  workers = 1,
  millisecondsMax = INSPECT_MILLISECONDS_MAX,
  log
}: {
  workers?: number
  millisecondsMax?: number
  log?: Pick<FastifyBaseLogger, 'error'>
} = {}): InspectPool {
  const waiting: Job[] = []
  const onFailure = (where: string) => log?.error({ where }, 'a file could not be looked into')
  const seats = Array.from({ length: workers }, () => new Seat(millisecondsMax, onFailure))
  let closed = false

  function seatNext(): void {
    for (const free of seats.filter(each => !each.isBusy())) {
      const job = waiting.shift()
      if (job === undefined) return
      void free.take(job).then(seatNext)
    }
  }

  return {
    inspect({ type, head, source }) {
      if (!hasInside(type)) return Promise.resolve({ notes: [] })
      if (closed) return Promise.resolve(stopped())
      const job = { type, head, source, done: Promise.withResolvers<ObjectSummary>() }
      waiting.push(job)
      seatNext()
      return job.done.promise
    },
    async close() {
      closed = true
      for (const { done } of waiting.splice(0)) done.resolve(stopped())
      await Promise.all(seats.map(each => each.close()))
    }
  }
}
