import { once } from 'node:events'
import { Agent, get } from 'node:http'
import { type AddressInfo, createServer } from 'node:net'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { dataPaths } from '../../src/open-data.ts'
import { eventually } from '../helpers/exchange.ts'
import { startMailServer } from '../helpers/mail-server.ts'
import {
  createCase,
  numberedText,
  openShare,
  sharedPath,
  shareRecords,
  uploadRecord
} from '../helpers/story.ts'
import { mailSettings } from '../notices/stage.ts'
import { filePart, formBody, formType, goodFields } from './multipart.ts'
import { spawnService, startRealService } from './real-service.ts'
import { assertSoundAtRest, blobFiles, filesBelow } from './soundness.ts'

const MARKER = 'lapwing-in-clear'
/** More than the sockets between service and client can hold. */
const huge = {
  name: 'a.txt',
  bytes: Buffer.concat([Buffer.from(MARKER), numberedText(24_000_000).bytes])
}

async function setUp(t: Test, env: Record<string, string>) {
  const service = await startRealService(t, env)
  const clinician = service.client('clinician')
  const { id: caseId } = await createCase(clinician)
  const record = await uploadRecord(clinician, caseId, { files: [huge] })
  const share = await shareRecords(service, caseId, [record.id])
  await openShare(service.client('specialistGb'), share.link)
  const uploadPath = `POST /v1/cases/${caseId}/records`
  const path = sharedPath(share.id, record.id)
  return { service, clinician, caseId, record, path, uploadPath }
}

/** Asks the service to stop and waits until it takes nothing new. */
async function beginToStop(service: Awaited<ReturnType<typeof startRealService>>) {
  process.kill(service.pid, 'SIGTERM')
  await eventually('nothing new is taken', () =>
    fetch(`${service.url}/healthz`).then(
      answer => (answer.status === 503 ? true : undefined),
      () => true
    )
  )
}

t.test('a download under way is finished before the service stops', async t => {
  const { service, path } = await setUp(t, { CONSILIUM_DRAIN_SECONDS_MAX: '60' })
  const call = await service.raw('specialistGb', `GET ${path}`)
  await call.take(1_000_000)
  await beginToStop(service)
  t.ok((await call.rest()).equals(huge.bytes), 'whole')
  t.equal(await service.ended(), 0, 'and only then it ends')
  const [last] = (await service.events({ action: 'content.read' })).slice(-1)
  t.match(last, { outcome: 'complete', bytesHandedOver: huge.bytes.length })
  await assertSoundAtRest(t, service.config, [MARKER])
})

t.test('a download that takes too long is cut, and the log says so', async t => {
  const { service, path } = await setUp(t, { CONSILIUM_DRAIN_SECONDS_MAX: '1' })
  const slow = await service.raw('specialistGb', `GET ${path}`)
  await slow.take(100_000)
  t.equal(await service.stop(), 0)
  const got = await slow.rest()
  t.ok(got.length < huge.bytes.length && huge.bytes.subarray(0, got.length).equals(got))
  const [, last] = await service.events({ action: 'content.read' })
  t.match(last, { outcome: 'stopped' })
  t.ok(Number(last?.bytesHandedOver) >= got.length)
  const stops = await service.events({ action: 'service.stop' })
  t.equal(stops.length, 1)
  await assertSoundAtRest(t, service.config, [MARKER])
})

