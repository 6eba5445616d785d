import {
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  GetObjectCommand,
  S3Client,
  UploadPartCommand
} from '@aws-sdk/client-s3'
import { bodyOf, MIB } from './bodies.ts'

// The baseline of transfers through S3: the same server, driven by the AWS SDK alone in a process of
// its own, with as many parts of the same length under way as the service has.

export interface DirectTask {
  kind: 'upload' | 'download'
  endpoint: string
  region: string
  bucket: string
  key: string
  bytes: number
}

const PART_BYTES = 8 * MIB
const PARTS_AT_ONCE = 3

process.on('message', async (task: DirectTask) => {
  const { endpoint, region } = task
  const client = new S3Client({ endpoint, region, forcePathStyle: true })
  try {
    const began = performance.now()
    const bytes = await (task.kind === 'upload' ? upload(client, task) : download(client, task))
    const seconds = (performance.now() - began) / 1000
    const { user, system } = process.cpuUsage()
    const cpu = (user + system) / 1e6
    const done = { status: 200, seconds, bytes, clientCpuSeconds: cpu, clientLifeCpuSeconds: cpu }
    process.send?.({ done })
  } catch (err) {
    process.send?.({ failed: err instanceof Error ? err.message : String(err) })
  }
})
process.on('disconnect', () => process.exit())

async function upload(client: S3Client, task: DirectTask): Promise<number> {
  const place = { Bucket: task.bucket, Key: task.key }
  const { UploadId } = await client.send(new CreateMultipartUploadCommand(place))
  const parts = partsOf(task.bytes)
  const Parts: { ETag: string | undefined; PartNumber: number }[] = []
  let bytes = 0
  const work = async () => {
    for (let next = parts.next(); !next.done; next = parts.next()) {
      const { number: PartNumber, body: Body } = next.value
      const command = new UploadPartCommand({ ...place, UploadId, PartNumber, Body })
      const { ETag } = await client.send(command)
      Parts.push({ ETag, PartNumber })
      bytes += Body.length
    }
  }
  await Promise.all(Array.from({ length: PARTS_AT_ONCE }, work))
  Parts.sort((a, b) => a.PartNumber - b.PartNumber)
  const MultipartUpload = { Parts }
  await client.send(new CompleteMultipartUploadCommand({ ...place, UploadId, MultipartUpload }))
  return bytes
}

/** The bytes that the client of the service sends, gathered as any sender has to. */
function* partsOf(bytes: number): Generator<{ number: number; body: Buffer }> {
  let [body, filled, number] = [Buffer.allocUnsafe(PART_BYTES), 0, 1]
  for (const piece of bodyOf({ form: false, files: 1, bytesEach: bytes }).pieces()) {
    filled += piece.copy(body, filled)
    if (filled < PART_BYTES) continue
    yield { number, body }
    ;[body, filled, number] = [Buffer.allocUnsafe(PART_BYTES), 0, number + 1]
  }
  if (filled > 0) yield { number, body: body.subarray(0, filled) }
}

async function download(client: S3Client, { bucket, key }: DirectTask): Promise<number> {
  const { Body } = await client.send(new GetObjectCommand({ Bucket: bucket, Key: key }))
  let bytes = 0
  for await (const piece of Body as AsyncIterable<Buffer>) bytes += piece.length
  return bytes
}
