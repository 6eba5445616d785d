import { mkdtempSync, rmSync, statfsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MIB } from './bodies.ts'
import { type Memory, memoryOf, perform, resetPeak } from './processes.ts'
import { makeCase, placeIn, type Service, startService } from './servers.ts'
import { fileOf, uploadByTus } from './tus.ts'

// One file as large as the service takes it, in by tus and out again, on disk and SQLite: looks
// whether the memory of the service grows with it. Too long for the bench.

const GIB = 1024 * MIB
const WARM_BYTES = 256 * MIB
const SPARE_BYTES = 2 * GIB
const SAMPLE_MILLISECONDS = 500
/** What the process may hold at its most above what it held after a file of `WARM_BYTES`. */
const GROWTH_MIB_MAX = 100
/** What the last quarter of the way may have more than the second. */
const CREEP_MIB_MAX = 40

/** Resolves to what is wrong, each as a sentence; the figures go to standard output. */
export async function largeFile(gib: number): Promise<string[]> {
  const directory = mkdtempSync(join(process.env.BENCH_DIR ?? tmpdir(), 'consilium-large-'))
  const place = placeIn(directory)
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      for (const pid of place.pids) process.kill(pid, 'SIGKILL')
      rmSync(directory, { recursive: true, force: true })
      process.exit(1)
    })
  }
  try {
    const { bavail, bsize } = statfsSync(directory)
    if (bavail * bsize < gib * GIB + SPARE_BYTES) {
      throw new Error(`${gib} GiB do not fit. Set BENCH_DIR to a directory with more room.`)
    }
    // Made before the first request: a process that is busy for so long loses its connections.
    const [small, large] = [fileOf(WARM_BYTES), fileOf(gib * GIB)]
    const service = await startService(place)
    return await inAndOut(service, small, large).finally(() => service.stop())
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

type File = ReturnType<typeof fileOf>

async function inAndOut(service: Service, small: File, large: File): Promise<string[]> {
  const caseId = await makeCase(service)
  const { id: first } = await uploadByTus(service, caseId, small)
  await download(service, first)
  const before = held(service).nowMib
  console.log(`Before: ${before.toFixed(0)} MiB, after a file of ${small.bytes / MIB} MiB`)
  let stored = ''
  const faults = await leg(service, before, 'Upload', large.bytes, async () => {
    const { id, run } = await uploadByTus(service, caseId, large)
    stored = id
    return run.done.seconds
  })
  const more = await leg(service, before, 'Download', large.bytes, async () => {
    const { bytes, sha256, seconds } = await download(service, stored)
    if (bytes !== large.bytes || sha256 !== large.sha256) throw new Error('Not what was sent.')
    return seconds
  })
  return [...faults, ...more]
}

async function download(service: Service, id: string) {
  // The first token is over by the time so large a file is in.
  const [token] = await service.tokensOf('clinician', 1)
  const path = `/v1/records/${id}/content`
  return perform({ kind: 'download', withDigest: true, port: service.port, path, token })
}

/** One way, which resolves to its seconds, with the memory of the service looked at all the time. */
async function leg(
  service: Service,
  before: number,
  name: string,
  bytes: number,
  work: () => Promise<number>
): Promise<string[]> {
  const samples: number[] = []
  resetPeak(service.pid)
  const timer = setInterval(() => samples.push(held(service).nowMib), SAMPLE_MILLISECONDS)
  const seconds = await work().finally(() => clearInterval(timer))
  const { peakMib } = held(service)
  const quarter = Math.floor(samples.length / 4)
  const second = mean(samples.slice(quarter, 2 * quarter))
  const last = mean(samples.slice(samples.length - quarter))
  const rate = bytes / MIB / seconds
  console.log(
    `${name}: ${bytes / GIB} GiB in ${seconds.toFixed(0)} s, ${rate.toFixed(0)} MiB/s; memory of the service ${second.toFixed(0)} MiB in the second quarter, ${last.toFixed(0)} in the last, ${peakMib.toFixed(0)} at its most`
  )
  const faults: string[] = []
  if (peakMib - before > GROWTH_MIB_MAX) faults.push(`${name}: memory grew too much.`)
  if (last - second > CREEP_MIB_MAX) faults.push(`${name}: memory grows with the file.`)
  return faults
}

function held(service: Service): Memory {
  const memory = memoryOf(service.pid)
  if (memory === undefined) throw new Error('Only /proc tells what a process holds.')
  return memory
}

function mean(values: number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length)
}
