import { randomBytes } from 'node:crypto'
import tap, { type Test } from 'tap'
import { readConfig } from '../../src/config.ts'
import type { S3Settings } from '../../src/config-s3.ts'
import { type S3Server, startS3Server } from './s3-server.ts'

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

async function startForFile(): ReturnType<typeof startS3Server> {
  const server = await startS3Server()
  if ('absent' in server) return server
  tap.teardown(() => server.stop())
  // Shared files and the roles of a machine are the operator's own, and not for tests.
  const none = { AWS_PROFILE: '', AWS_CONFIG_FILE: '/dev/null', AWS_EC2_METADATA_DISABLED: 'true' }
  Object.assign(process.env, none, { AWS_SHARED_CREDENTIALS_FILE: '/dev/null' }, server.credentials)
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
