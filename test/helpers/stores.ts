import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { CreateMultipartUploadCommand, PutObjectCommand } from '@aws-sdk/client-s3'
import t, { type Test } from 'tap'
import type { Blobs } from '../../src/blobs/blobs.ts'
import { newBlobName } from '../../src/blobs/blobs.ts'
import { openDiskBlobs } from '../../src/blobs/disk.ts'
import { openS3Blobs } from '../../src/blobs/s3.ts'
import { connectS3, disconnectS3, s3Patience } from '../../src/blobs/s3-client.ts'
import { s3Server, s3Settings } from './s3.ts'

/** One empty store under test. */
export interface StoreUnderTest {
  kind: string
  /** Opens it. Each call stands for a process of its own on the same storage. */
  open(): Promise<Blobs>
  /** Puts a file beside the blobs that no `create()` made. */
  addForeignFile(): Promise<void>
  /** An unfinished blob of this length has left something on the storage, whatever happens next. */
  traceBytes: number
}

/** Undefined when a store cannot be had here, which the test has said. */
const kinds: Record<string, (t: Test) => Promise<StoreUnderTest | undefined>> = {
  disk: async t => {
    const root = t.testdir()
    return {
      kind: 'disk',
      open: () => openDiskBlobs(root),
      async addForeignFile() {
        const shard = newBlobName().slice(0, 2)
        await writeFile(join(root, 'blobs', shard, `${shard}-notes.txt`), 'not a blob')
        await writeFile(join(root, 'incoming', 'notes.txt'), 'not a blob')
      },
      traceBytes: 1
    }
  },
  s3: async t => {
    const server = await s3Server(t)
    if (server === undefined) return undefined
    // What an earlier process left is swept at once.
    const settings = s3Settings(server, { unfinishedHoursMax: 0 })
    return {
      kind: 's3',
      async open() {
        const blobs = openS3Blobs(settings)
        t.teardown(() => blobs.close())
        return blobs
      },
      async addForeignFile() {
        const s3 = connectS3(settings, s3Patience)
        const shard = newBlobName().slice(0, 2)
        const place = (key: string) => ({ Bucket: settings.bucket, Key: settings.prefix + key })
        await s3.client.send(new PutObjectCommand({ ...place(`${shard}/notes.txt`), Body: 'no' }))
        await s3.client.send(new PutObjectCommand({ ...place(newBlobName()), Body: 'no' }))
        await s3.client.send(new CreateMultipartUploadCommand(place('notes.txt')))
        disconnectS3(s3)
      },
      // The first part is sent once it is known not to be the last.
      traceBytes: settings.partBytes + 1
    }
  }
}

/** Runs one test on every kind of store, each time on an empty one of its own. */
export function eachStore(
  title: string,
  story: (t: Test, store: StoreUnderTest) => Promise<void>
): void {
  for (const [kind, make] of Object.entries(kinds)) {
    t.test(`${kind}: ${title}`, async t => {
      const store = await make(t)
      if (store !== undefined) await story(t, store)
    })
  }
}
