import { randomBytes } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3'
import { buildPeer } from '../peers/go.ts'
import { startOnFreePort } from './local-server.ts'

const REGION = 'eu-west-2'
const BUCKETS = { bucket: 'sealed-objects', lockedBucket: 'locked-objects' }

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
  try {
    await makeBuckets(endpoint, credentials)
  } catch (err) {
    await stop()
    throw err
  }
  return { ...serverAt(endpoint, credentials), stop }
}

/** A server that somebody else has started, and will stop. */
export function serverAt(endpoint: string, credentials: S3Server['credentials']): S3Server {
  return {
    endpoint,
    region: REGION,
    ...BUCKETS,
    credentials,
    env: prefix => ({
      CONSILIUM_S3_ENDPOINT: endpoint,
      CONSILIUM_S3_REGION: REGION,
      CONSILIUM_S3_BUCKET: BUCKETS.bucket,
      CONSILIUM_S3_PREFIX: prefix,
      CONSILIUM_S3_PATH_STYLE: 'yes'
    }),
    stop: async () => {}
  }
}

/** An environment in which the standard chain finds the credentials of this server, and no others. */
export function onlyCredentials({ credentials }: Pick<S3Server, 'credentials'>) {
  // Shared files and the roles of a machine are the operator's own, and not for tests.
  const none = { AWS_PROFILE: '', AWS_CONFIG_FILE: '/dev/null', AWS_EC2_METADATA_DISABLED: 'true' }
  return { ...none, AWS_SHARED_CREDENTIALS_FILE: '/dev/null', ...credentials }
}

async function makeBuckets(
  endpoint: string,
  { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY }: S3Server['credentials']
): Promise<void> {
  const client = new S3Client({
    endpoint,
    region: REGION,
    forcePathStyle: true,
    credentials: { accessKeyId: AWS_ACCESS_KEY_ID, secretAccessKey: AWS_SECRET_ACCESS_KEY }
  })
  try {
    await client.send(new CreateBucketCommand({ Bucket: BUCKETS.bucket }))
    await client.send(
      new CreateBucketCommand({ Bucket: BUCKETS.lockedBucket, ObjectLockEnabledForBucket: true })
    )
  } finally {
    client.destroy()
  }
}
