import {
  DeleteObjectCommand,
  GetObjectRetentionCommand,
  ListObjectVersionsCommand,
  PutObjectCommand,
  PutObjectRetentionCommand
} from '@aws-sdk/client-s3'
import t, { type Test } from 'tap'
import { newBlobName } from '../../src/blobs/blobs.ts'
import { openS3Blobs } from '../../src/blobs/s3.ts'
import { connectS3, disconnectS3, keyOf, s3Patience } from '../../src/blobs/s3-client.ts'
import { s3Server, s3Settings } from '../helpers/s3.ts'
import type { S3Server } from '../helpers/s3-server.ts'

/** A store in this bucket, with a way to look at all that the bucket has of a blob. */
function storeIn(t: Test, server: S3Server, bucket: string) {
  const settings = s3Settings(server, { bucket })
  const blobs = openS3Blobs(settings)
  const s3 = connectS3(settings, s3Patience)
  t.teardown(async () => {
    disconnectS3(s3)
    await blobs.close()
  })
  const place = (name: string) => ({ Bucket: bucket, Key: keyOf(s3, name) })
  return {
    blobs,
    s3,
    place,
    async put(name: string, text: string) {
      const made = await s3.client.send(new PutObjectCommand({ ...place(name), Body: text }))
      return made.VersionId
    },
    async versions(name: string) {
      const { Bucket, Key } = place(name)
      const found = await s3.client.send(new ListObjectVersionsCommand({ Bucket, Prefix: Key }))
      return { versions: found.Versions?.length ?? 0, markers: found.DeleteMarkers?.length ?? 0 }
    },
    async shown() {
      const names = []
      for await (const { name } of blobs.list()) names.push(name)
      return names
    }
  }
}

t.test('a bucket that keeps versions keeps none of a blob that is removed', async t => {
  const server = await s3Server(t)
  if (server === undefined) return
  const { blobs, s3, put, versions, place } = storeIn(t, server, server.lockedBucket)
  const [name, other] = [newBlobName(), newBlobName()]
  await put(name, 'first')
  await put(name, 'second')
  await put(other, 'of another')
  await s3.client.send(new DeleteObjectCommand(place(name)))
  t.same(await versions(name), { versions: 2, markers: 1 }, 'to delete it only hides it')
  t.equal(await blobs.remove(name), 'gone')
  t.same(await versions(name), { versions: 0, markers: 0 }, 'nothing is left')
  t.equal(await blobs.remove(name), 'gone', 'it may be repeated')
  t.same(await versions(other), { versions: 1, markers: 0 }, 'nothing else went')
})

t.test('a bucket without versions', async t => {
  const server = await s3Server(t)
  if (server === undefined) return
  const { blobs, put, shown } = storeIn(t, server, server.bucket)
  const name = newBlobName()
  await put(name, 'once')
  t.same(await shown(), [name])
  t.equal(await blobs.remove(name), 'gone')
  t.same(await shown(), [])
  t.equal(await blobs.remove(name), 'gone')
})

t.test('what Object Lock keeps is hidden, and told of', async t => {
  const server = await s3Server(t)
  if (server === undefined) return
  const { blobs, s3, put, place, versions, shown } = storeIn(t, server, server.lockedBucket)
  const name = newBlobName()
  const VersionId = await put(name, 'locked')
  const RetainUntilDate = new Date(Date.now() + 60_000)
  const lock = { Mode: 'COMPLIANCE', RetainUntilDate } as const
  await s3.client.send(
    new PutObjectRetentionCommand({ ...place(name), VersionId, Retention: lock })
  )
  t.ok(await s3.client.send(new GetObjectRetentionCommand({ ...place(name), VersionId })))
  t.equal(await blobs.remove(name), 'kept')
  t.same(await shown(), [], 'but nobody is shown it')
  t.match(await versions(name), { versions: 1 }, 'and it is there')
  t.equal(await blobs.remove(name), 'kept', 'as often as it is tried')
  t.same(await shown(), [], 'still')
  t.same(await versions(name), { versions: 1, markers: 1 }, 'no marker heaps up on another')
})
