import { parentPort } from 'node:worker_threads'
import { Refusal, type RefusalCode } from '../../errors.ts'
import { lookInside } from './look-inside.ts'
import type { FileType } from './signatures.ts'
import { withHead } from './source.ts'
import type { ObjectSummary } from './summary.ts'

// Runs in a worker thread: looks into one file at a time. It may be ended at any moment.

/** To the worker: a file, or bytes of it that it asked for. `bytes` is undefined where there are none. */
export type ToWorker =
  | { job: number; type: FileType; fileBytes: number; head: Uint8Array }
  | { job: number; bytes: Uint8Array | undefined }

/** From the worker: how it went, or which bytes it needs. */
export type FromWorker =
  | { job: number; summary: ObjectSummary }
  | { job: number; refused: { code: RefusalCode; detail: string } }
  | { job: number; failed: string }
  | { job: number; position: number; length: number }

let awaited: PromiseWithResolvers<Buffer> | undefined

parentPort?.on('message', (message: ToWorker) => {
  if ('type' in message) {
    void work(message).then(answer => parentPort?.postMessage(answer))
  } else if (message.bytes === undefined) {
    awaited?.reject(new Error('The file could not be read.'))
  } else {
    awaited?.resolve(bufferOn(message.bytes))
  }
})

async function work(asked: Extract<ToWorker, { type: FileType }>): Promise<FromWorker> {
  const { job, type, fileBytes, head } = asked
  const source = withHead(bufferOn(head), {
    bytes: fileBytes,
    read(position, length) {
      awaited = Promise.withResolvers<Buffer>()
      parentPort?.postMessage({ job, position, length } satisfies FromWorker)
      return awaited.promise
    }
  })
  try {
    return { job, summary: await lookInside(type, source) }
  } catch (err) {
    if (err instanceof Refusal) return { job, refused: { code: err.code, detail: err.message } }
    // The stack, never the message: a parser may quote what it could not read.
    const stack = err instanceof Error ? String(err.stack).split('\n').slice(1, 4).join('') : ''
    return { job, failed: stack }
  }
}

function bufferOn(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
