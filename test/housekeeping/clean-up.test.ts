import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { openDisclosures } from '../../src/audit/disclosures.ts'
import { BlobError, type Blobs, type BlobWriter } from '../../src/blobs/blobs.ts'
import { openDiskBlobs } from '../../src/blobs/disk.ts'
import type { Exchange } from '../../src/exchange.ts'
import { cleanUp, removeOrphans } from '../../src/housekeeping/clean-up.ts'
import { openTestData } from '../helpers/data.ts'
import { TEST_DATABASE } from '../helpers/databases.ts'
import { eventually, sampleFile, sharedRecord, startExchange } from '../helpers/exchange.ts'
import { letter } from '../samples/samples.ts'

const SOON = 60_000
/** Where other processes may be uploading, a blob must be older. */
const LATER = TEST_DATABASE === 'postgres' ? 49 * 3_600_000 : 3_600_000

async function storeBlob(blobs: Blobs): Promise<BlobWriter> {
  const writer = await blobs.create()
  await writer.write(Buffer.from('sealed'))
  await writer.commit()
  return writer
}

async function namesIn(blobs: Blobs): Promise<string[]> {
  const names = []
  for await (const { name } of blobs.list()) names.push(name)
  return names.sort()
}

/** Data and a blob store, with what housekeeping needs of an exchange. */
async function setUp(t: Test) {
  const data = await openTestData(t)
  const blobs = await openDiskBlobs(join(data.directory, 'objects'))
  t.teardown(() => blobs.close())
  const disclosures = openDisclosures(data.database, data.audit, data.clock)
  return { ...data, blobs, disclosures } as typeof data & { blobs: Blobs } & Exchange
}

/** A whole round of housekeeping, which ends with the sweep. Of unfinished blobs it finds two. */
async function oneRound(exchange: Exchange, sharedHours?: number): Promise<void> {
  const swept = Promise.withResolvers<void>()
  const sweepUnfinished = async () => {
    swept.resolve()
    return 2
  }
  const blobs = { ...exchange.blobs, sweepUnfinished }
  const housekeeping = cleanUp({ ...exchange, blobs }, sharedHours)
  await swept.promise
  await housekeeping.stop()
}

t.test('a blob that no object names is removed, one that an object names is kept', async t => {
  const x = await startExchange(t)
  await sharedRecord(x, [sampleFile(letter)])
  const { blobs } = x.exchange
  const kept = await namesIn(blobs)
  await storeBlob(blobs)
  t.equal(await removeOrphans(x.exchange, Date.now() + SOON), 1)
  t.strictSame(await namesIn(blobs), kept)
  t.equal(await removeOrphans(x.exchange, Date.now() + SOON), 0, 'safe to repeat')
})

t.test('what was stored since the process began may still be named', async t => {
  const exchange = await setUp(t)
  await storeBlob(exchange.blobs)
  t.equal(await removeOrphans(exchange, Date.now() - SOON), 0)
  t.equal((await namesIn(exchange.blobs)).length, 1)
})

t.test('in a shared store, only what is older than any upload is an orphan', async t => {
  const exchange = await setUp(t)
  await storeBlob(exchange.blobs)
  exchange.advance(SOON)
  await oneRound(exchange, 1)
  t.equal((await namesIn(exchange.blobs)).length, 1, 'another process may be about to name it')
  exchange.advance(3_600_000)
  await oneRound(exchange, 1)
  t.same(await namesIn(exchange.blobs), [])
})

t.test('what is being uploaded is kept when the clock was put back since the start', async t => {
  // Given a start at which the clock was an hour ahead, and a round that is under way.
  const exchange = await setUp(t)
  const goOn = Promise.withResolvers<void>()
  const recover = () => goOn.promise.then(() => 0)
  const disclosures = { ...exchange.disclosures, recover }
  exchange.advance(3_600_000)
  const swept = Promise.withResolvers<void>()
  const sweepUnfinished = async () => {
    swept.resolve()
    return 0
  }
  const blobs = { ...exchange.blobs, sweepUnfinished }
  const housekeeping = cleanUp({ ...exchange, blobs, disclosures })

  // When it is put right, and then a file comes whose record is still to come.
  exchange.advance(-3_600_000)
  await storeBlob(exchange.blobs)
  goOn.resolve()
  await swept.promise
  await housekeeping.stop()
  t.equal((await namesIn(exchange.blobs)).length, 1)
})

