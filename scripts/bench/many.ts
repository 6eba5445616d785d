import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { and, desc, eq } from '../../schemas/drizzle.ts'
import { logState } from '../../src/audit/tree/log-state.ts'
import { type Beside, startBeside } from '../demo-service.ts'
import { appendsOn } from './audit.ts'
import { MIB } from './bodies.ts'
import type { Done } from './client.ts'
import { alone, type Bench, type Figure, inTurn, type Run } from './figure.ts'
import type { Stores } from './many-stores.ts'
import { ofService } from './memory.ts'
import { openLinks } from './openings.ts'
import { busyPageTimeOn } from './pages-busy.ts'
import { memoryOf, nextMessage, start } from './processes.ts'
import type { DirectTask } from './s3-direct.ts'
import { makeCase, placeIn, type Service } from './servers.ts'
import { shareRecords } from './shared-case.ts'
import { measureDownload, onService, rate, uploadRecord } from './transfers.ts'
import { watched } from './watch.ts'

// Figures of `npm run bench -- --postgres --s3`: the service on PostgreSQL and S3.

const FILE_BYTES = 1024 * MIB
const WARM_BYTES = 32 * MIB
const GROWTH_MIB_MAX = 120
const CUT_BYTES = 192 * MIB
const CUT_MILLISECONDS_MAX = 1000
const TAKEOVER_MILLISECONDS_MAX = 5000
const TAKEOVERS = 4

type OnStores = <T>(bench: Bench, work: (service: Service) => Promise<T>) => Promise<T>

/** The figures, on servers that are started when the first is measured. */
export function manyFigures(stores: () => Promise<Stores>): Figure[] {
  const onStores: OnStores = async (bench, work) =>
    onService(bench, work, await (await stores()).fresh())
  const { upload, download, memory } = transferFigures(stores, onStores)
  return [
    upload,
    download,
    ...processFigures(onStores),
    busyPageTimeOn(stores),
    ...appendsOn(stores),
    memory
  ]
}

/** One process, and the SDK alone beside it. */
function transferFigures(stores: () => Promise<Stores>, onStores: OnStores) {
  const upload: Figure = {
    name: 's3-upload-1gib',
    unit: 'MiB/s',
    goal: { ratioMin: 0.6 },
    diskBytes: rounds => rounds * 2 * (FILE_BYTES + WARM_BYTES),
    run: bench =>
      inTurn(bench, 's3-upload-1gib', {
        baseline: async () => rate(await direct(bench, await stores(), 'upload', newKey())),
        ours: () =>
          onStores(bench, async service => {
            const caseId = await makeCase(service)
            await uploadRecord(service, caseId, 1, WARM_BYTES)
            return rate((await uploadRecord(service, caseId, 1, FILE_BYTES, bench)).run)
          })
      })
  }
  const download: Figure = {
    name: 's3-download-1gib',
    unit: 'MiB/s',
    goal: { ratioMin: 0.6 },
    diskBytes: rounds => rounds * 2 * FILE_BYTES,
    run: bench =>
      inTurn(bench, 's3-download-1gib', {
        baseline: async () => {
          const key = newKey()
          await direct(bench, await stores(), 'upload', key)
          await direct(bench, await stores(), 'download', key)
          return rate(await direct(bench, await stores(), 'download', key))
        },
        ours: () =>
          onStores(bench, async service => {
            const { id } = await uploadRecord(service, await makeCase(service), 1, FILE_BYTES)
            const path = `/v1/records/${id}/content`
            return await measureDownload(bench, service, { path, token: service.clinicianToken })
          })
      })
  }
  const memory: Figure = {
    name: 's3-memory-4gib',
    unit: 'MiB',
    goal: { valueMax: GROWTH_MIB_MAX },
    diskBytes: rounds => rounds * 4 * FILE_BYTES,
    async run(bench) {
      if (memoryOf(process.pid) === undefined) return undefined
      return await alone(bench, 's3-memory-4gib', async () => {
        const serviceEnv = { ...bench.serviceEnv, ...(await (await stores()).fresh()) }
        const place = placeIn(bench.place.next('memory'), bench.place.pids)
        return await ofService({ ...bench, place, serviceEnv })
      })
    }
  }
  return { upload, download, memory }
}

/** Two processes that share their stores. */
function processFigures(onStores: OnStores): Figure[] {
  const openings: Figure = {
    name: 'openings-two-processes',
    unit: 'requests/s',
    // It must rise: the baseline is one process.
    goal: { ratioMin: 1.01 },
    diskBytes: rounds => rounds * 2 * 512 * MIB,
    run: bench =>
      inTurn(bench, 'openings-two-processes', {
        baseline: () => onStores(bench, service => openLinks(bench, service, [service])),
        ours: () =>
          onStores(bench, async service => {
            const second = await startBeside(service)
            bench.place.pids.add(second.pid)
            try {
              return await openLinks(bench, service, [service, serverOf(second)])
            } finally {
              await second.stop()
            }
          })
      })
  }
  const revocation: Figure = {
    name: 'revocation-elsewhere',
    unit: 'ms',
    goal: { valueMax: CUT_MILLISECONDS_MAX },
    diskBytes: rounds => rounds * CUT_BYTES,
    run: bench =>
      alone(bench, 'revocation-elsewhere', () =>
        onStores(bench, service => besides(service, second => cutAfter(service, second)))
      )
  }
  const takeover: Figure = {
    name: 'log-goes-on',
    unit: 'ms',
    goal: { valueMax: TAKEOVER_MILLISECONDS_MAX },
    diskBytes: rounds => rounds * 64 * MIB,
    run: bench =>
      alone(bench, 'log-goes-on', () =>
        onStores(bench, async service => {
          const taken: number[] = []
          for (let turn = 0; turn < TAKEOVERS; turn += 1) {
            const signal = turn % 2 === 0 ? 'SIGKILL' : 'SIGSTOP'
            taken.push(await besides(service, second => signedAgain(service, second, signal)))
          }
          bench.progress(`(${taken.map(Math.round).join(', ')}) `)
          return { value: Math.max(...taken) }
        })
      )
  }
  return [openings, revocation, takeover]
}

