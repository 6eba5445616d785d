import { existsSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { openS3Blobs } from '../../src/blobs/s3.ts'
import { findS3Problems } from '../../src/blobs/s3-check.ts'
import { type S3Patience, s3Patience } from '../../src/blobs/s3-client.ts'
import { type Config, ConfigError, readConfig } from '../../src/config.ts'
import type { S3Settings } from '../../src/config-s3.ts'
import { dataPaths, prepareData } from '../../src/open-data.ts'
import { faultProxy } from '../helpers/fault-proxy.ts'
import { newPrefix, s3Server, s3Settings } from '../helpers/s3.ts'
import { entries, store } from './conformance.ts'

// What the service says at its start when it could not work with the S3 store.

const hasty: S3Patience = { ...s3Patience, attemptsMax: 2 }

/** Other credentials in the environment for as long as `act` runs. */
async function withCredentials<T>(
  credentials: Record<string, string>,
  act: () => Promise<T>
): Promise<T> {
  const names = ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY']
  const before = names.map(name => [name, process.env[name] ?? ''])
  for (const name of names) {
    const value = credentials[name]
    if (value === undefined) delete process.env[name]
    else process.env[name] = value
  }
  return await act().finally(() => Object.assign(process.env, Object.fromEntries(before)))
}

t.test('a store with which all is well has no problem and nothing left in it', async t => {
  const server = await s3Server(t)
  if (server === undefined) return
  const settings = s3Settings(server)
  const proxy = await faultProxy(t, server.endpoint)
  t.same(await findS3Problems({ ...settings, endpoint: proxy.url }), [])
  const [stored, removed] = ['PUT', 'DELETE'].map(wanted =>
    proxy.requests.filter(({ method }) => method === wanted).map(({ url }) => url.split('?')[0])
  )
  t.equal(stored?.length, 1)
  t.same(removed, stored)
  const lock = { mode: 'GOVERNANCE', days: 1 } as const
  t.same(await findS3Problems({ ...settings, bucket: server.lockedBucket, lock }), [])
})

const wrong: [string, Partial<S3Settings>, RegExp][] = [
  [
    'a missing bucket',
    { bucket: 'no-such-bucket' },
    /no bucket of the name in CONSILIUM_S3_BUCKET/
  ],
  ['another region', { region: 'us-east-1' }, /another region than CONSILIUM_S3_REGION says/],
  ['nobody there', { endpoint: 'http://127.0.0.1:9' }, /cannot be reached.*ECONNREFUSED/],
  ['no such host', { endpoint: 'https://s3.invalid' }, /cannot be reached/],
  [
    'a lock that the bucket has not',
    { lock: { mode: 'COMPLIANCE', days: 1 } },
    /the bucket has no Object Lock/
  ]
]

for (const [what, change, problem] of wrong) {
  t.test(`${what} is one problem, with what to do`, async t => {
    const server = await s3Server(t)
    if (server === undefined) return
    const problems = await findS3Problems(s3Settings(server, change), hasty)
    t.equal(problems.length, 1)
    t.match(problems[0], problem)
  })
}

t.test('credentials that are missing, unknown or wrong', async t => {
  const server = await s3Server(t)
  if (server === undefined) return
  const { credentials } = server
  for (const given of [
    {},
    { ...credentials, AWS_ACCESS_KEY_ID: 'nobody' },
    { ...credentials, AWS_SECRET_ACCESS_KEY: 'not-the-secret' }
  ]) {
    const problems = await withCredentials(given, () => findS3Problems(s3Settings(server), hasty))
    t.equal(problems.length, 1)
    t.match(problems[0], /knows no such credentials, or there are none/)
    t.notMatch(problems[0], /nobody|not-the-secret/)
  }
})

t.test('a clock that is an hour ahead', async t => {
  const server = await s3Server(t)
  if (server === undefined) return
  const Machine = Date
  class Ahead extends Machine {
    constructor(moment: number | string | Date = Machine.now() + 3_600_000) {
      super(moment)
    }
  }
  t.intercept(globalThis, 'Date', { value: Ahead, configurable: true })
  const problems = await findS3Problems(s3Settings(server), hasty)
  t.equal(problems.length, 1)
  t.match(problems[0], /clock of this machine differs/)
})

t.test('permissions that are missing are named, all of them', async t => {
  const server = await s3Server(t)
  if (server === undefined) return
  const proxy = await faultProxy(t, server.endpoint)
  const isProbe = (url: string) => url.includes('start-check')
  proxy.fail(({ url }) => url.includes('uploads'), { answer: 403, code: 'AccessDenied' })
  proxy.fail(({ method, url }) => method === 'DELETE' && isProbe(url), {
    answer: 403,
    code: 'AccessDenied'
  })
  t.match(await findS3Problems(s3Settings(server, { endpoint: proxy.url }), hasty), [
    /allow s3:ListBucketMultipartUploads/,
    /allow s3:DeleteObject/
  ])
})

function newConfig(t: Test, env: Record<string, string>): Config {
  return readConfig({ CONSILIUM_DATA: join(t.testdir(), 'data'), ...env })
}

t.test('the service makes no data while its store cannot be used', async t => {
  const server = await s3Server(t)
  if (server === undefined) return
  const env = { ...server.env(newPrefix()), CONSILIUM_S3_BUCKET: 'no-such-bucket' }
  const config = newConfig(t, env)
  const failure = await prepareData(config).catch(error => error)
  t.ok(failure instanceof ConfigError)
  t.match(failure.message, /There is no bucket of the name/)
  t.notOk(existsSync(dataPaths(config.dataDirectory).keyring))
  const data = await prepareData({ ...config, s3: s3Settings(server) })
  data.release()
})

t.test('a new database is not put beside objects that it would not know', async t => {
  const server = await s3Server(t)
  if (server === undefined) return
  const config = newConfig(t, server.env(newPrefix()))
  t.ok(config.s3)
  if (config.s3 === undefined) return
  const blobs = openS3Blobs(config.s3)
  await store(blobs, Buffer.from('sealed'))
  t.equal((await entries(blobs)).length, 1)
  await blobs.close()
  await t.rejects(prepareData(config), /consilium\.db is missing, yet there are sealed objects/)
})