t.test('what came before housekeeping began is kept too, if it came to this process', async t => {
  const exchange = await setUp(t)
  await storeBlob(exchange.blobs)
  await sleep(20)
  await oneRound(exchange)
  t.equal((await namesIn(exchange.blobs)).length, 1, 'its record may be about to be stored')
})

t.test('a round of housekeeping that takes long is not followed by all it held up', async t => {
  // Given a round that is under way.
  const exchange = await setUp(t)
  const goOn = Promise.withResolvers<void>()
  let rounds = 0
  const recover = () => {
    rounds += 1
    return goOn.promise.then(() => 0)
  }
  const disclosures = { ...exchange.disclosures, recover }
  const { setInterval } = globalThis
  t.teardown(() => Object.assign(globalThis, { setInterval }))
  const due: (() => void)[] = []
  const never = (work: () => void) => {
    due.push(work)
    return { unref() {} }
  }
  Object.assign(globalThis, { setInterval: never })
  const housekeeping = cleanUp({ ...exchange, disclosures })
  Object.assign(globalThis, { setInterval })
  await eventually('it is under way', async () => (rounds === 1 ? true : undefined))

  // When the time of three more comes, and then that of the end.
  for (let times = 0; times < 3; times += 1) for (const work of due) work()
  const stopped = housekeeping.stop()
  goOn.resolve()
  await stopped
  t.equal(rounds, 1, 'a stop waits for one round')
})

t.test('what an upload left unfinished is removed too', async t => {
  const exchange = await setUp(t)
  await oneRound(exchange)
  t.match(exchange.logged(), /"unfinished":2/)
})

t.test('more than one batch, and a stop in between', async t => {
  const exchange = await setUp(t)
  const { blobs } = exchange
  const count = 502
  for (let i = 0; i < count; i += 1) await storeBlob(blobs)
  let looks = 0
  const removed = await removeOrphans(exchange, Date.now() + SOON, () => {
    looks += 1
    return looks <= 501
  })
  t.equal(removed, 500, 'a whole batch')
  t.equal((await namesIn(blobs)).length, 2)
  t.equal(await removeOrphans(exchange, Date.now() + SOON), 2, 'the rest the next time')
})

t.test('it begins at once, says what it did, and stops when told to', async t => {
  const exchange = await setUp(t)
  await storeBlob(exchange.blobs)
  exchange.advance(LATER)
  const housekeeping = cleanUp(exchange)
  await eventually('the orphan is removed', async () =>
    (await namesIn(exchange.blobs)).length === 0 ? true : undefined
  )
  await housekeeping.stop()
  t.match(exchange.logged(), /"orphans":1/)

  await storeBlob(exchange.blobs)
  exchange.advance(LATER)
  await cleanUp(exchange).stop()
  t.equal((await namesIn(exchange.blobs)).length, 1, 'stopped before it began')
})

t.test('a store that fails is left for the next time, and all else is seen to', async t => {
  const exchange = await setUp(t)
  await storeBlob(exchange.blobs)
  exchange.advance(LATER)
  const remove = () => Promise.reject(new BlobError('blob-store-failed', 'Fault test.'))
  const unfinished = Promise.withResolvers<void>()
  const sweepUnfinished = async () => {
    unfinished.resolve()
    return 0
  }
  const blobs = { ...exchange.blobs, remove, sweepUnfinished }
  const housekeeping = cleanUp({ ...exchange, blobs })
  await unfinished.promise
  await housekeeping.stop()
  t.match(exchange.logged(), /"chore":"orphans".*housekeeping failed/)
  t.equal((await namesIn(exchange.blobs)).length, 1)
  t.equal(await removeOrphans(exchange, Date.now() + SOON), 1)
})
