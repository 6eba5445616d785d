import { once } from 'node:events'
import t, { type Test } from 'tap'
import { eventually, startExchange, type TestExchange } from '../helpers/exchange.ts'
import { createCase, numberedText } from '../helpers/story.ts'
import { boundariesOf, filePart, formBody, formType, goodFields, postForm } from './multipart.ts'
import { assertSound, blobFiles } from './soundness.ts'

const MARKER = 'kingfisher-in-clear'
/** Places of a larger body that no boundary marks. */
const SAMPLES = process.env.SLOW === '1' ? 1000 : 60

/** Sends `bytes` of the body and breaks the connection off, at one point of its handling or other. */
async function abortAfter(x: TestExchange, path: string, body: Buffer, bytes: number) {
  const headers = { 'content-type': formType, 'content-length': String(body.length) }
  const call = await x.raw('clinician', `POST ${path}`, headers, body.subarray(0, bytes))
  const { socket } = call
  if (socket.connecting) await once(socket, 'connect')
  // All of it is with the system now. What the service has done with it is left to chance.
  await new Promise(resolve => socket.write('', resolve))
  await new Promise(resolve => setTimeout(resolve, bytes % 5))
  if (bytes % 2 === 0) socket.destroy()
  else socket.resetAndDestroy()
}

async function assertAllRefused(t: Test, x: TestExchange, aborts: number) {
  const refused = () => x.auditEventsNow({ action: 'record.create', outcome: 'refused' })
  const events = await eventually('every abort is on the log', async () => {
    const found = await refused()
    return found.length >= aborts ? found : undefined
  }).catch(refused)
  t.equal(events.length, aborts, 'every abort is on the log, once')
  t.strictSame([...new Set(events.map(event => event.code))], ['file-truncated'])
  const { records } = x.exchange.database.read.tables
  t.strictSame(await x.exchange.database.read.select().from(records), [], 'nothing is recorded')
  t.strictSame(blobFiles(x.directory), [], 'no blob is left')
  t.notMatch(x.logged(), /"level":50/, 'and none is told to the operator as a fault')
}

t.test('a small upload broken off at every byte', async t => {
  const x = await startExchange(t, { limits: { uploadsPerAccountMax: 1000 } })
  const { id } = await createCase(x.client('clinician'))
  const path = `/v1/cases/${id}/records`
  const body = formBody([...goodFields, filePart(`A short letter, ${MARKER}.\n`)])
  for (let bytes = 0; bytes < body.length; bytes += 1) await abortAfter(x, path, body, bytes)
  await assertAllRefused(t, x, body.length)
  t.match(await postForm(x, path, body), { status: 201 }, 'a whole one is still taken')
  await assertSound(t, x, [MARKER])
})

t.test('an upload of several files broken off at every boundary and in between', async t => {
  const x = await startExchange(t, { limits: { uploadsPerAccountMax: 1000 } })
  const { id } = await createCase(x.client('clinician'))
  const path = `/v1/cases/${id}/records`
  const files = [300_000, 40_000, 5_000].map((bytes, i) =>
    filePart(Buffer.concat([Buffer.from(MARKER), numberedText(bytes).bytes]), {
      fileName: `${i}.txt`
    })
  )
  const body = formBody([...goodFields, ...files])
  const step = Math.floor(body.length / SAMPLES)
  const places = new Set(boundariesOf(body))
  for (let place = step; place < body.length; place += step) places.add(place)
  for (const bytes of places) await abortAfter(x, path, body, bytes)
  await assertAllRefused(t, x, places.size)
  t.match(await postForm(x, path, body), { status: 201 }, 'a whole one is still taken')
  await assertSound(t, x, [MARKER])
})
