import { createHash, type Hash } from 'node:crypto'
import { parentPort } from 'node:worker_threads'
import { createSealer, release, type Sealer } from './stream.ts'

// Runs in a worker thread: hashes and seals what the pool sends. It never waits and never holds
// input back: the pool bounds what is under way by what it sends.

/**
 * A digest that runs on from one job to the next, for what is sealed in several objects: this job's
 * plaintext follows the `at` bytes that jobs of the same name have had, but for its first `skip` bytes,
 * which were among them.
 */
export interface Follow {
  name: string
  at: number
  skip: number
  /**
   * What this job is called, and the one it follows, undefined for the first. Of one that ended but was
   * not kept the digest is still here, and another process may have sealed something else instead.
   */
  job: string
  after: string | undefined
}

/** One batch of one job. The first also starts the job, the last also ends it. */
export interface SealRequest {
  job: number
  start?: { key: Uint8Array<ArrayBuffer>; context: Uint8Array; follow?: Follow }
  /** Plaintext in order. Each is the sole owner of its memory, which came with the message. */
  pieces: Uint8Array[]
  end: boolean
  /** Drop the job: nobody wants its output any more. */
  abort: boolean
  /** Output buffers that are free again. */
  spares: ArrayBuffer[]
}

/** The answer to one batch: what became full of it, and the sums when it was the last. */
export interface SealReply {
  job: number
  /** Sealed bytes in order; each view's memory is an output buffer and comes with the message. */
  sealed: Uint8Array<ArrayBuffer>[]
  done?: { bytes: number; sha256: Uint8Array }
}

export const OUTPUT_BYTES = 1_048_576
/** Beyond this many, returned output buffers are freed. */
const SPARES_MAX = 8
/** Running digests kept; the oldest is dropped, and whoever needed it hashes everything again. */
const DIGESTS_MAX = 512

interface Job {
  sealer: Sealer
  /** Undefined when it follows jobs whose digest is not here any more. */
  hash: Hash | undefined
  follow: Follow | undefined
  /** Plaintext still to be left out of the digest. */
  skip: number
  bytes: number
  output: Uint8Array<ArrayBuffer>
  used: number
  full: Uint8Array<ArrayBuffer>[]
}

const jobs = new Map<number, Job>()
/** By name: the digest so far, of how many bytes it is, and the job they ended with. */
const digests = new Map<string, { hash: Hash; at: number; job: string }>()
const spares: ArrayBuffer[] = []

parentPort?.on('message', (request: SealRequest) => {
  keepSpares(request.spares)
  const job = request.start ? startJob(request.job, request.start) : jobs.get(request.job)
  if (job === undefined) return
  if (request.abort) {
    jobs.delete(request.job)
    keepSpares([job.output.buffer])
    return
  }
  const reply: SealReply = { job: request.job, sealed: [] }
  for (const piece of request.pieces) {
    digest(job, piece)
    job.bytes += piece.byteLength
    job.sealer.update(piece, sealed => put(job, sealed))
    release(piece)
  }
  if (request.end) {
    job.sealer.final(sealed => put(job, sealed))
    job.full.push(job.output.subarray(0, job.used))
    reply.done = { bytes: job.bytes, sha256: endDigest(job) }
    jobs.delete(request.job)
  }
  reply.sealed = job.full
  job.full = []
  parentPort?.postMessage(
    reply,
    reply.sealed.map(sealed => sealed.buffer)
  )
})

function startJob(id: number, start: NonNullable<SealRequest['start']>): Job {
  const sealer = createSealer({ inputKey: start.key, context: start.context })
  start.key.fill(0)
  const job: Job = {
    sealer,
    hash: start.follow === undefined ? createHash('sha256') : takeDigest(start.follow),
    follow: start.follow,
    skip: start.follow?.skip ?? 0,
    bytes: 0,
    output: nextOutput(),
    used: 0,
    full: []
  }
  jobs.set(id, job)
  put(job, sealer.header())
  return job
}

/** Taken out, so that a job that is given up takes it with it: it has had what was never kept. */
function takeDigest({ name, at, after }: Follow): Hash | undefined {
  const kept = digests.get(name)
  digests.delete(name)
  if (at === 0) return createHash('sha256')
  return kept?.at === at && kept.job === after ? kept.hash : undefined
}

function digest(job: Job, piece: Uint8Array): void {
  const skipped = Math.min(job.skip, piece.byteLength)
  job.skip -= skipped
  job.hash?.update(skipped === 0 ? piece : piece.subarray(skipped))
}

/** The digest of the job, or of all it followed; empty when that is not known here. */
function endDigest({ hash, follow, bytes }: Job): Uint8Array {
  if (follow === undefined || hash === undefined) return hash?.digest() ?? new Uint8Array()
  const sha256 = hash.copy().digest()
  const { name, job } = follow
  digests.set(name, { hash, at: follow.at + bytes - follow.skip, job })
  const [oldest = ''] = digests.keys()
  if (digests.size > DIGESTS_MAX) digests.delete(oldest)
  return sha256
}

/** Copies sealed bytes into the job's output, beginning a new buffer wherever one is full. */
function put(job: Job, sealed: Uint8Array): void {
  for (let at = 0; at < sealed.byteLength; ) {
    if (job.used === OUTPUT_BYTES) {
      job.full.push(job.output)
      job.output = nextOutput()
      job.used = 0
    }
    const end = Math.min(at + OUTPUT_BYTES - job.used, sealed.byteLength)
    job.output.set(end - at === sealed.byteLength ? sealed : sealed.subarray(at, end), job.used)
    job.used += end - at
    at = end
  }
}

const nextOutput = (): Uint8Array<ArrayBuffer> =>
  new Uint8Array(spares.pop() ?? new ArrayBuffer(OUTPUT_BYTES))

function keepSpares(buffers: ArrayBuffer[]): void {
  for (const buffer of buffers) {
    if (spares.length < SPARES_MAX) spares.push(buffer)
    else buffer.transfer(0)
  }
}
