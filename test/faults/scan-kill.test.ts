import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { TEST_DATABASE } from '../helpers/databases.ts'
import { createCase, eventually, numberedText, uploadRecord } from '../helpers/exchange.ts'
import { scriptedClamd } from '../helpers/scripted-clamd.ts'
import { file } from '../records/scan/scene.ts'
import { startRealService } from './real-service.ts'
import { assertSoundAtRest, blobFiles } from './soundness.ts'

const MARKER = 'whimbrel-in-clear'
const clean = file('clean.txt', `${MARKER}\n`)
const infected = file('infected.txt', `${MARKER} infected\n`)
const ROUNDS = TEST_DATABASE === 'postgres' ? 3 : 5

/** Answers by what is in the file. */
const byContent = (content: Buffer) =>
  content.includes('infected') ? 'stream: Test.X FOUND\0' : 'stream: OK\0'

t.test('a service that is killed while it scans scans again', async t => {
  const clamd = await scriptedClamd(t, { reply: 'stream: no ERROR\0' })
  const service = await startRealService(t, { CONSILIUM_CLAMD: clamd.address })
  const { id: caseId } = await createCase(service.client('clinician'))
  for (let round = 0; round < ROUNDS; round += 1) {
    clamd.script = { reply: 'stream: no ERROR\0' }
    const files = Array.from({ length: 12 }, (_, n) => (n % 3 === round % 3 ? infected : clean))
    await uploadRecord(service.client('clinician'), caseId, { files })
    await service.kill()
    // Between the store and the verdict: held there in the first round, at any moment in the others.
    clamd.script = round === 0 ? { stall: true } : { replyTo: byContent, delayMilliseconds: 5 }
    const { begun } = clamd
    await service.start()
    await eventually('a scan began', () => (clamd.begun > begun ? true : undefined))
    await sleep(Math.random() * 60)
    await service.kill()
    clamd.script = { replyTo: byContent }
    await service.start()
    await service.look(({ database }) =>
      eventually('all is scanned', async () => {
        const rows = await database.read.select().from(database.read.tables.objects)
        return rows.every(({ scanDue }) => scanDue === null) ? true : undefined
      })
    )
  }
  t.equal(await service.stop(), 0)
  const rows = await service.look(({ database }) =>
    database.read.select().from(database.read.tables.objects)
  )
  t.equal(rows.length, ROUNDS * 12)
  t.equal(rows.filter(({ scan }) => scan === 'infected').length, ROUNDS * 4)
  t.equal(rows.filter(({ scan }) => scan === 'clean').length, ROUNDS * 8)
  t.equal(blobFiles(service.config.dataDirectory).length, ROUNDS * 8)
  const events = await service.events({ action: 'object.scan' })
  const ends = events.filter(({ details }) => details['stage'] === 'ended')
  t.same(ends.map(({ objectId }) => objectId).sort(), rows.map(({ id }) => id).sort(), 'one each')
  await assertSoundAtRest(t, service.config, [MARKER])
})

t.test('an upload that is killed while its file is scanned has left nothing', async t => {
  const clamd = await scriptedClamd(t, { stall: true })
  const service = await startRealService(t, { CONSILIUM_CLAMD: clamd.address })
  const { id: caseId } = await createCase(service.client('clinician'))
  const sending = uploadRecord(service.client('clinician'), caseId, {
    files: [clean, file('l.txt', numberedText(2_000_000).bytes)]
  })
  sending.catch(() => {})
  await eventually('the scan has begun', () => (clamd.streams.length > 0 ? true : undefined))
  await service.kill()
  await t.rejects(sending)
  clamd.script = { replyTo: byContent }
  await service.start()
  // Where other processes may be uploading, only what is old is known to be left behind.
  if (service.config.databaseUrl === undefined) {
    const blobs = () => blobFiles(service.config.dataDirectory).length
    await eventually('nothing is left', () => (blobs() === 0 ? true : undefined))
  }
  await service.stop()
  t.same(
    await service.look(({ database }) => database.read.select().from(database.read.tables.records)),
    []
  )
})
