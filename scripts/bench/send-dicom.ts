import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { Agent, request } from 'node:http'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { addClient } from '../../src/identity/enrol.ts'
import { madeScan } from '../../test/helpers/made-dicom.ts'
import { type Bench, type Figure, inTurn, type Run } from './figure.ts'
import { cpuSeconds } from './processes.ts'
import { expectEvents, makeCase, startService } from './servers.ts'

// 2,000 DICOM instances by `consilium send`, everything included from the start of its process to the
// manifest, beside Orthanc taking the same files over REST. Orthanc does not encrypt; it writes through
// to the disk, as it does unless told otherwise.

const STUDIES = 4
const INSTANCES = 500
const PIXEL_BYTES = 200 * 1024
const ORTHANC_CALLERS = 8
const START_MILLISECONDS_MAX = 60_000
const CPU_SAMPLE_MILLISECONDS = 100
const ORTHANC = ['Orthanc', '/usr/sbin/Orthanc'].find(
  name => spawnSync(name, ['--version'], { stdio: 'ignore' }).status === 0
)

export const sendDicom: Figure = {
  name: 'send-dicom',
  unit: 'instances/s',
  goal: { ratioMin: 1.5 },
  diskBytes: rounds => (2 * rounds + 1) * STUDIES * INSTANCES * (PIXEL_BYTES + 2048),
  async run(bench) {
    const folder = makeStudies(bench.place.next('studies'))
    if (ORTHANC !== undefined) {
      return inTurn(bench, 'send-dicom', {
        baseline: () => toOrthanc(bench, folder),
        ours: () => toService(bench, folder)
      })
    }
    const { value } = await toService(bench, folder)
    bench.progress(
      `send-dicom: ${Math.round(value)}/s, SKIPPED beside Orthanc: it is not installed (Debian: orthanc)\n`
    )
    return undefined
  }
}

function makeStudies(place: string): string {
  const folder = join(place, 'disc')
  for (let study = 1; study <= STUDIES; study += 1) {
    mkdirSync(join(folder, `study-${study}`), { recursive: true })
    for (let i = 1; i <= INSTANCES; i += 1) {
      const instance = `1.2.826.0.1.${study}.1.${i}`
      const uids = { study: `1.2.826.0.1.${study}`, series: `1.2.826.0.1.${study}.1`, instance }
      const pixels = Buffer.alloc(PIXEL_BYTES, `${instance} `)
      writeFileSync(join(folder, `study-${study}`, `IM${i}`), madeScan({ ...uids, pixels }))
    }
  }
  return folder
}

async function toService(bench: Bench, folder: string): Promise<Run> {
  const service = await startService(bench.place, bench.serviceEnv)
  try {
    const caseId = await makeCase(service)
    const place = bench.place.next('sender')
    const { id: accountId } = await service.clinician.json<{ id: string }>('GET', '/v1/account')
    const key = join(place, 'key.json')
    writeFileSync(key, JSON.stringify(await addClient(service.data, { accountId })), {
      mode: 0o600
    })
    const bin = new URL('../../bin/consilium.mjs', import.meta.url).pathname
    const args = ['send', '--url', service.url, '--client-key', key, '--case', caseId]
    const state = ['--state', join(place, 'state.json')]
    const [began, before] = [performance.now(), cpuSeconds(service.pid) ?? 0]
    const child = spawn(process.execPath, [bin, ...args, ...state, folder], {
      stdio: ['ignore', 'ignore', 'inherit']
    })
    // What a process that has ended has used is not to be read any more.
    let sender = 0
    const look = () => {
      sender = Math.max(sender, ...childrenOf(child.pid ?? 0).map(pid => cpuSeconds(pid) ?? 0))
    }
    const timer = setInterval(look, CPU_SAMPLE_MILLISECONDS)
    const [exit] = await once(child, 'exit')
    clearInterval(timer)
    const seconds = (performance.now() - began) / 1000
    tellCpu(bench, { server: (cpuSeconds(service.pid) ?? 0) - before, client: sender })
    if (exit !== 0) throw new Error(`consilium send ended with ${exit}.`)
    await expectEvents(service, 'record.create', 'success', STUDIES)
    return { value: (STUDIES * INSTANCES) / seconds }
  } finally {
    await service.stop()
  }
}

async function toOrthanc(bench: Bench, folder: string): Promise<Run> {
  const place = bench.place.next('orthanc')
  const port = await freePort()
  const config = join(place, 'orthanc.json')
  writeFileSync(
    config,
    JSON.stringify({
      Name: 'bench',
      StorageDirectory: place,
      IndexDirectory: place,
      HttpPort: port,
      DicomServerEnabled: false,
      RemoteAccessAllowed: false,
      AuthenticationEnabled: false,
      Plugins: []
    })
  )
  const child = spawn(ORTHANC ?? 'Orthanc', [config], { stdio: 'ignore' })
  bench.place.pids.add(child.pid ?? 0)
  try {
    await untilUp(port, child)
    const files = readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter(entry => entry.isFile())
      .map(entry => join(entry.parentPath, entry.name))
    const agent = new Agent({ keepAlive: true, maxSockets: ORTHANC_CALLERS })
    const queue = files.values()
    const pid = child.pid ?? 0
    const [began, before, own] = [performance.now(), cpuSeconds(pid) ?? 0, process.cpuUsage()]
    const caller = async () => {
      for (const file of queue) await post(agent, port, readFileSync(file))
    }
    await Promise.all(Array.from({ length: ORTHANC_CALLERS }, caller))
    const seconds = (performance.now() - began) / 1000
    agent.destroy()
    const { user, system } = process.cpuUsage(own)
    tellCpu(bench, { server: (cpuSeconds(pid) ?? 0) - before, client: (user + system) / 1e6 })
    return { value: files.length / seconds }
  } finally {
    child.kill('SIGTERM')
    if (child.exitCode === null) await once(child, 'exit')
    bench.place.pids.delete(child.pid ?? 0)
  }
}

/** The program starts the sender, under the right Node, as a process of its own. */
function childrenOf(pid: number): number[] {
  const path = `/proc/${pid}/task/${pid}/children`
  return existsSync(path) ? readFileSync(path, 'utf8').trim().split(' ').map(Number) : []
}

/** Seconds of CPU, which say more than the clock where the machine has much else to do. */
function tellCpu(bench: Bench, { server, client }: { server: number; client: number }): void {
  bench.progress(`(CPU: server ${server.toFixed(1)} s, client ${client.toFixed(1)} s) `)
}

function post(agent: Agent, port: number, body: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/dicom', 'content-length': body.length }
    const options = { agent, host: '127.0.0.1', port, path: '/instances', method: 'POST', headers }
    const sent = request(options, answer => {
      answer.resume().on('end', () => {
        if (answer.statusCode === 200) resolve()
        else reject(new Error(`Orthanc answered ${answer.statusCode}.`))
      })
    })
    // It ends connections that were idle for a second, which a busy client learns by using one.
    sent.on('error', err => (sent.reusedSocket ? resolve(post(agent, port, body)) : reject(err)))
    sent.end(body)
  })
}

async function untilUp(port: number, child: ChildProcess): Promise<void> {
  const deadline = Date.now() + START_MILLISECONDS_MAX
  while (Date.now() < deadline && child.exitCode === null) {
    const answer = await fetch(`http://127.0.0.1:${port}/system`).catch(() => undefined)
    await answer?.arrayBuffer()
    if (answer?.ok) return
    await sleep(100)
  }
  throw new Error('Orthanc did not start.')
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  return typeof address === 'object' && address !== null ? address.port : 0
}
