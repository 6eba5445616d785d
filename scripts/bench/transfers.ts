import { digestOfFile, MIB } from './bodies.ts'
import type { Done } from './client.ts'
import { type Bench, type Figure, inTurn, type Run } from './figure.ts'
import { perform } from './processes.ts'
import {
  expectEvents,
  makeCase,
  type Server,
  type Service,
  startPlainServer,
  startService
} from './servers.ts'
import { type Watched, watched } from './watch.ts'

// Figures 1 to 3: bytes in and out. Every run is on a fresh server process that has carried a
// little of the same kind before, so that neither side is measured while it compiles itself.

const FILE_BYTES = 1024 * MIB
const WARM_BYTES = 32 * MIB
const SMALL_FILES = 500
const SMALL_FILE_BYTES = 512 * 1024
const WARM_FILES = 20

export const uploadGib: Figure = {
  name: 'upload-1gib',
  unit: 'MiB/s',
  goal: { ratioMin: 1.0 },
  diskBytes: rounds => rounds * 2 * (FILE_BYTES + WARM_BYTES),
  run: bench =>
    inTurn(bench, 'upload-1gib', {
      baseline: () =>
        onPlainServer(bench, async server => {
          await putFile(server, WARM_BYTES)
          return rate(await watched(bench.progress, server, () => putFile(server, FILE_BYTES)))
        }),
      ours: () =>
        onService(bench, async service => {
          const caseId = await makeCase(service)
          await uploadRecord(service, caseId, 1, WARM_BYTES)
          const { run } = await uploadRecord(service, caseId, 1, FILE_BYTES, bench)
          await expectEvents(service, 'record.create', 'success', 2)
          return rate(run)
        })
    })
}

export const downloadGib: Figure = {
  name: 'download-1gib',
  unit: 'MiB/s',
  goal: { ratioMin: 1.5 },
  diskBytes: rounds => rounds * 2 * FILE_BYTES,
  run: bench =>
    inTurn(bench, 'download-1gib', {
      baseline: () =>
        onPlainServer(bench, async server => {
          await putFile(server, FILE_BYTES)
          return measureDownload(bench, server, { path: '/' })
        }),
      ours: () =>
        onService(bench, async service => {
          const caseId = await makeCase(service)
          const { id } = await uploadRecord(service, caseId, 1, FILE_BYTES)
          const path = `/v1/records/${id}/content`
          const token = service.clinicianToken
          const speed = await measureDownload(bench, service, { path, token })
          await expectEvents(service, 'content.read', 'granted', 2)
          await expectEvents(service, 'content.read', 'complete', 2)
          return speed
        })
    })
}

export const manyObjects: Figure = {
  name: 'many-objects',
  unit: 'objects/s',
  goal: { ratioMin: 0.7 },
  diskBytes: rounds => rounds * 2 * (SMALL_FILES + WARM_FILES) * SMALL_FILE_BYTES,
  run: bench =>
    inTurn(bench, 'many-objects', {
      baseline: () =>
        onPlainServer(bench, async server => {
          await postForm(server, WARM_FILES)
          return perSecond(
            await watched(bench.progress, server, () => postForm(server, SMALL_FILES))
          )
        }),
      ours: () =>
        onService(bench, async service => {
          const caseId = await makeCase(service)
          await uploadRecord(service, caseId, WARM_FILES, SMALL_FILE_BYTES)
          const { run } = await uploadRecord(service, caseId, SMALL_FILES, SMALL_FILE_BYTES, bench)
          await expectEvents(service, 'record.create', 'success', 2)
          return perSecond(run)
        })
    })
}

/** One download whose digest is checked, which also warms the server up, and one that is timed. */
async function measureDownload(
  bench: Bench,
  server: Server,
  asked: { path: string; token?: string }
): Promise<Run> {
  const task = { kind: 'download', port: server.port, ...asked } as const
  const checked = await perform({ ...task, withDigest: true })
  if (checked.sha256 !== digestOfFile(FILE_BYTES)) throw new Error('Not the bytes that were sent.')
  const timed = await watched(bench.progress, server, () => perform({ ...task, withDigest: false }))
  if (timed.done.bytes !== FILE_BYTES) throw new Error('A download was short.')
  return rate(timed)
}

export function putFile(server: Server, bytesEach: number): Promise<Done> {
  const body = { form: false, files: 1, bytesEach }
  return perform({ kind: 'upload', method: 'PUT', port: server.port, path: '/', body })
}

function postForm(server: Server, files: number): Promise<Done> {
  const body = { form: true, files, bytesEach: SMALL_FILE_BYTES }
  return perform({ kind: 'upload', method: 'POST', port: server.port, path: '/', body })
}

/** Uploads a record and checks what the service says it has stored. */
export async function uploadRecord(
  service: Service,
  caseId: string,
  files: number,
  bytesEach: number,
  bench?: Bench
): Promise<{ id: string; run: Watched }> {
  const send = () =>
    perform(
      {
        kind: 'upload',
        method: 'POST',
        port: service.port,
        token: service.clinicianToken,
        path: `/v1/cases/${caseId}/records`,
        body: { form: true, files, bytesEach }
      },
      201
    )
  const run = await (bench
    ? watched(bench.progress, service, send)
    : send().then(done => ({ done, othersCores: undefined })))
  const record: { id: string; objects: { bytes: number; sha256: string }[] } = JSON.parse(
    run.done.text ?? ''
  )
  const digest = digestOfFile(bytesEach)
  const right = record.objects.every(
    object => object.bytes === bytesEach && object.sha256 === digest
  )
  if (!right || record.objects.length !== files) throw new Error('Stored otherwise than sent.')
  return { id: record.id, run }
}

export const rate = ({ done, othersCores }: Watched): Run => ({
  value: FILE_BYTES / MIB / done.seconds,
  othersCores
})
const perSecond = ({ done, othersCores }: Watched): Run => ({
  value: SMALL_FILES / done.seconds,
  othersCores
})

export async function onPlainServer<T>(bench: Bench, work: (server: Server) => Promise<T>) {
  const server = await startPlainServer(bench.place)
  return work(server).finally(() => server.stop())
}

export async function onService<T>(
  bench: Bench,
  work: (service: Service) => Promise<T>,
  env: Record<string, string> = {}
) {
  const service = await startService(bench.place, { ...bench.serviceEnv, ...env })
  return work(service).finally(() => service.stop())
}
