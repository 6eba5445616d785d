import t, { type Test } from 'tap'
import { BlobError, type Blobs } from '../../src/blobs/blobs.ts'
import { removeOrphans } from '../../src/housekeeping/clean-up.ts'
import { startExchange, type TestExchange } from '../helpers/exchange.ts'
import { type Fault, faultyActs, faultyBlobs, faultyEnds } from '../helpers/faulty-blobs.ts'
import { createCase, numberedText, sendRecord, sharedRecord } from '../helpers/story.ts'
import { assertSound, blobFiles } from './soundness.ts'

const MARKER = 'avocet-in-clear'

/** Two writes for the first file, one for each of the others. */
const files = [1_500_000, 30_000, 10].map((bytes, i) => ({
  name: `${i}.txt`,
  bytes: Buffer.concat([Buffer.from(`${MARKER}\n`), numberedText(bytes).bytes])
}))

/** A service whose blob store can be exchanged for a faulty one while it runs. */
async function startWithFaults(t: Test, limits = {}) {
  let inner: Blobs | undefined
  let current: Blobs | undefined
  const x = await startExchange(t, {
    limits,
    wrapBlobs(real) {
      inner = current = real
      const names = ['create', 'open', 'remove', 'list', 'sync', 'freeBytes', 'sweepUnfinished']
      const forward = (name: string) => [
        name,
        (...args: never[]) => Reflect.get(Object(current), name)(...args)
      ]
      const forwards = Object.fromEntries(names.map(forward))
      return { ...forwards, close: () => real.close() } as Blobs
    }
  })
  return {
    x,
    use(make: (real: Blobs) => Blobs) {
      if (inner === undefined) throw new Error('The service is not running.')
      current = make(inner)
    }
  }
}

/** Restarts, does what the service does by itself after its start, and expects the exchange whole. */
async function assertSoundAfterRestart(t: Test, x: TestExchange) {
  await x.restart()
  await x.exchange.blobs.sweepUnfinished()
  await removeOrphans(x.exchange, Date.now() + 60_000)
  await assertSound(t, x, [MARKER])
}

async function rowsOf(x: TestExchange): Promise<number> {
  const { records, objects } = x.exchange.database.read.tables
  const rows = [records, objects].map(table => x.exchange.database.read.select().from(table))
  return (await Promise.all(rows)).flat().length
}

async function countCalls(t: Test) {
  const { x, use } = await startWithFaults(t)
  let counting: ReturnType<typeof faultyBlobs> | undefined
  use(real => {
    counting = faultyBlobs(real)
    return counting
  })
  const { id } = await createCase(x.client('clinician'))
  t.match(await sendRecord(x.client('clinician'), id, { files }), { status: 201 })
  await x.app.stop()
  return counting?.calls() ?? { create: 0, write: 0, commit: 0, sync: 0 }
}

t.test('every act of the blob store that fails refuses the whole upload', async t => {
  const calls = await countCalls(t)
  t.strictSame(calls, { create: 3, write: 4, commit: 3, sync: 1 })
  const { x, use } = await startWithFaults(t)
  const { id } = await createCase(x.client('clinician'))

  for (const act of faultyActs) {
    for (const end of faultyEnds) {
      for (let nth = 1; nth <= calls[act]; nth += 1) {
        await t.test(`${act} ${nth} ${end}`, async t => {
          const fault: Fault = { act, nth, end }
          let faulty: ReturnType<typeof faultyBlobs> | undefined
          use(real => {
            faulty = faultyBlobs(real, fault)
            return faulty
          })
          const answer = await sendRecord(x.client('clinician'), id, { files })
          t.equal(faulty?.struck(), true, 'the fault has struck')
          t.match(answer, { status: 503, json: { code: 'storage-unavailable' } })
          t.equal(await rowsOf(x), 0, 'nothing is recorded')
          const [event] = (await x.auditEvents({ action: 'record.create' })).slice(-1)
          t.match(event, { outcome: 'refused', code: 'storage-unavailable' })
          await assertSoundAfterRestart(t, x)
          t.strictSame(blobFiles(x.directory), [], 'no blob is left')
        })
      }
    }
  }
  t.match(await sendRecord(x.client('clinician'), id, { files }), { status: 201 })
  await assertSound(t, x, [MARKER])
})

