import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { logState } from '../src/audit/tree/log-state.ts'
import { largeFile } from './bench/large-file.ts'
import { startStores } from './bench/many-stores.ts'
import { memoryOf } from './bench/processes.ts'
import { placeIn, type Service, startService } from './bench/servers.ts'
import { shareRecords } from './bench/shared-case.ts'
import { runCommand, UsageError } from './command.ts'
import { type ApiClient, startBeside } from './demo-service.ts'

const USAGE = `Puts a fixed load on two processes on PostgreSQL and S3, and looks whether anything grows.

  npm run soak [-- --minutes N] [--rate N]
  npm run soak -- --gib N

  --minutes  how long (10)
  --rate     acts a second, of both processes together (15): a record uploaded, read and shared, the
             share opened and withdrawn, a question to the log, in turn
  --gib      instead, one file of so many GiB, by tus into a service on disk and SQLite and out again

Exit codes: 0 nothing failed and nothing grew; 1 otherwise.`

const SAMPLE_MILLISECONDS = 5000
/** What the last quarter may have more than the second. */
const GROWTH_MIB_MAX = 60
const GROWTH_HANDLES_MAX = 24
/** Events that no checkpoint covers, for so many seconds of load. */
const LAG_SECONDS_MAX = 5
/** Acts for which nobody was free, at most. */
const LEFT_OUT_SHARE_MAX = 0.01
const UPLOAD_BYTES = 300_000
const WORKERS_MAX = 200

/** The whole load comes from one account, whose limits are not what is looked at. */
const ONE_ACCOUNT = {
  CONSILIUM_UPLOADS_PER_ACCOUNT_MAX: String(WORKERS_MAX),
  CONSILIUM_STREAMS_PER_ACCOUNT_MAX: String(WORKERS_MAX)
}

interface Sample {
  memoryMib: number[]
  handles: number[]
  unsigned: number
  /** The longest act since the last sample. */
  slowestMilliseconds: number
}

/** One act after the other, as one clinician and his colleagues would. */
function actsOf(clinician: ApiClient, service: Service): (() => Promise<unknown>)[] {
  let caseId = ''
  let recordId = ''
  let shareId = ''
  return [
    async () => {
      caseId = (await clinician.json<{ id: string }>('POST', '/v1/cases', CASE)).id
    },
    async () => {
      const form = new FormData()
      const fields = { kind: 'letter', title: 'Soak', date: '2026-11-02' }
      for (const [name, value] of Object.entries(fields)) form.append(name, value)
      form.append('file', new Blob([Buffer.alloc(UPLOAD_BYTES, 'soak\n')]), 'soak.txt')
      recordId = (await clinician.form<{ id: string }>(`/v1/cases/${caseId}/records`, form)).id
    },
    async () => {
      const content = await clinician.send('GET', `/v1/records/${recordId}/content`)
      const { byteLength } = await content.arrayBuffer()
      if (byteLength !== UPLOAD_BYTES) throw new Error(`A download had ${byteLength} bytes.`)
    },
    async () => {
      shareId = (await shareRecords({ ...service, clinician }, caseId, [recordId])).id
    },
    () => clinician.json('GET', `/v1/shares?case=${caseId}`),
    () => clinician.json('DELETE', `/v1/shares/${shareId}`)
  ]
}

const CASE = {
  patient: {
    identifier: { system: 'https://fhir.nhs.uk/Id/nhs-number', value: '999 000 0018' },
    name: 'TEST, Patient One',
    birthDate: '1970-01-01'
  },
  question: 'Is resection advisable?'
}

interface Load {
  /** Acts that are done, errors, and the longest since it was last asked. */
  state: { done: number; errors: string[]; slowest: number; behind: number }
  end(): Promise<void>
}

/** So many acts a second, whether or not earlier ones have ended. */
function fixedLoad(rate: number, workers: (() => Promise<unknown>)[][]): Load {
  const state = { done: 0, errors: [] as string[], slowest: 0, behind: 0 }
  const idle = [...workers.keys()]
  const positions = workers.map(() => 0)
  const under = new Set<Promise<void>>()
  const began = performance.now()
  let begun = 0
  const timer = setInterval(() => {
    const due = Math.floor(((performance.now() - began) / 1000) * rate)
    for (; begun < due; begun += 1) {
      const worker = idle.shift()
      // Nobody is free: the load could not be kept up, which is told and not made good.
      if (worker === undefined) state.behind += 1
      else under.add(act(worker))
    }
  }, 20)

  async function act(worker: number): Promise<void> {
    const acts = workers[worker] ?? []
    const position = positions[worker] ?? 0
    const started = performance.now()
    try {
      await acts[position % acts.length]?.()
      positions[worker] = position + 1
      state.done += 1
    } catch (err) {
      state.errors.push(err instanceof Error ? err.message : String(err))
    }
    state.slowest = Math.max(state.slowest, performance.now() - started)
    idle.push(worker)
  }
  return {
    state,
    async end() {
      clearInterval(timer)
      await Promise.all(under)
    }
  }
}

