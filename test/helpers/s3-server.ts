import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3'
import { buildPeer } from '../peers/go.ts'

const REGION = 'eu-west-2'
const STARTS = 5
const TRIES = 200
const TRY_EVERY_MILLISECONDS = 50

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
  const { child, endpoint } = await startOnFreePort(peer.path, directory, credentials)
  const stop = async () => {
    await end(child)
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

/** Somebody else may take the port between our look and the server's; then another is tried. */
async function startOnFreePort(
  path: string,
  directory: string,
  credentials: S3Server['credentials']
): Promise<{ child: ChildProcess; endpoint: string }> {
  const folders = ['data', 'metadata', 'versions'].map(name => join(directory, name))
  for (const folder of folders) mkdirSync(folder)
  const [data = '', metadata = '', versions = ''] = folders
  for (let start = 0; start < STARTS; start += 1) {
    const address = `127.0.0.1:${await freePort()}`
    const server = ['--port', address, '--region', REGION, '--keep-alive', '--quiet']
    // Beside the objects, because not every temporary file system has extended attributes.
    const backend = ['posix', '--sidecar', metadata, '--versioning-dir', versions, data]
    const child = spawn(path, [...server, ...backend], {
      env: {
        ROOT_ACCESS_KEY: credentials.AWS_ACCESS_KEY_ID,
        ROOT_SECRET_KEY: credentials.AWS_SECRET_ACCESS_KEY
      },
      stdio: 'ignore'
    })
    const endpoint = `http://${address}`
    if (await answers(child, endpoint)) return { child, endpoint }
    await end(child)
  }
  rmSync(directory, { recursive: true, force: true })
  throw new Error('versitygw does not start.')
}

async function answers(child: ChildProcess, endpoint: string): Promise<boolean> {
  for (let n = 0; n < TRIES && child.exitCode === null; n += 1) {
    const answer = await fetch(endpoint).catch(() => undefined)
    await answer?.arrayBuffer()
    if (answer?.status === 403) return true
    await pause(TRY_EVERY_MILLISECONDS)
  }
  return false
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

async function freePort(): Promise<number> {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  child.kill('SIGKILL')
  await once(child, 'exit')
}
