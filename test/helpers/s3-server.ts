import { randomBytes } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3'
import { buildPeer } from '../peers/go.ts'
import { startOnFreePort } from './local-server.ts'

const REGION = 'eu-west-2'

/** A real S3 server on 127.0.0.1, with an empty bucket. */
export interface S3Server {
  endpoint: string
  region: string
  bucket: string
  /** A bucket with Object Lock, and therefore with versions. */
  lockedBucket: string
  /** Known to nobody else. In the environment they are what the standard chain finds. */
  credentials: { AWS_ACCESS_KEY_ID: string; AWS_SECRET_ACCESS_KEY: string }
  /** The settings by which the service uses it, as the environment gives them. */
  env(prefix: string): Record<string, string>
  stop(): Promise<void>
}

/**
 * Starts versitygw (docs/decisions/0012-versitygw-as-s3-server.md) on a temporary directory, built
 * on first use; says why if it cannot be had. Whoever starts it stops it.
 */
export async function startS3Server(): Promise<S3Server | { absent: string }> {
  const peer = buildPeer('versitygw')
  if ('absent' in peer) return peer
  const directory = mkdtempSync(join(tmpdir(), 's3-server-'))
  const credentials = {
    AWS_ACCESS_KEY_ID: randomBytes(10).toString('hex'),
    AWS_SECRET_ACCESS_KEY: randomBytes(20).toString('hex')
  }
  const folders = ['data', 'metadata', 'versions'].map(name => join(directory, name))
  for (const folder of folders) mkdirSync(folder)
  const [data = '', metadata = '', versions = ''] = folders
  // Beside the objects, because not every temporary file system has extended attributes.
  const backend = ['posix', '--sidecar', metadata, '--versioning-dir', versions, data]
  const options = ['--region', REGION, '--keep-alive', '--quiet', ...backend]
  const server = await startOnFreePort(
    port => ({
      command: peer.path,
      args: ['--port', `127.0.0.1:${port}`, ...options],
      env: {
        ROOT_ACCESS_KEY: credentials.AWS_ACCESS_KEY_ID,
        ROOT_SECRET_KEY: credentials.AWS_SECRET_ACCESS_KEY
      },
      cwd: directory
    }),
    { path: '/', status: 403 }
  )
  const endpoint = server.url
  const stop = async () => {
    await server.stop()
    rmSync(directory, { recursive: true, force: true })
  }
  const [bucket, lockedBucket] = ['sealed-objects', 'locked-objects']
  try {
    await makeBuckets(endpoint, credentials, bucket, lockedBucket)
  } catch (err) {
    await stop()
    throw err
  }
  return {
    endpoint,
    region: REGION,
    bucket,
    lockedBucket,
    credentials,
    env: prefix => ({
      CONSILIUM_S3_ENDPOINT: endpoint,
      CONSILIUM_S3_REGION: REGION,
      CONSILIUM_S3_BUCKET: bucket,
      CONSILIUM_S3_PREFIX: prefix,
      CONSILIUM_S3_PATH_STYLE: 'yes'
    }),
    stop
  }
}

async function makeBuckets(
  endpoint: string,
  { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY }: S3Server['credentials'],
  bucket: string,
  lockedBucket: string
): Promise<void> {
  const client = new S3Client({
    endpoint,
    region: REGION,
    forcePathStyle: true,
    credentials: { accessKeyId: AWS_ACCESS_KEY_ID, secretAccessKey: AWS_SECRET_ACCESS_KEY }
  })
  try {
    await client.send(new CreateBucketCommand({ Bucket: bucket }))
    await client.send(
      new CreateBucketCommand({ Bucket: lockedBucket, ObjectLockEnabledForBucket: true })
    )
  } finally {
    client.destroy()
  }
}
