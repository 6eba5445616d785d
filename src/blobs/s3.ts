import {
  AbortMultipartUploadCommand,
  ListMultipartUploadsCommand,
  type ListMultipartUploadsCommandOutput,
  ListObjectsV2Command,
  paginateListObjectsV2
} from '@aws-sdk/client-s3'
import { assertReceipt } from '../audit/receipt.ts'
import type { S3Settings } from '../config-s3.ts'
import { assertBlobName, type BlobEntry, type Blobs, isBlobName, newBlobName } from './blobs.ts'
import {
  connectS3,
  disconnectS3,
  keyOf,
  type S3Patience,
  type S3Store,
  s3Patience
} from './s3-client.ts'
import { attempt, nameOf } from './s3-errors.ts'
import { openOnS3 } from './s3-reader.ts'
import { removeOnS3 } from './s3-remove.ts'
import { createOnS3, type Unfinished } from './s3-writer.ts'

const HOUR_MILLISECONDS = 3_600_000

/**
 * A store in a bucket of S3, or of a store that speaks its protocol. Many processes may use it at
 * once. Nothing is asked of the bucket here; `findS3Problems` does.
 *
 * S3 acknowledges what is durable and shows it to everybody at once, so a commit that resolved
 * needs no `sync`. Its `sweepUnfinished` spares uploads younger than `unfinishedHoursMax`, because
 * they may be those of another process.
 */
export function openS3Blobs(settings: S3Settings, patience: S3Patience = s3Patience): Blobs {
  const store = connectS3(settings, patience)
  const unfinished: Unfinished = new Map()

  return {
    async create(name = newBlobName()) {
      assertBlobName(name)
      return createOnS3(store, unfinished, name)
    },
    async open(name, receipt) {
      assertReceipt(receipt)
      assertBlobName(name)
      return await attempt('open a blob', () => openOnS3(store, name))
    },
    async remove(name) {
      assertBlobName(name)
      return await attempt('remove a blob', () => removeOnS3(store, keyOf(store, name)))
    },
    list: () => listOnS3(store),
    async sync(names) {
      for (const name of names) assertBlobName(name)
    },
    async check() {
      const command = new ListObjectsV2Command({
        Bucket: settings.bucket,
        Prefix: settings.prefix,
        MaxKeys: 1
      })
      await attempt('ask for one blob', () => store.client.send(command))
    },
    freeBytes: async () => Number.POSITIVE_INFINITY,
    sweepUnfinished: () => attempt('sweep unfinished blobs', () => sweep(store, unfinished)),
    async close() {
      await Promise.all([...unfinished.values()].map(writer => writer.abort()))
      disconnectS3(store)
    }
  }
}

async function* listOnS3(store: S3Store): AsyncIterable<BlobEntry> {
  const { bucket, prefix } = store.settings
  const pages = paginateListObjectsV2({ client: store.client }, { Bucket: bucket, Prefix: prefix })
  for (;;) {
    const page = await attempt('list blobs', () => pages.next())
    if (page.done) return
    for (const { Key = '', Size: bytes = 0, LastModified: modified } of page.value.Contents ?? []) {
      const name = nameIn(store, Key)
      if (name !== undefined) yield { name, bytes, modifiedAt: modified?.getTime() ?? Date.now() }
    }
  }
}

/** The name of the blob with this key, undefined when the key is of something else. */
function nameIn(store: S3Store, key: string): string | undefined {
  const name = key.slice(key.lastIndexOf('/') + 1)
  return isBlobName(name) && key === keyOf(store, name) ? name : undefined
}

async function sweep(store: S3Store, unfinished: Unfinished): Promise<number> {
  const { bucket, prefix, unfinishedHoursMax } = store.settings
  const began = Date.now() - unfinishedHoursMax * HOUR_MILLISECONDS
  let swept = 0
  let page: Partial<ListMultipartUploadsCommandOutput> = {}
  do {
    const command = new ListMultipartUploadsCommand({
      Bucket: bucket,
      Prefix: prefix,
      KeyMarker: page.NextKeyMarker,
      UploadIdMarker: page.NextUploadIdMarker
    })
    page = await store.client.send(command)
    for (const { Key: key = '', UploadId: id, Initiated: initiated } of page.Uploads ?? []) {
      const name = nameIn(store, key)
      if (name === undefined || id === undefined || unfinished.has(name)) continue
      if (initiated === undefined || initiated.getTime() > began) continue
      if (await abandon(store, key, id)) swept += 1
    }
  } while (page.IsTruncated)
  return swept
}

/** Whether there was still an upload to give up: another process may sweep at the same time. */
async function abandon(store: S3Store, key: string, id: string): Promise<boolean> {
  const place = { Bucket: store.settings.bucket, Key: key, UploadId: id }
  try {
    await store.client.send(new AbortMultipartUploadCommand(place))
    return true
  } catch (error) {
    if (nameOf(error) === 'NoSuchUpload') return false
    throw error
  }
}
