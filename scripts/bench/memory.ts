import { rmSync } from 'node:fs'
import { MIB } from './bodies.ts'
import { type Bench, type Figure, inTurn, type Run, type Runs } from './figure.ts'
import { memoryOf, perform, resetPeak } from './processes.ts'
import { makeCase, placeIn, type Server } from './servers.ts'
import { onPlainServer, onService, putFile, uploadRecord } from './transfers.ts'

// Figure 4: what a process holds at its most while 4 GiB come in and go out again, above what it
// held after a small exchange of the same kind.

const FILE_BYTES = 4096 * MIB
const WARM_BYTES = 8 * MIB
const GROWTH_MIB_MAX = 100

/** A server that takes a file of so many bytes and gives it back. */
interface Sides {
  upload(bytes: number): Promise<unknown>
  download(): Promise<{ bytes: number }>
}

export const memory: Figure = {
  name: 'memory-4gib',
  unit: 'MiB',
  goal: { valueMax: GROWTH_MIB_MAX },
  diskBytes: () => FILE_BYTES + WARM_BYTES,
  async run(bench): Promise<Runs | undefined> {
    if (memoryOf(process.pid) === undefined) return undefined
    return inTurn(bench, 'memory-4gib', {
      baseline: () => inOwnDirectory(bench, ofPlainServer),
      ours: () => inOwnDirectory(bench, ofService)
    })
  }
}

/** Unlike all other files these go at once: five rounds of them would need 40 GiB. */
async function inOwnDirectory(bench: Bench, measure: (bench: Bench) => Promise<Run>): Promise<Run> {
  const directory = bench.place.next('memory')
  try {
    return await measure({ ...bench, place: placeIn(directory, bench.place.pids) })
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

function ofPlainServer(bench: Bench): Promise<Run> {
  return onPlainServer(bench, server =>
    growthOf(bench, server, {
      upload: bytes => putFile(server, bytes),
      download: () => fetchAll(server, '/')
    })
  )
}

export function ofService(bench: Bench): Promise<Run> {
  return onService(bench, async service => {
    const caseId = await makeCase(service)
    let path = ''
    return growthOf(bench, service, {
      async upload(bytes) {
        const { id } = await uploadRecord(service, caseId, 1, bytes)
        path = `/v1/records/${id}/content`
      },
      download: () => fetchAll(service, path, service.clinicianToken)
    })
  })
}

/** In MiB. The system keeps the peak itself, so no moment between two samples is missed. */
async function growthOf(bench: Bench, server: Server, { upload, download }: Sides) {
  await upload(WARM_BYTES)
  await download()
  const before = memoryOf(server.pid)?.nowMib ?? 0
  const peakOf = async (name: string, work: () => Promise<unknown>) => {
    resetPeak(server.pid)
    await work()
    const growth = (memoryOf(server.pid)?.peakMib ?? 0) - before
    bench.progress(`(${name} ${Math.round(growth)}) `)
    return growth
  }
  const uploading = await peakOf('upload', () => upload(FILE_BYTES))
  const downloading = await peakOf('download', async () => {
    const { bytes } = await download()
    if (bytes !== FILE_BYTES) throw new Error('A download was short.')
  })
  return { value: Math.max(uploading, downloading) }
}

function fetchAll(server: Server, path: string, token?: string) {
  return perform({ kind: 'download', withDigest: false, port: server.port, path, token })
}