async function sampleOf(service: Service, pids: number[], load: Load): Promise<Sample> {
  const { checkpoint, events } = await logState(service.data.database.read)
  const slowestMilliseconds = Math.round(load.state.slowest)
  load.state.slowest = 0
  return {
    memoryMib: pids.map(pid => Math.round(memoryOf(pid)?.nowMib ?? 0)),
    handles: pids.map(pid => readdirSync(`/proc/${pid}/fd`).length),
    unsigned: events - Number(checkpoint?.split('\n')[1] ?? 0),
    slowestMilliseconds
  }
}

/** What grew between the second quarter and the last, each as a sentence. */
function growth(samples: Sample[], rate: number): string[] {
  const quarter = Math.floor(samples.length / 4)
  const [early, late] = [samples.slice(quarter, 2 * quarter), samples.slice(-quarter)]
  const mean = (some: Sample[], value: (sample: Sample) => number) =>
    some.reduce((sum, sample) => sum + value(sample), 0) / Math.max(1, some.length)
  const grown = (value: (sample: Sample) => number) => mean(late, value) - mean(early, value)
  const told: string[] = []
  for (const n of [0, 1]) {
    const memory = grown(sample => sample.memoryMib[n] ?? 0)
    const handles = grown(sample => sample.handles[n] ?? 0)
    console.log(
      `Process ${n + 1}: ${memory.toFixed(1)} MiB and ${handles.toFixed(1)} file handles more in the last quarter than in the second`
    )
    if (memory > GROWTH_MIB_MAX) told.push(`Memory of process ${n + 1} grew.`)
    if (handles > GROWTH_HANDLES_MAX) told.push(`File handles of process ${n + 1} grew.`)
  }
  const lag = Math.max(...late.map(sample => sample.unsigned))
  console.log(`At most ${lag} events were not signed yet in the last quarter`)
  // An act is two events at most.
  if (lag > 2 * rate * LAG_SECONDS_MAX) told.push('The log fell behind.')
  return told
}

async function soak(minutes: number, rate: number): Promise<void> {
  const directory = mkdtempSync(join(process.env.BENCH_DIR ?? tmpdir(), 'consilium-soak-'))
  const stores = await startStores()
  const place = placeIn(directory)
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      for (const pid of place.pids) process.kill(pid, 'SIGKILL')
      stores.abandon()
      rmSync(directory, { recursive: true, force: true })
      process.exit(1)
    })
  }
  const service = await startService(place, { ...(await stores.fresh()), ...ONE_ACCOUNT })
  const second = await startBeside(service)
  place.pids.add(second.pid)
  try {
    const workers = Math.min(WORKERS_MAX, Math.ceil(rate * 4))
    const urls = Array.from({ length: workers }, (_, n) => (n % 2 === 0 ? service.url : second.url))
    const clients = await Promise.all(urls.map(url => service.clinicianAt(url)))
    const load = fixedLoad(
      rate,
      clients.map(client => actsOf(client, service))
    )
    const samples: Sample[] = []
    const until = performance.now() + minutes * 60_000
    while (performance.now() < until) {
      await sleep(SAMPLE_MILLISECONDS)
      const sample = await sampleOf(service, [service.pid, second.pid], load)
      samples.push(sample)
      if (samples.length % 6 === 0) console.error(JSON.stringify(sample))
    }
    await load.end()
    const { done, errors, behind } = load.state
    console.log(`${done} acts in ${minutes} minutes, ${errors.length} failed, ${behind} left out`)
    for (const error of new Set(errors.slice(0, 20))) console.log(`FAILED: ${error}`)
    const grown = growth(samples, rate)
    // A machine that stood still for a moment is not our fault, one that never kept up shows nothing.
    if (behind > done * LEFT_OUT_SHARE_MAX) grown.push('The load could not be kept up.')
    tellVerdict(grown, errors.length === 0)
  } finally {
    await second.stop()
    await service.stop()
    await stores.stop()
    rmSync(directory, { recursive: true, force: true })
  }
}

function tellVerdict(faults: string[], allDone: boolean): void {
  for (const sentence of faults) console.log(`FAULT: ${sentence}`)
  const isWell = faults.length === 0 && allDone
  console.log(isWell ? 'All is well.' : 'Not all is well.')
  process.exitCode = isWell ? 0 : 1
}

await runCommand(USAGE, { required: [], optional: ['minutes', 'rate', 'gib'] }, async values => {
  if (values.gib !== undefined) {
    const gib = Number(values.gib)
    if (!(gib > 0)) throw new UsageError('--gib is a number.')
    return tellVerdict(await largeFile(gib), true)
  }
  const [minutes, rate] = [Number(values.minutes ?? 10), Number(values.rate ?? 15)]
  if (!(minutes > 0) || !(rate > 0)) throw new UsageError('--minutes and --rate are numbers.')
  await soak(minutes, rate)
})
