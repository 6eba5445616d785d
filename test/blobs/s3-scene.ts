import { createHash } from 'node:crypto'
import { ListMultipartUploadsCommand } from '@aws-sdk/client-s3'
import type { Test } from 'tap'
import type { Blobs } from '../../src/blobs/blobs.ts'
import { openS3Blobs } from '../../src/blobs/s3.ts'
import { connectS3, disconnectS3, type S3Patience, s3Patience } from '../../src/blobs/s3-client.ts'
import type { S3Settings } from '../../src/config-s3.ts'
import { type FaultProxy, faultProxy, type ProxiedRequest } from '../helpers/fault-proxy.ts'
import { s3Server, s3Settings } from '../helpers/s3.ts'

export const MIB = 1_048_576
export const PART = 8 * MIB

/** Enough for a loopback, so that no test waits long for what never comes. */
export const hasty: S3Patience = { ...s3Patience, attemptsMax: 3, idleMilliseconds: 500 }

export interface Scene {
  settings: S3Settings
  proxy: FaultProxy
  blobs: Blobs
  /** The numbers of uploads that nobody completed. */
  uploads(): Promise<number>
}

/** A store on a real server behind a proxy that fails when told to. */
export async function scene(t: Test, change: Partial<S3Settings> = {}): Promise<Scene | undefined> {
  const server = await s3Server(t)
  if (server === undefined) return undefined
  const proxy = await faultProxy(t, server.endpoint)
  const settings = s3Settings(server, { ...change, endpoint: proxy.url })
  const blobs = openS3Blobs(settings, hasty)
  t.teardown(() => blobs.close())
  return {
    settings,
    proxy,
    blobs,
    async uploads() {
      const s3 = connectS3({ ...settings, endpoint: server.endpoint }, hasty)
      const place = { Bucket: settings.bucket, Prefix: settings.prefix }
      const { Uploads } = await s3.client.send(new ListMultipartUploadsCommand(place))
      disconnectS3(s3)
      return Uploads?.length ?? 0
    }
  }
}

export const isPut = ({ method, url }: ProxiedRequest) =>
  method === 'PUT' && !url.includes('partNumber')
export const isPart = ({ method, url }: ProxiedRequest) =>
  method === 'PUT' && url.includes('partNumber')
export const isComplete = ({ method, url }: ProxiedRequest) =>
  method === 'POST' && /uploadId/.test(url)
export const isGet = ({ method, url }: ProxiedRequest) =>
  method === 'GET' && !url.includes('list-type')

/** The same bytes at every start, a mebibyte at a time. */
export function block(n: number): Buffer {
  return Buffer.alloc(MIB, createHash('sha256').update(String(n)).digest())
}