t.test('while a notice is still on its way, it says that it stops all the same', async t => {
  // Given an e-mail whose server takes its time.
  const hold = Promise.withResolvers<undefined>()
  let isUnderWay = false
  const server = await startMailServer(t, {
    message: () => {
      isUnderWay = true
      return hold.promise
    }
  })
  const settings = { CONSILIUM_DRAIN_SECONDS_MAX: '6', CONSILIUM_LEAVE_SECONDS: '2' }
  const { service, caseId, record } = await setUp(t, { ...mailSettings(server), ...settings })
  await shareRecords(service, caseId, [record.id])
  await eventually('it is under way', () => (isUnderWay ? true : undefined))

  // When the service is told to stop.
  process.kill(service.pid, 'SIGTERM')
  const told = await eventually('it is not ready', async () => {
    const answer = await fetch(`${service.url}/readyz`)
    return answer.status === 503 ? answer.json() : undefined
  })
  t.match(told, { checks: { service: 'stopping' } })
  const states = await service.look(({ database: { read } }) =>
    read.select({ state: read.tables.notices.state }).from(read.tables.notices)
  )
  t.ok(
    states.some(({ state }) => state === 'sending'),
    'before the notice has gone'
  )

  // Then the notice has its time, and is sent once.
  hold.resolve(undefined)
  t.equal(await service.ended(), 0)
  t.ok(server.taken.length > 0)
  t.equal((await service.events({ action: 'service.stop' })).length, 1)
})

t.test('a scanner that takes a connection and says nothing keeps no stop waiting', async t => {
  // Given a service that has just begun to listen.
  const silent = createServer(() => {}).listen(0, '127.0.0.1')
  await once(silent, 'listening')
  t.teardown(() => silent.close())
  const service = await startRealService(t)
  await service.stop()
  const { port } = silent.address() as AddressInfo
  const child = spawnService({ ...service.settings, CONSILIUM_CLAMD: `127.0.0.1:${port}` })
  t.teardown(() => child.kill('SIGKILL'))
  await eventually('it listens', () =>
    fetch(`${service.url}/healthz`).then(
      ({ ok }) => ok || undefined,
      () => undefined
    )
  )

  // When it is told to stop while it asks for the version of the scanner.
  child.kill('SIGTERM')
  const [code, signal] = await once(child, 'exit')
  t.same({ code, signal }, { code: 0, signal: null })
  t.equal((await service.events({ action: 'service.stop' })).length, 2)
})

t.test('an upload that takes too long is cut and leaves nothing', async t => {
  const { service, uploadPath } = await setUp(t, { CONSILIUM_DRAIN_SECONDS_MAX: '1' })
  const body = formBody([...goodFields, filePart(Buffer.alloc(3_000_000, `${MARKER}\n`))])
  const headers = { 'content-type': formType, 'content-length': String(body.length) }
  const call = await service.raw('clinician', uploadPath, headers, body.subarray(0, 2_000_000))
  await eventually('the upload has begun', () =>
    filesBelow(join(dataPaths(service.config.dataDirectory).blobs, 'incoming')).length > 0
      ? true
      : undefined
  )
  // It goes on sending, now and then a byte, as a client on a bad line does.
  let sent = 2_000_000
  const trickle = setInterval(() => call.socket.write(body.subarray(sent, ++sent)), 20)
  t.teardown(() => clearInterval(trickle))
  t.equal(await service.stop(), 0)
  t.equal(blobFiles(service.config.dataDirectory).length, 1, 'no blob of it is left')
  const [last] = (await service.events({ action: 'record.create' })).slice(-1)
  t.match(last, { outcome: 'refused', code: 'service-stopping' })
  await assertSoundAtRest(t, service.config, [MARKER])
})

t.test('connections that only wait do not hold the service up', async t => {
  const { service } = await setUp(t, { CONSILIUM_DRAIN_SECONDS_MAX: '60' })
  const agent = new Agent({ keepAlive: true })
  t.teardown(() => agent.destroy())
  const [answer] = await once(get(`${service.url}/healthz`, { agent }), 'response')
  answer.resume()
  await once(answer, 'end')
  const silent = await service.raw(undefined, 'GET /healthz HTTP/1.1\r\nx-never: ends')
  silent.socket.on('error', () => {})
  process.kill(service.pid, 'SIGINT')
  t.equal(await service.ended(), 0)
  await assertSoundAtRest(t, service.config, [MARKER])
})
