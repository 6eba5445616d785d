import { randomBytes } from 'node:crypto'
import tap, { type Test } from 'tap'
import { readConfig } from '../../src/config.ts'
import type { S3Settings } from '../../src/config-s3.ts'
import { onlyCredentials, type S3Server, serverAt, startS3Server } from './s3-server.ts'

let starting: ReturnType<typeof startS3Server> | undefined

/**
 * The S3 server of this test file, with its credentials in the environment. Where services must be,
 * a machine that cannot have it fails the test; elsewhere the test says that it was skipped, and
 * there is none.
 */
export async function s3Server(t: Test): Promise<S3Server | undefined> {
  starting ??= startForFile()
  const server = await starting
  if (!('absent' in server)) return server
  if (process.env.CI_SERVICES === 'required') t.fail(server.absent)
  else t.pass(`skipped: ${server.absent}`, { skip: server.absent })
  return undefined
}

/**
 * Tests that look into the directory of the disk store, or say what is in it: they keep their objects
 * on the disk in every run.
 */
const ON_DISK =
  /test\/(faults\/(kill|upload-abort|upload-malformed|database-faults|blob-faults|damage|keyring|scan-faults|scan-kill|stop)|housekeeping\/clean-up|scripts\/(check-exchange|key-service|open-object)|backup\/\w+|moving\/\w+|records\/scan\/\w+|uploads\/(?!kill)\w+|deployment\/nginx|secrets)\.test\.ts$/

/**
 * What the store is to be for an exchange of this test: the directory, or with TEST_STORE=s3 a prefix
 * of its own on the server of the run, with the credentials for its scripts.
 */
export function storeSettings(): Record<string, string> {
  const server = serverOfRun()
  if (server === undefined || ON_DISK.test(process.argv[1] ?? '')) return {}
  return { ...server.env(newPrefix()), ...server.credentials }
}

/** The server that scripts/test.ts has started for all files of a run. */
function serverOfRun(): S3Server | undefined {
  const { TEST_STORE, TEST_S3_URL, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY } = process.env
  if (TEST_STORE !== 's3') return undefined
  if (!TEST_S3_URL || !AWS_ACCESS_KEY_ID || !AWS_SECRET_ACCESS_KEY) {
    throw new Error('TEST_STORE=s3 needs the server that npm test starts.')
  }
  return serverAt(TEST_S3_URL, { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY })
}

async function startForFile(): ReturnType<typeof startS3Server> {
  const shared = serverOfRun()
  if (shared !== undefined) return shared
  const server = await startS3Server()
  if ('absent' in server) return server
  tap.teardown(() => server.stop())
  Object.assign(process.env, onlyCredentials(server))
  return server
}

/** A prefix that no other test uses: an empty store. */
export function newPrefix(): string {
  return `test/${randomBytes(6).toString('hex')}`
}

/** Settings for an empty store on this server. */
export function s3Settings(server: S3Server, change: Partial<S3Settings> = {}): S3Settings {
  const { s3 } = readConfig(server.env(newPrefix()))
  if (s3 === undefined) throw new Error('The settings name no bucket.')
  return { ...s3, ...change }
}
