import { errors } from 'oidc-provider'
import t from 'tap'
import { oidcAdapters, removeExpired } from '../../src/identity/oidc-adapter.ts'
import { openTestData, type TestData } from '../helpers/data.ts'
import { enrol } from '../helpers/identity.ts'

const MINUTE = 60_000

const seconds = (data: TestData, ahead: number) => Math.floor(data.clock() / 1000) + ahead

const rowsOf = (data: TestData) =>
  data.database.read.select().from(data.database.read.tables.oidcPayloads)

t.test('what is put in comes out', async t => {
  const data = await openTestData(t)
  const codes = oidcAdapters(data)('AuthorizationCode')
  const payload = { jti: 'code-1', exp: seconds(data, 60), clientId: 'pacs', grantId: 'grant-1' }

  await codes.upsert('code-1', payload, 60)
  t.same(await codes.find('code-1'), payload)
  t.equal(await codes.find('code-2'), undefined)
  t.equal(await oidcAdapters(data)('Session').find('code-1'), undefined, 'of its own model only')

  await codes.upsert('code-1', { ...payload, clientId: 'epr' }, 60)
  t.match(await codes.find('code-1'), { clientId: 'epr' }, 'overwritten')

  await codes.destroy('code-1')
  t.equal(await codes.find('code-1'), undefined)
})

t.test('an id that is a secret is not stored', async t => {
  const data = await openTestData(t)
  const codes = oidcAdapters(data)('AuthorizationCode')
  await codes.upsert('secret-code', { jti: 'secret-code', exp: seconds(data, 60) }, 60)
  const rows = await rowsOf(data)
  t.equal(rows.length, 1)
  t.notMatch(JSON.stringify(rows), /secret-code/)
})

t.test('expiry', async t => {
  const data = await openTestData(t)
  const codes = oidcAdapters(data)('AuthorizationCode')
  await codes.upsert('by-exp', { jti: 'by-exp', exp: seconds(data, 60) }, 3600)
  await codes.upsert('by-ttl', { jti: 'by-ttl' }, 60)
  await codes.upsert('for-ever', { jti: 'for-ever' })
  for (const id of ['by-exp', 'by-ttl', 'for-ever']) t.ok(await codes.find(id), id)

  data.advance(MINUTE)
  t.equal(await codes.find('by-exp'), undefined)
  t.equal(await codes.find('by-ttl'), undefined)
  t.ok(await codes.find('for-ever'))
})

t.test('consumed once', async t => {
  const data = await openTestData(t)
  const codes = oidcAdapters(data)('AuthorizationCode')
  await codes.upsert('code', { jti: 'code', exp: seconds(data, 60) }, 60)

  const tries = await Promise.allSettled(Array.from({ length: 10 }, () => codes.consume('code')))
  t.equal(tries.filter(({ status }) => status === 'fulfilled').length, 1)
  t.match(await codes.find('code'), { consumed: Number }, 'and says so')
  await t.rejects(codes.consume('code'), errors.InvalidGrant)
  await t.rejects(codes.consume('never made'), errors.InvalidGrant)
})

t.test('a revoked grant takes what was given under it', async t => {
  const data = await openTestData(t)
  const codes = oidcAdapters(data)('AuthorizationCode')
  const tokens = oidcAdapters(data)('RefreshToken')
  for (const id of ['a', 'b']) await codes.upsert(id, { jti: id, grantId: 'one' }, 60)
  await codes.upsert('c', { jti: 'c', grantId: 'two' }, 60)
  await tokens.upsert('d', { jti: 'd', grantId: 'one' }, 60)

  await codes.revokeByGrantId('one')
  t.equal(await codes.find('a'), undefined)
  t.equal(await codes.find('b'), undefined)
  t.ok(await codes.find('c'), 'another grant')
  t.ok(await tokens.find('d'), 'another model: the provider asks each')
})

t.test('a replayed assertion finds its place taken', async t => {
  const data = await openTestData(t)
  const replays = oidcAdapters(data)('ReplayDetection')
  const payload = { jti: 'hash', exp: seconds(data, 60) }
  const insert = () => replays.upsert('hash', payload, 60)
  const tries = await Promise.allSettled(Array.from({ length: 10 }, insert))
  t.equal(tries.filter(({ status }) => status === 'fulfilled').length, 1)
  await t.rejects(insert(), errors.InvalidClientAuth)
})

t.test('expired rows go in bounded batches', async t => {
  const data = await openTestData(t)
  const codes = oidcAdapters(data)('AuthorizationCode')
  for (let index = 0; index < 7; index += 1) {
    await codes.upsert(`old-${index}`, { jti: 'x', exp: seconds(data, 60) }, 60)
  }
  await codes.upsert('new', { jti: 'new', exp: seconds(data, 600) }, 600)
  await codes.upsert('for-ever', { jti: 'for-ever' })
  t.equal(await removeExpired(data.database, data.clock(), 5), 0, 'none yet')

  const later = data.clock() + MINUTE
  t.equal(await removeExpired(data.database, later, 5), 5)
  t.equal(await removeExpired(data.database, later, 5), 2)
  t.equal(await removeExpired(data.database, later, 5), 0)
  t.equal((await rowsOf(data)).length, 2)
  t.ok(await codes.find('new'))
})

t.test('clients', async t => {
  const data = await openTestData(t)
  const clients = oidcAdapters(data)('Client')
  const { key } = await enrol(data)
  const { d: _, client_id: id, ...publicKey } = key
  t.same(await clients.find(id), { client_id: id, jwks: { keys: [publicKey] } })
  t.equal(await clients.find('nobody'), undefined)
  for (const change of [
    () => clients.upsert('x', {}, 1),
    () => clients.destroy(id),
    () => clients.consume(id),
    () => clients.revokeByGrantId(id),
    () => clients.findByUid(id),
    () => clients.findByUserCode(id)
  ]) {
    await t.rejects(change(), /off/)
  }
})
