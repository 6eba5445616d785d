import type { Worker } from 'node:worker_threads'
import { Refusal } from '../../errors.ts'
import { startThread } from '../../thread.ts'
import type { FromWorker, ToWorker } from './inspect-worker.ts'
import type { FileType } from './signatures.ts'
import type { InspectionSource } from './source.ts'
import { note, type ObjectSummary } from './summary.ts'

/**
 * The time is counted in steps of which each needs a turn of the event loop: while the whole process
 * stands still, the worker does too, and its file must not be blamed for it.
 */
const STEPS = 8
/** Heap of a worker. An ordinary header takes a megabyte of it. */
const HEAP_MIB_MAX = 96

/** One file to be looked into. `done` is settled in any case. */
export interface Job {
  type: FileType
  head: Uint8Array<ArrayBuffer>
  source: InspectionSource
  done: PromiseWithResolvers<ObjectSummary>
}

export const stopped = (): ObjectSummary => ({ notes: [note('inspection-stopped')] })

/** A place for one worker, with a new one in it where the last was ended. One file at a time. */
export class Seat {
  readonly #millisecondsMax: number
  readonly #onFailure: (where: string) => void
  #worker: Worker | undefined
  #jobs = 0
  #job: Job | undefined
  #finished: PromiseWithResolvers<void> | undefined
  #steps = 0
  #clock: NodeJS.Timeout | undefined

  constructor(millisecondsMax: number, onFailure: (where: string) => void) {
    this.#millisecondsMax = millisecondsMax
    this.#onFailure = onFailure
  }

  isBusy(): boolean {
    return this.#job !== undefined
  }

  /** Resolves when the seat is free again, however that came about. */
  take(job: Job): Promise<void> {
    const finished = Promise.withResolvers<void>()
    this.#finished = finished
    this.#job = job
    this.#jobs += 1
    this.#steps = 0
    this.#worker ??= this.#startWorker()
    // An idle worker must not keep the process alive; one with a file does.
    this.#worker.ref()
    this.#startClock()
    const { type, head, source } = job
    this.#post({ job: this.#jobs, type, fileBytes: source.bytes, head }, [head.buffer])
    return finished.promise
  }

  /** Ends the worker. Its file, if it has one, is answered as stopped. */
  async close(): Promise<void> {
    const last = this.#worker
    if (last === undefined) return
    this.#drop(last)
    await last.terminate()
  }

  #startWorker(): Worker {
    const worker = startThread(new URL('./inspect-worker.ts', import.meta.url), {
      name: 'inspection',
      resourceLimits: { maxOldGenerationSizeMb: HEAP_MIB_MAX, stackSizeMb: 4 }
    })
    // An error is its heap running over, which its file brought about.
    worker.on('error', () => this.#drop(worker))
    worker.on('exit', () => this.#drop(worker))
    worker.on('message', (message: FromWorker) => {
      if (this.#worker === worker && message.job === this.#jobs) this.#hear(message)
    })
    return worker
  }

  #drop(worker: Worker): void {
    if (this.#worker !== worker) return
    this.#worker = undefined
    this.#job?.done.resolve(stopped())
    this.#finish()
  }

  #finish(): void {
    clearInterval(this.#clock)
    this.#worker?.unref()
    this.#job = undefined
    this.#finished?.resolve()
  }

  #hear(message: FromWorker): void {
    const done = this.#job?.done
    if ('position' in message) {
      void this.#answer(message.position, message.length)
      return
    }
    if ('summary' in message) done?.resolve(message.summary)
    else if ('refused' in message) {
      done?.reject(new Refusal(message.refused.code, message.refused.detail))
    } else {
      this.#onFailure(message.failed)
      done?.resolve(stopped())
    }
    this.#finish()
  }

  /** Bytes the worker asked for. While it waits for them its time stands still. */
  async #answer(position: number, length: number): Promise<void> {
    const [number, job] = [this.#jobs, this.#job]
    clearInterval(this.#clock)
    const bytes = await job?.source.read(position, length).catch(err => {
      job.done.reject(err)
      return undefined
    })
    if (this.#job === undefined || this.#jobs !== number) return
    const copy = bytes && new Uint8Array(bytes)
    this.#post({ job: number, bytes: copy }, copy ? [copy.buffer] : [])
    this.#startClock()
  }

  #post(message: ToWorker, transfer: ArrayBuffer[]): void {
    this.#worker?.postMessage(message, transfer)
  }

  #startClock(): void {
    clearInterval(this.#clock)
    this.#clock = setInterval(() => {
      this.#steps += 1
      if (this.#steps >= STEPS) void this.close()
    }, this.#millisecondsMax / STEPS)
  }
}
