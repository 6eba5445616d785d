import { PassThrough, pipeline, Readable } from 'node:stream'
import { GetObjectCommand, type GetObjectCommandOutput } from '@aws-sdk/client-s3'
import type { S3Store } from './s3-client.ts'

/** Bytes fetched ahead of who reads in sequence, so that store and reader work at the same time. */
const READ_AHEAD_BYTES = 1_048_576

/** The bytes of an object from one place on, in sequence. */
export interface Flow {
  /** Of the next byte. */
  readonly position: number
  /** Fills `into`. After it threw, `position` says how far it came. */
  take(into: Buffer): Promise<void>
  close(): void
}

/** Asks for the whole object, whose length it also tells. */
export async function wholeFlow(
  store: S3Store,
  key: string
): Promise<{ flow: Flow; bytes: number }> {
  const { client, settings } = store
  const answer = await client.send(new GetObjectCommand({ Bucket: settings.bucket, Key: key }))
  if (answer.ContentLength === undefined) throw new Error('The store did not tell the length.')
  return { flow: flowOf(answer, 0), bytes: answer.ContentLength }
}

/** Asks for the bytes from `start` to before `end`. */
export async function rangeFlow(
  store: S3Store,
  key: string,
  start: number,
  end: number
): Promise<Flow> {
  const { client, settings } = store
  const Range = `bytes=${start}-${end - 1}`
  const answer = await client.send(
    new GetObjectCommand({ Bucket: settings.bucket, Key: key, Range })
  )
  if (!answer.ContentRange?.startsWith(`bytes ${start}-`)) {
    if (answer.Body instanceof Readable) answer.Body.destroy()
    throw new Error('The store did not give the range that it was asked for.')
  }
  return flowOf(answer, start)
}

function flowOf({ Body: body }: GetObjectCommandOutput, start: number): Flow {
  if (!(body instanceof Readable)) throw new Error('The store answered without a body.')
  const ahead = new PassThrough({ highWaterMark: READ_AHEAD_BYTES })
  // An answer that breaks off while nobody reads is told to whoever reads next.
  pipeline(body, ahead, () => {})
  const chunks = ahead[Symbol.asyncIterator]()
  let rest: Buffer = Buffer.alloc(0)
  let position = start

  return {
    get position() {
      return position
    },
    async take(into) {
      for (let filled = 0; filled < into.length; ) {
        if (rest.length === 0) {
          const next = await chunks.next()
          if (next.done) throw new Error('The store gave fewer bytes than there are.')
          rest = next.value
        }
        const taken = rest.copy(into, filled)
        rest = rest.subarray(taken)
        filled += taken
        position += taken
      }
    },
    close() {
      body.destroy()
      ahead.destroy()
    }
  }
}
