import { createHash, webcrypto } from 'node:crypto'
import {
  AbortMultipartUploadCommand,
  type CompletedPart,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  HeadObjectCommand,
  PutObjectCommand,
  type PutObjectCommandInput,
  UploadPartCommand
} from '@aws-sdk/client-s3'
import type { S3Settings } from '../config-s3.ts'
import type { S3Store } from './s3-client.ts'
import { nameOf } from './s3-errors.ts'

/** Parts of one blob on their way at once. One more is being filled meanwhile. */
const PARTS_UNDER_WAY_MAX = 2

const DAY_MILLISECONDS = 86_400_000

/** What the store answers when an earlier attempt, whose answer was lost, had already done it. */
const DONE_BEFORE = ['PreconditionFailed', 'NoSuchUpload', 'ConditionalRequestConflict']

/** A multipart upload that begins with its first part. */
export interface Parts {
  /**
   * Takes one part, whose memory stays in use until `sent` is called. Waits while enough are under
   * way. Throws what any earlier part failed with.
   */
  send(part: Buffer, sent: () => void): Promise<void>
  /** Whether any part was sent. */
  begun(): boolean
  /** Puts the object together once every part is there: it becomes visible. */
  complete(): Promise<void>
  /** Gives the upload up once nothing of it is under way any more. Never throws. */
  abandon(): Promise<void>
}

/**
 * The parts of one object under `key`. If the process stops before `complete`, an unfinished upload
 * is left, which shows in no list of objects and which `sweepUnfinished()` removes.
 */
export function partsOf(store: S3Store, key: string, signal: AbortSignal): Parts {
  const { client, patientClient, settings } = store
  const place = { Bucket: settings.bucket, Key: key }
  const underWay = new Set<Promise<void>>()
  const done: (CompletedPart & { digest: Buffer })[] = []
  let upload: Promise<string> | undefined
  let count = 0
  let bytes = 0
  let failure: { error: unknown } | undefined

  async function begin(): Promise<string> {
    // Never cut short: an upload whose number we did not hear could only be removed much later.
    const { UploadId } = await client.send(
      new CreateMultipartUploadCommand({ ...place, ...storage(store), ChecksumAlgorithm: 'SHA256' })
    )
    if (UploadId === undefined) throw new Error('The store began an upload without an id.')
    return UploadId
  }

  async function sendPart(id: string, number: number, part: Buffer): Promise<void> {
    const digest = await digestOf(part)
    const checksum = { ChecksumSHA256: digest.toString('base64') }
    const command = new UploadPartCommand({
      ...place,
      ...checksum,
      UploadId: id,
      PartNumber: number,
      Body: part
    })
    const { ETag } = await client.send(command, { abortSignal: signal })
    done[number - 1] = { PartNumber: number, ETag, ...checksum, digest }
  }

  async function settled(): Promise<void> {
    while (underWay.size > 0) await Promise.all(underWay)
    if (failure !== undefined) throw failure.error
  }

  return {
    async send(part, sent) {
      while (underWay.size >= PARTS_UNDER_WAY_MAX) await Promise.race(underWay)
      if (failure !== undefined) throw failure.error
      upload ??= begin()
      const id = await upload
      count += 1
      bytes += part.length
      const sending = sendPart(id, count, part)
        .then(sent, error => {
          failure ??= { error }
        })
        .finally(() => underWay.delete(sending))
      underWay.add(sending)
    },
    begun: () => upload !== undefined,
    async complete() {
      const id = await upload
      await settled()
      const command = new CompleteMultipartUploadCommand({
        ...place,
        UploadId: id,
        IfNoneMatch: '*',
        MultipartUpload: { Parts: done.map(({ digest, ...part }) => part) }
      })
      const composite = createHash('sha256').update(Buffer.concat(done.map(part => part.digest)))
      const checksum = `${composite.digest('base64')}-${done.length}`
      await onceOnly(store, { key, bytes, checksum }, () =>
        patientClient.send(command, { abortSignal: signal })
      )
    },
    async abandon() {
      await settled().catch(() => {})
      const id = await upload?.catch(() => undefined)
      if (id === undefined) return
      const command = new AbortMultipartUploadCommand({ ...place, UploadId: id })
      // What cannot be removed now, the sweep removes when it is old enough.
      await client.send(command).catch(() => {})
    }
  }
}

/** Stores an object that is no longer than one part, in one request. */
export async function putWhole(
  store: S3Store,
  key: string,
  body: Buffer,
  signal: AbortSignal
): Promise<void> {
  const checksum = (await digestOf(body)).toString('base64')
  const command = new PutObjectCommand({
    Bucket: store.settings.bucket,
    Key: key,
    Body: body,
    ...storage(store),
    ChecksumSHA256: checksum,
    IfNoneMatch: '*'
  })
  await onceOnly(store, { key, bytes: body.length, checksum }, () =>
    store.client.send(command, { abortSignal: signal })
  )
}

/**
 * `If-None-Match: *` keeps any object from being written twice. It also refuses our own second
 * attempt when the answer to the first was lost, so then we look whether what is there is ours.
 */
async function onceOnly(
  { client, settings }: S3Store,
  expected: { key: string; bytes: number; checksum: string },
  write: () => Promise<unknown>
): Promise<void> {
  try {
    await write()
  } catch (error) {
    if (!DONE_BEFORE.includes(nameOf(error))) throw error
    const place = { Bucket: settings.bucket, Key: expected.key }
    const look = new HeadObjectCommand({ ...place, ChecksumMode: 'ENABLED' })
    const found = await client.send(look).catch(() => undefined)
    const isOurs =
      found?.ContentLength === expected.bytes && found.ChecksumSHA256 === expected.checksum
    if (!isOurs) throw error
  }
}

/** What the store is to encrypt an object with. */
export function encryptionOf({
  encryption
}: S3Settings): Pick<PutObjectCommandInput, 'ServerSideEncryption' | 'SSEKMSKeyId'> {
  return {
    ...(encryption && { ServerSideEncryption: encryption.algorithm }),
    ...(encryption?.keyId !== undefined && { SSEKMSKeyId: encryption.keyId })
  }
}

/** How the store is to keep a blob. */
function storage({ settings }: S3Store): Partial<PutObjectCommandInput> {
  const { lock } = settings
  return {
    ContentType: 'application/octet-stream',
    ...encryptionOf(settings),
    ...(lock && {
      ObjectLockMode: lock.mode,
      ObjectLockRetainUntilDate: new Date(Date.now() + lock.days * DAY_MILLISECONDS)
    })
  }
}

/** On a thread of Node's pool, because 8 MiB take this one 5 ms during which nobody is served. */
async function digestOf(bytes: Buffer): Promise<Buffer> {
  return Buffer.from(await webcrypto.subtle.digest('SHA-256', bytes as Uint8Array<ArrayBuffer>))
}