t.test('a store that is full, at the start or on the way', async t => {
  const { x, use } = await startWithFaults(t, { freeBytesMin: 1000 })
  const { id } = await createCase(x.client('clinician'))
  const full = new BlobError('blob-store-full', 'Fault test: no room.')
  const full507 = { status: 507, json: { code: 'storage-full' } }

  use(real => ({ ...real, freeBytes: async () => 999 }))
  t.match(await sendRecord(x.client('clinician'), id, { files }), full507, 'hardly any room')

  use(real => ({
    ...real,
    async create() {
      const writer = await real.create()
      return { ...writer, write: () => Promise.reject(full) }
    }
  }))
  t.match(await sendRecord(x.client('clinician'), id, { files }), full507, 'none on the way')
  t.equal(await rowsOf(x), 0)
  t.strictSame(blobFiles(x.directory), [])
  await assertSoundAfterRestart(t, x)
})

t.test('what cannot be removed at once is removed after the next start', async t => {
  const { x, use } = await startWithFaults(t)
  const { id } = await createCase(x.client('clinician'))
  const broken = new BlobError('blob-store-failed', 'Fault test: not removed.')
  use(real => ({
    ...real,
    sync: () => Promise.reject(broken),
    remove: () => Promise.reject(broken)
  }))
  t.match(await sendRecord(x.client('clinician'), id, { files }), { status: 503 })
  t.equal(blobFiles(x.directory).length, 3, 'three orphans')
  await assertSoundAfterRestart(t, x)
  t.strictSame(blobFiles(x.directory), [])
})

t.test('a store that fails while content is read tells nothing wrong', async t => {
  const { x, use } = await startWithFaults(t)
  const { record, path } = await sharedRecord(x, files.slice(0, 1))
  const specialist = x.client('specialistGb')
  const broken = new BlobError('blob-store-failed', 'Fault test: not read.')

  use(real => ({ ...real, open: () => Promise.reject(broken) }))
  t.match(await specialist.send('GET', path), {
    status: 503,
    json: { code: 'storage-unavailable' }
  })
  const failed = { action: 'content.read', recordId: record.id, outcome: 'failed' } as const
  t.match(await x.auditEvents(failed), [{ bytesHandedOver: 0 }], 'recorded as failed')

  use(real => ({
    ...real,
    async open(name, receipt) {
      const reader = await real.open(name, receipt)
      let reads = 0
      const read: typeof reader.read = (into, position) => {
        reads += 1
        return reads > 3 ? Promise.reject(broken) : reader.read(into, position)
      }
      return { bytes: reader.bytes, read, close: () => reader.close() }
    }
  }))
  const call = await x.raw('specialistGb', `GET ${path}`)
  t.match(await call.head(), {
    status: 200,
    headers: { 'content-length': String(files[0]?.bytes.length) }
  })
  const got = await call.rest()
  t.ok(got.length < Number(files[0]?.bytes.length), 'cut short')
  t.ok(files[0]?.bytes.subarray(0, got.length).equals(got), 'and right as far as it goes')
  const [, second] = await x.auditEvents(failed)
  t.ok(Number(second?.bytesHandedOver) >= got.length)
  await assertSoundAfterRestart(t, x)
})

t.test('a record that is stored keeps its files when its answer cannot be made', async t => {
  const x = await startExchange(t)
  const clinician = x.client('clinician')
  const { id: caseId } = await createCase(clinician)
  const { database } = x.exchange
  const { read } = database
  const write = database.write.bind(database)
  let isStored = false
  // A new connection that finds no name server, say, though the one of the commit had its answer.
  Object.defineProperty(database, 'read', {
    configurable: true,
    get() {
      if (isStored) throw new Error('getaddrinfo EAI_AGAIN')
      return read
    }
  })
  database.write = async work => {
    const value = await write(work)
    isStored = (await read.select().from(read.tables.records)).length > 0
    return value
  }
  const answer = await sendRecord(clinician, caseId, { files })
  isStored = false
  database.write = write
  t.equal(answer.status, 500)
  const [record] = await read.select().from(read.tables.records)
  const content = await clinician.send('GET', `/v1/records/${record?.id}/content`)
  t.equal(content.status, 200)
  t.equal(blobFiles(x.directory).length, files.length)
  await assertSoundAfterRestart(t, x)
})
