import t from 'tap'
import { startBeside, startRealService } from '../faults/real-service.ts'
import { postgresOnly } from '../helpers/databases.ts'
import { createCase, eventually, numberedText, uploadRecord } from '../helpers/exchange.ts'
import { scriptedClamd } from '../helpers/scripted-clamd.ts'

const OBJECTS = 60

t.test('no object is scanned by two processes at once', { skip: postgresOnly }, async t => {
  const clamd = await scriptedClamd(t, { reply: 'stream: no ERROR\0' })
  const first = await startRealService(t, { CONSILIUM_CLAMD: clamd.address })
  const { id: caseId } = await createCase(first.client('clinician'))
  // Each of another length, so that it can be told what was scanned.
  const files = Array.from({ length: OBJECTS }, (_, n) => numberedText(2000 + n))
  const record = await uploadRecord(first.client('clinician'), caseId, { files })
  t.equal(record.quarantine, 'waiting')
  await first.kill()

  clamd.script = { reply: 'stream: OK\0', delayMilliseconds: 20 }
  clamd.streams.length = 0
  const [, second] = await Promise.all([first.start(), startBeside(t, first)])
  const third = await startBeside(t, first)
  await eventually('all is scanned', async () => {
    const seen = await second.client('clinician').send('GET', `/v1/records/${record.id}`)
    return Object(seen.json).quarantine === 'none' ? true : undefined
  })
  const lengths = clamd.streams.map(({ length }) => length).sort((a, b) => a - b)
  t.same(
    lengths,
    files.map(({ bytes }) => bytes.length),
    'each once'
  )
  t.ok(clamd.openMax > 2, 'by more than one process')
  const events = await first.events({ action: 'object.scan' })
  t.equal(events.length, 2 * OBJECTS)
  for (const service of [third, second]) t.equal(await service.stop(), 0)
})

t.test('what a process leaves half scanned another takes over', { skip: postgresOnly }, async t => {
  const clamd = await scriptedClamd(t, { reply: 'stream: no ERROR\0' })
  const first = await startRealService(t, { CONSILIUM_CLAMD: clamd.address })
  const { id: caseId } = await createCase(first.client('clinician'))
  const record = await uploadRecord(first.client('clinician'), caseId, {
    files: [numberedText(2000)]
  })
  await first.kill()
  clamd.script = { stall: true }
  const { begun } = clamd
  await first.start()
  await eventually('a scan began', () => (clamd.begun > begun ? true : undefined))
  const second = await startBeside(t, first)
  const seen = () => second.client('clinician').send('GET', `/v1/records/${record.id}`)
  t.match((await seen()).json, { quarantine: 'waiting' })
  t.equal(clamd.begun, begun + 1, 'the second leaves it alone')
  clamd.script = { reply: 'stream: OK\0' }
  await first.kill()
  await eventually('it is scanned', async () =>
    Object((await seen()).json).quarantine === 'none' ? true : undefined
  )
})