let keys = 0
function newKey(): string {
  keys += 1
  return `direct/${process.pid}-${keys}`
}

const serverOf = ({ url, pid, stop }: Beside) => ({ port: Number(new URL(url).port), pid, stop })

async function besides<T>(service: Service, work: (second: Beside) => Promise<T>): Promise<T> {
  const second = await startBeside(service)
  return await work(second).finally(async () => {
    second.kill('SIGKILL')
    await second.stop()
  })
}

/** The SDK alone, in a process of its own. */
async function direct(bench: Bench, { s3 }: Stores, kind: DirectTask['kind'], key: string) {
  const client = start('s3-direct.ts')
  try {
    const server = { port: 0, pid: client.pid ?? 0, stop: async () => {} }
    const { endpoint, region, bucket } = s3
    return await watched(bench.progress, server, async () => {
      client.send({ kind, endpoint, region, bucket, key, bytes: FILE_BYTES } satisfies DirectTask)
      const { done, failed } = await nextMessage<{ done?: Done; failed?: string }>(client)
      if (done?.bytes !== FILE_BYTES) throw new Error(`The SDK alone: ${failed ?? 'short'}`)
      return done
    })
  } finally {
    client.disconnect()
    if (client.exitCode === null) await once(client, 'exit')
  }
}

/** Withdraws at one process, while the other streams. By the events of the log, on one clock. */
async function cutAfter(service: Service, second: Beside): Promise<Run> {
  const caseId = await makeCase(service)
  const { id: recordId } = await uploadRecord(service, caseId, 1, CUT_BYTES)
  const share = await shareRecords(service, caseId, [recordId])
  const [token = ''] = await service.tokensOf('specialist', 1)
  const authorization = `Bearer ${token}`
  const opened = await fetch(`${second.url}/v1/links/open`, {
    method: 'POST',
    headers: { authorization, 'content-type': 'application/json' },
    body: JSON.stringify({ link: share.link })
  })
  if (!opened.ok) throw new Error(`The share did not open: ${opened.status}`)
  const path = `/v1/shares/${share.id}/records/${recordId}/content`
  const content = await fetch(second.url + path, { headers: { authorization } })
  const reader = content.body?.getReader()
  await reader?.read()
  await sleep(500)
  await service.clinician.json('DELETE', `/v1/shares/${share.id}`)
  const at = async (action: 'share.revoke' | 'content.read', outcome: 'success' | 'revoked') => {
    for (let turn = 0; turn < 200; turn += 1) {
      const { auditEvents: events } = service.data.database.read.tables
      const [event] = await service.data.database.read
        .select()
        .from(events)
        .where(
          and(eq(events.shareId, share.id), eq(events.action, action), eq(events.outcome, outcome))
        )
        .orderBy(desc(events.idx))
        .limit(1)
      if (event !== undefined) return event.at
      await sleep(50)
    }
    throw new Error(`There is no event ${action} ${outcome}.`)
  }
  const value = (await at('content.read', 'revoked')) - (await at('share.revoke', 'success'))
  await reader?.cancel().catch(() => {})
  return { value }
}

/** How long after the end of one process everything it had acknowledged is signed by the other. */
async function signedAgain(
  service: Service,
  second: Beside,
  signal: 'SIGKILL' | 'SIGSTOP'
): Promise<number> {
  let busy = true
  const makers = await Promise.all([second.url, second.url, service.url].map(service.clinicianAt))
  const work = makers.map(async maker => {
    while (busy) {
      const body = {
        patient: {
          identifier: { system: 'https://fhir.nhs.uk/Id/nhs-number', value: '999 000 0018' },
          name: 'TEST, Patient One',
          birthDate: '1970-01-01'
        },
        question: 'Is resection advisable?'
      }
      const made = maker.json('POST', '/v1/cases', body).catch(() => undefined)
      await Promise.race([made, sleep(1000)])
    }
  })
  await sleep(1000 + Math.random() * 500)
  second.kill(signal)
  const began = performance.now()
  const { read } = service.data.database
  const { cases } = read.tables
  const [last] = await read.select().from(cases).orderBy(desc(cases.id)).limit(1)
  for (;;) {
    const { auditEvents: events } = read.tables
    const [event] = await read
      .select()
      .from(events)
      .where(eq(events.caseId, last?.id ?? ''))
    const size = Number((await logState(read)).checkpoint?.split('\n')[1] ?? 0)
    if (event !== undefined && event.idx < size) break
    await sleep(5)
  }
  const took = performance.now() - began
  busy = false
  second.kill('SIGKILL')
  await Promise.all(work)
  return took
}
