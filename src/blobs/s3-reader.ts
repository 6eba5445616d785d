import { setTimeout as sleep } from 'node:timers/promises'
import { BlobError, type BlobReader } from './blobs.ts'
import { keyOf, type S3Store } from './s3-client.ts'
import { attempt, nameOf } from './s3-errors.ts'
import { type Flow, rangeFlow, wholeFlow } from './s3-flow.ts'

/** How often an answer that breaks off is asked for again without one more byte of it. */
const BREAKS_MAX = 3
const BREAK_PAUSE_MILLISECONDS = 200

interface OpenObject {
  store: S3Store
  key: string
  bytes: number
  isClosed: boolean
}

/**
 * One request opens the blob, tells its length and goes on giving its bytes: who reads in sequence
 * needs no other. Who reads elsewhere gets each piece by a request of its own, until two pieces
 * follow each other; then everything from there on is asked for at once.
 */
export async function openOnS3(store: S3Store, name: string): Promise<BlobReader> {
  const key = keyOf(store, name)
  const { flow, bytes } = await wholeFlow(store, key).catch(error => {
    if (nameOf(error) !== 'NoSuchKey') throw error
    throw new BlobError('blob-missing', 'The blob store has no such blob.', error)
  })
  const object: OpenObject = { store, key, bytes, isClosed: false }
  const sequence = sequenceOf(object, flow)
  /** Where the last piece that was read by itself ended. */
  let pieceEnd: number | undefined

  async function read(into: Buffer, position: number): Promise<number> {
    if (object.isClosed) throw new Error('The reader is closed.')
    const wanted = into.subarray(0, Math.max(0, bytes - position))
    if (wanted.length === 0) return 0
    const isNext = position === sequence.position() || position === pieceEnd
    if (isNext && !sequence.isBusy()) {
      await sequence.read(wanted, position)
    } else {
      await readPiece(object, wanted, position)
      pieceEnd = position + wanted.length
    }
    return wanted.length
  }

  return {
    bytes,
    async read(into, position) {
      if (!Number.isSafeInteger(position) || position < 0) {
        throw new RangeError('A position in a blob is a whole number from 0 upwards.')
      }
      return await attempt('read a blob', () => read(into, position))
    },
    async close() {
      object.isClosed = true
      sequence.close()
    }
  }
}

/** Reading in sequence, one caller at a time, that goes on where an answer broke off. */
function sequenceOf(object: OpenObject, first: Flow) {
  let flow: Flow | undefined = first
  let isBusy = false

  async function flowFrom(position: number): Promise<Flow> {
    if (flow?.position === position) return flow
    flow?.close()
    flow = await rangeFlow(object.store, object.key, position, object.bytes)
    if (object.isClosed) flow.close()
    return flow
  }

  async function read(into: Buffer, start: number): Promise<void> {
    let breaks = 0
    for (let done = 0; done < into.length; ) {
      const current = await flowFrom(start + done)
      try {
        await current.take(into.subarray(done))
        return
      } catch (error) {
        const came = current.position - start
        breaks = came > done ? 1 : breaks + 1
        done = came
        flow = undefined
        current.close()
        await pauseAfterBreak(object, breaks, error)
      }
    }
  }

  return {
    /** Where it would go on. */
    position: () => flow?.position,
    isBusy: () => isBusy,
    async read(into: Buffer, start: number): Promise<void> {
      isBusy = true
      await read(into, start).finally(() => {
        isBusy = false
      })
    },
    close: () => flow?.close()
  }
}

async function readPiece(object: OpenObject, into: Buffer, start: number): Promise<void> {
  for (let breaks = 1; ; breaks += 1) {
    const piece = await rangeFlow(object.store, object.key, start, start + into.length)
    try {
      return await piece.take(into)
    } catch (error) {
      await pauseAfterBreak(object, breaks, error)
    } finally {
      piece.close()
    }
  }
}

/** Lets the store recover, or throws what it failed with when that was often enough. */
async function pauseAfterBreak(object: OpenObject, breaks: number, error: unknown): Promise<void> {
  if (object.isClosed || breaks > BREAKS_MAX) throw error
  await sleep(BREAK_PAUSE_MILLISECONDS * breaks)
}
