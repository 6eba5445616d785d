import { isMarkedAsUntransferable } from 'node:worker_threads'
import { SealError } from './seal-error.ts'
import type { SealReply, SealRequest } from './seal-worker.ts'
import { release } from './stream.ts'

/** Input is sent to the worker in messages of about this much. */
export const BATCH_BYTES = 262_144
/** A job waits once this many of its batches are with the worker … */
export const BATCHES_IN_FLIGHT_MAX = 4
/** … or once this much of its output waits to be taken. */
export const OUTPUT_WAITING_BYTES_MAX = 4 * 1_048_576
/** Pieces that must be copied are collected in buffers of this size, so that tiny ones stay cheap. */
const STAGING_BYTES = 65_536

/** What a plaintext amounts to. */
export interface Sealed {
  bytes: number
  /**
   * SHA-256 of the plaintext, 32 bytes. Of a job that follows others, of all their plaintext together:
   * no byte at all when that is not known, because the worker that had it, or the process, has ended.
   */
  sha256: Buffer
}

/**
 * The sealing of one object. Take `output` before the first `await job.write()`: writing waits while
 * more than about 5 MiB are under way.
 */
export interface SealJob {
  /**
   * Hands over the next plaintext and its memory: afterwards `piece` is empty if it was the sole
   * owner of its ArrayBuffer; else it was copied. Resolves when more may be written.
   * Rejects with SealError sealing-stopped or sealing-aborted.
   */
  write(piece: Uint8Array): Promise<void>
  /** Ends the input. Resolves when all is sealed, which is before the last output was stored. */
  end(): Promise<Sealed>
  /** Gives the job up and frees what it holds. Harmless at any time, also after the end. */
  abort(): void
  /**
   * The sealed object in order, in buffers of 1 MiB and a shorter last one. One reader. Leaving the
   * loop early aborts the job.
   */
  readonly output: AsyncIterableIterator<Buffer>
  /** Gives an output buffer back once it is written. It must not be touched afterwards. */
  readonly recycle: (buffer: Buffer) => void
}

/** How a job reaches its worker, and how the worker's answers reach the job. */
export interface Lane {
  send(request: Omit<SealRequest, 'spares'>, transfer: ArrayBuffer[]): void
  /** Takes an output buffer that is free again. */
  spare(buffer: ArrayBuffer): void
  /** The worker holds nothing of the job any more. */
  finished(job: number): void
}

/** Made by the pool. `receive` and `fail` are for the pool alone. */
export class LaneJob implements SealJob {
  readonly output: AsyncIterableIterator<Buffer>
  readonly recycle: (buffer: Buffer) => void
  readonly #id: number
  readonly #lane: Lane
  #start: SealRequest['start']
  #started = false
  #batch: Uint8Array<ArrayBuffer>[] = []
  #batchBytes = 0
  #staging: { bytes: Uint8Array<ArrayBuffer>; used: number } | undefined
  #batchesInFlight = 0
  #waiting: Uint8Array<ArrayBuffer>[] = []
  #waitingBytes = 0
  /** Output buffers the reader has. Only these may come back, each once. */
  readonly #lent = new WeakSet<ArrayBufferLike>()
  #room: PromiseWithResolvers<void> | undefined
  #reader: PromiseWithResolvers<IteratorResult<Buffer, undefined>> | undefined
  #end: PromiseWithResolvers<Sealed> | undefined
  #sealed: Sealed | undefined
  #failure: SealError | undefined

  constructor(id: number, lane: Lane, start: NonNullable<SealRequest['start']>) {
    this.#id = id
    this.#lane = lane
    this.#start = start
    this.output = {
      [Symbol.asyncIterator]() {
        return this
      },
      next: () => this.#next(),
      return: async () => {
        this.abort()
        return { done: true, value: undefined }
      }
    }
    this.recycle = ({ buffer }) => {
      const ours = this.#lent.delete(buffer) && buffer instanceof ArrayBuffer
      if (ours && !buffer.detached) this.#lane.spare(buffer)
    }
  }

