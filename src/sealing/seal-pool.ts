import { KeyObject } from 'node:crypto'
import { startThread } from '../thread.ts'
import { SealError } from './seal-error.ts'
import { type Lane, LaneJob, type SealJob } from './seal-job.ts'
import type { Follow, SealReply, SealRequest } from './seal-worker.ts'
import { INPUT_KEY_BYTES, type InputKey } from './stream.ts'

export type { Sealed, SealJob } from './seal-job.ts'
export type { Follow } from './seal-worker.ts'

/** Hashes and seals objects in worker threads. */
export interface SealPool {
  /**
   * Begins a sealed object (docs/sealed-object.md). The key is copied: the caller may overwrite it.
   * Every job must be ended or aborted. `follow` lets one digest run over several jobs, one after the
   * other.
   */
  seal(input: { key: InputKey; context: Uint8Array; follow?: Follow }): SealJob
  /** Stops the workers. Jobs under way fail with sealing-stopped. */
  close(): Promise<void>
}

/** Output buffers kept for the worker's next batch; more are freed. */
const SPARES_MAX = 8

interface WorkerLane {
  jobs: Map<number, LaneJob>
  start(id: number, start: NonNullable<SealRequest['start']>): SealJob
  stop(): Promise<void>
}

/**
 * A pool of `workers` threads, which start with the first job. One hashes and seals about 1 GiB/s. A
 * worker that stops fails its jobs with sealing-stopped, and the next job gets a new one.
 */
export function createSealPool({ workers = 1 }: { workers?: number } = {}): SealPool {
  const lanes = new Set<WorkerLane>()
  let jobCount = 0
  let closed = false
  const addLane = (): WorkerLane => {
    const lane = startLane(() => lanes.delete(lane))
    lanes.add(lane)
    return lane
  }

  return {
    seal({ key, context, follow }) {
      if (closed) throw new SealError('sealing-stopped', 'The sealing workers were stopped.')
      // Only now: a service that seals nothing needs none, and one that cannot even start would otherwise
      // be replaced in a tight loop.
      while (lanes.size < workers) addLane()
      const [first, ...others] = lanes
      if (!first) throw new RangeError('A sealing pool has at least one worker.')
      // A digest runs on in one lane, which its name chooses.
      const lane = follow
        ? ([...lanes].at(follow.name.charCodeAt(follow.name.length - 1) % lanes.size) ?? first)
        : others.reduce((a, b) => (b.jobs.size < a.jobs.size ? b : a), first)
      jobCount += 1
      return lane.start(jobCount, {
        key: copyOfKey(key),
        context: new Uint8Array(context),
        ...(follow && { follow })
      })
    },
    async close() {
      closed = true
      await Promise.all([...lanes].map(lane => lane.stop()))
    }
  }
}

/** A copy alone in its memory, so that it moves to the worker, leaving nothing behind. */
function copyOfKey(key: InputKey): Uint8Array<ArrayBuffer> {
  const bytes = key instanceof KeyObject ? key.export() : key
  if (bytes.byteLength !== INPUT_KEY_BYTES) throw new RangeError('A sealing key has 32 bytes.')
  const copy = new Uint8Array(bytes)
  if (key instanceof KeyObject) bytes.fill(0)
  return copy
}

function startLane(onStopped: () => void): WorkerLane {
  const jobs = new Map<number, LaneJob>()
  const spares: ArrayBuffer[] = []
  const worker = startThread(new URL('./seal-worker.ts', import.meta.url), { name: 'sealing' })

  function fail(cause?: unknown): void {
    onStopped()
    const failure = new SealError('sealing-stopped', 'A sealing worker stopped.', { cause })
    for (const job of jobs.values()) job.fail(failure)
    jobs.clear()
  }
  worker.on('error', fail)
  worker.on('exit', () => fail())
  worker.on('message', (reply: SealReply) => {
    const job = jobs.get(reply.job)
    // What arrives for an aborted job is dropped, but its memory is used again.
    if (job) job.receive(reply)
    else for (const sealed of reply.sealed) lane.spare(sealed.buffer)
  })
  // An idle worker must not keep the process alive; one with jobs does. Listening for messages
  // keeps it alive again, so this comes after.
  worker.unref()

  const lane: Lane = {
    send(request, transfer) {
      const returned = spares.splice(0)
      worker.postMessage({ ...request, spares: returned }, [...transfer, ...returned])
    },
    spare(buffer) {
      if (spares.length < SPARES_MAX) spares.push(buffer)
      else buffer.transfer(0)
    },
    finished(job) {
      if (jobs.delete(job) && jobs.size === 0) worker.unref()
    }
  }
  return {
    jobs,
    start(id, start) {
      const job = new LaneJob(id, lane, start)
      if (jobs.size === 0) worker.ref()
      jobs.set(id, job)
      return job
    },
    async stop() {
      await worker.terminate()
    }
  }
}
