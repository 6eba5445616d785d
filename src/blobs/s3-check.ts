import { randomBytes } from 'node:crypto'
import {
  DeleteObjectCommand,
  GetObjectCommand,
  GetObjectLockConfigurationCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  PutObjectCommand
} from '@aws-sdk/client-s3'
import type { S3Settings } from '../config-s3.ts'
import { connectS3, disconnectS3, type S3Patience, type S3Store, s3Patience } from './s3-client.ts'
import { nameOf, type S3Trouble, troubleOf } from './s3-errors.ts'
import { encryptionOf } from './s3-parts.ts'

/** What to do about what is wrong with the store as a whole, in the words of the operator. */
const advice: Partial<Record<S3Trouble, string>> = {
  bucket: 'There is no bucket of the name in CONSILIUM_S3_BUCKET. Make it first.',
  region: 'The bucket is in another region than CONSILIUM_S3_REGION says.',
  clock: 'The clock of this machine differs from that of the S3 store. Set it, by NTP.',
  credentials:
    'The S3 store knows no such credentials, or there are none. They come from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, the shared files of AWS_PROFILE, or the role of this machine.',
  busy: 'The S3 store is not able to answer now. Start again later.',
  unreachable: 'The S3 store cannot be reached. Look at CONSILIUM_S3_ENDPOINT and the network.'
}

/**
 * Does once whatever the service will do, on an object that is removed again, and says in sentences
 * for the operator what the store refuses. If it stops half-way, a small object is left under a name
 * that is no blob's, which harms nobody.
 */
export async function findS3Problems(
  settings: S3Settings,
  patience: S3Patience = s3Patience
): Promise<string[]> {
  const store = connectS3(settings, patience)
  const problems: string[] = []
  try {
    for (const [act, permission, work] of stepsOf(store)) {
      const problem = await work().catch(error => describe(error, act, permission))
      if (problem === undefined) continue
      problems.push(problem)
      // The rest would fail by the same.
      if (Object.values(advice).some(text => problem.startsWith(text))) break
    }
  } finally {
    disconnectS3(store)
  }
  return problems
}

type Step = [act: string, permission: string, work: () => Promise<string | undefined>]

function stepsOf(store: S3Store): Step[] {
  const { client, settings } = store
  const { bucket: Bucket, prefix: Prefix, lock } = settings
  const probe = { Bucket, Key: `${Prefix}start-check-${randomBytes(8).toString('hex')}` }
  const done = async (work: Promise<unknown>) => void (await work)
  const steps: Step[] = [
    [
      'list objects',
      's3:ListBucket',
      () => done(client.send(new ListObjectsV2Command({ Bucket, Prefix, MaxKeys: 1 })))
    ],
    [
      'list unfinished uploads',
      's3:ListBucketMultipartUploads',
      () => done(client.send(new ListMultipartUploadsCommand({ Bucket, Prefix, MaxUploads: 1 })))
    ],
    [
      'store an object',
      's3:PutObject',
      () =>
        done(
          client.send(
            new PutObjectCommand({
              ...probe,
              ...encryptionOf(settings),
              Body: 'Consilium was here.',
              ChecksumAlgorithm: 'SHA256',
              IfNoneMatch: '*'
            })
          )
        )
    ],
    [
      'read an object',
      's3:GetObject',
      async () => {
        const { Body } = await client.send(new GetObjectCommand(probe))
        await Body?.transformToByteArray()
        return undefined
      }
    ],
    ['remove an object', 's3:DeleteObject', () => done(client.send(new DeleteObjectCommand(probe)))]
  ]
  if (lock) steps.push(['tell its Object Lock', 's3:GetBucketObjectLockConfiguration', hasLock])
  return steps

  async function hasLock(): Promise<string | undefined> {
    const missing =
      'CONSILIUM_S3_OBJECT_LOCK_DAYS is set, but the bucket has no Object Lock. It can only be given to a bucket with versioning.'
    try {
      const answer = await client.send(new GetObjectLockConfigurationCommand({ Bucket }))
      const isOn = answer.ObjectLockConfiguration?.ObjectLockEnabled === 'Enabled'
      return isOn ? undefined : missing
    } catch (error) {
      if (nameOf(error) === 'ObjectLockConfigurationNotFoundError') return missing
      throw error
    }
  }
}

function describe(error: unknown, act: string, permission: string): string {
  const trouble = troubleOf(error)
  const known = trouble && advice[trouble]
  const code = error instanceof Error && 'code' in error ? String(error.code) : nameOf(error)
  if (known !== undefined) return `${known} (${code})`
  if (trouble === 'permission') return `The S3 store does not let us ${act}: allow ${permission}.`
  return `The S3 store could not ${act} (${code}).`
}