  async write(piece: Uint8Array): Promise<void> {
    if (this.#failure) throw this.#failure
    if (this.#end) throw new Error('This sealing job has ended.')
    this.#add(piece)
    if (this.#batchBytes >= BATCH_BYTES) this.#sendBatch(false)
    if (this.#isFull()) {
      this.#room ??= quiet(Promise.withResolvers<void>())
      await this.#room.promise
    }
  }

  end(): Promise<Sealed> {
    if (this.#end) return this.#end.promise
    this.#end = quiet(Promise.withResolvers<Sealed>())
    if (this.#failure) this.#end.reject(this.#failure)
    else this.#sendBatch(true)
    return this.#end.promise
  }

  abort(): void {
    if (this.#failure || (this.#sealed && this.#waiting.length === 0)) return
    if (this.#started && !this.#sealed) {
      this.#lane.send({ job: this.#id, pieces: [], end: false, abort: true }, [])
    }
    this.fail(new SealError('sealing-aborted', 'The sealing of an object was given up.'))
    this.#lane.finished(this.#id)
  }

  /** The worker's answer to one batch. */
  receive(reply: SealReply): void {
    this.#batchesInFlight -= 1
    for (const sealed of reply.sealed) {
      this.#waiting.push(sealed)
      this.#waitingBytes += sealed.byteLength
    }
    if (reply.done) {
      this.#sealed = { bytes: reply.done.bytes, sha256: Buffer.from(reply.done.sha256) }
      this.#lane.finished(this.#id)
      this.#end?.resolve(this.#sealed)
    }
    if (this.#reader && (this.#waiting.length > 0 || this.#sealed)) {
      this.#reader.resolve(this.#take())
      this.#reader = undefined
    }
    this.#makeRoom()
  }

  /** Ends the job with an error: every waiting and every later call rejects with it. */
  fail(failure: SealError): void {
    this.#failure ??= failure
    for (const piece of this.#batch.splice(0)) release(piece)
    for (const sealed of this.#waiting.splice(0)) this.#lane.spare(sealed.buffer)
    this.#start?.key.fill(0)
    this.#start = undefined
    this.#staging = undefined
    this.#room?.reject(this.#failure)
    this.#reader?.reject(this.#failure)
    this.#end?.reject(this.#failure)
  }

  #add(piece: Uint8Array): void {
    const { buffer, byteLength } = piece
    if (byteLength === 0) {
      // A piece written twice would otherwise silently be missing the second time.
      if (buffer instanceof ArrayBuffer && buffer.detached) throw new TypeError('Already written.')
      return
    }
    this.#batchBytes += byteLength
    if (ownsItsMemory(piece)) {
      this.#staging = undefined
      this.#batch.push(new Uint8Array(piece.buffer.transfer()))
    } else if (byteLength >= STAGING_BYTES / 2) {
      this.#staging = undefined
      this.#batch.push(new Uint8Array(piece))
    } else {
      this.#stage(piece)
    }
  }

  /** Copies a small piece behind the one before it where there is room. */
  #stage(piece: Uint8Array): void {
    let staging = this.#staging
    if (!staging || staging.used + piece.byteLength > STAGING_BYTES) {
      staging = { bytes: new Uint8Array(STAGING_BYTES), used: 0 }
    } else {
      this.#batch.pop()
    }
    staging.bytes.set(piece, staging.used)
    staging.used += piece.byteLength
    this.#staging = staging
    this.#batch.push(staging.bytes.subarray(0, staging.used))
  }

  #sendBatch(end: boolean): void {
    const pieces = this.#batch
    const transfer = pieces.map(piece => piece.buffer)
    const request: Omit<SealRequest, 'spares'> = { job: this.#id, pieces, end, abort: false }
    if (this.#start) {
      request.start = this.#start
      transfer.push(this.#start.key.buffer)
    }
    this.#batch = []
    this.#batchBytes = 0
    this.#staging = undefined
    this.#start = undefined
    this.#started = true
    this.#batchesInFlight += 1
    this.#lane.send(request, transfer)
  }

  async #next(): Promise<IteratorResult<Buffer, undefined>> {
    if (this.#failure) throw this.#failure
    if (this.#reader) throw new Error('The output of a sealing job has one reader.')
    if (this.#waiting.length > 0 || this.#sealed) return this.#take()
    this.#reader = quiet(Promise.withResolvers<IteratorResult<Buffer, undefined>>())
    return this.#reader.promise
  }

  #take(): IteratorResult<Buffer, undefined> {
    const sealed = this.#waiting.shift()
    if (sealed === undefined) return { done: true, value: undefined }
    this.#waitingBytes -= sealed.byteLength
    this.#lent.add(sealed.buffer)
    this.#makeRoom()
    return { done: false, value: Buffer.from(sealed.buffer, 0, sealed.byteLength) }
  }

  #isFull(): boolean {
    return (
      this.#batchesInFlight >= BATCHES_IN_FLIGHT_MAX ||
      this.#waitingBytes >= OUTPUT_WAITING_BYTES_MAX
    )
  }

  #makeRoom(): void {
    if (this.#room && !this.#isFull()) {
      this.#room.resolve()
      this.#room = undefined
    }
  }
}

function ownsItsMemory(piece: Uint8Array): piece is Uint8Array<ArrayBuffer> {
  const { buffer } = piece
  return (
    buffer instanceof ArrayBuffer &&
    buffer.byteLength === piece.byteLength &&
    !isMarkedAsUntransferable(buffer)
  )
}

/** A failure nobody happens to be waiting for is reported by the next call, not as unhandled. */
function quiet<T>(deferred: PromiseWithResolvers<T>): PromiseWithResolvers<T> {
  deferred.promise.catch(() => {})
  return deferred
}
