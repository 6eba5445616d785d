import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import type { Test } from 'tap'
import { type Config, readConfig } from '../../src/config.ts'
import { type OpenData, openData, prepareData } from '../../src/open-data.ts'
import { type Client, makeClient } from '../helpers/client.ts'
import { PUBLIC_URL, readEvents } from '../helpers/data.ts'
import { databaseSettings } from '../helpers/databases.ts'
import type { AuditRow } from '../helpers/exchange.ts'
import { freePort } from '../helpers/free-port.ts'
import { nodeForService, plainEnvironment } from '../helpers/own-process.ts'
import { enrolPeople, type People, type PersonName } from '../helpers/people.ts'
import { type RawCall, rawCall } from '../helpers/raw.ts'
import { storeSettings } from '../helpers/s3.ts'

/** A process that ends is noticed at once; one on a machine that has much else to do takes its time. */
const START_MILLISECONDS_MAX = 120_000

/** The service as a process of its own, which can be killed and started again on the same data. */
export interface RealService {
  readonly url: string
  readonly config: Config
  /** Its environment. */
  readonly settings: Record<string, string>
  readonly people: People
  readonly clock: { now(): number }
  readonly pid: number
  client(who?: PersonName): Client
  raw(
    who: PersonName | undefined,
    requestLine: string,
    headers?: Record<string, string>,
    body?: string | Buffer
  ): Promise<RawCall>
  /** Starts it again after it has ended, and waits until it is ready. */
  start(): Promise<void>
  /** Ends it as a power cut would end the process: at once. */
  kill(): Promise<void>
  /** Waits until it has ended. Resolves to its exit code, null after a signal. */
  ended(): Promise<number | null>
  /** Asks it to stop and waits until it has. */
  stop(): Promise<number | null>
  /** What it has told the operator since its last start. */
  told(): string
  /** Looks into its data the way a script does, also while it runs. */
  look<T>(at: (data: OpenData) => Promise<T>): Promise<T>
  events(match?: Partial<AuditRow>): Promise<AuditRow[]>
}

/** Makes data with people in a directory of this test, and starts the real service on it. */
export async function startRealService(
  t: Test,
  env: Record<string, string> = {}
): Promise<RealService> {
  // Asked for before the directory, so that the directory is removed last.
  t.teardown(() => {})
  const database = await databaseSettings()
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const settings = {
    CONSILIUM_DATA: join(t.testdir(), 'data'),
    CONSILIUM_PORT: String(port),
    CONSILIUM_URL: PUBLIC_URL,
    CONSILIUM_FREE_BYTES_MIN: '0',
    CONSILIUM_REFUSALS_PER_MINUTE_MAX: '10000',
    ...database,
    ...storeSettings(),
    ...env
  }
  const config = readConfig(settings)
  const people = await prepare(config)
  const clients = new Map<PersonName | undefined, Client>()
  let child: ChildProcess | undefined
  let told = ''

  const ended = async () => {
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    await once(child, 'exit')
  }
  const service: RealService = {
    url,
    config,
    settings,
    people,
    clock: { now: Date.now },
    get pid() {
      if (child?.pid === undefined) throw new Error('The service was never started.')
      return child.pid
    },
    client(who) {
      const known = clients.get(who) ?? makeClient(() => url, Date.now, who && people[who])
      clients.set(who, known)
      return known
    },
    async raw(who, requestLine, headers = {}, body) {
      const token = await service.client(who).token()
      const authorization = token === undefined ? {} : { authorization: `Bearer ${token}` }
      const call = rawCall(url, requestLine, { ...authorization, ...headers }, body)
      t.teardown(() => call.abort())
      return call
    },
    async start() {
      await ended()
      told = ''
      const started = spawnService(settings)
      child = started
      started.stderr?.on('data', text => {
        told += text
      })
      started.stdout?.on('data', text => {
        told += text
      })
      await untilReady(url, started, () => told)
    },
    async kill() {
      child?.kill('SIGKILL')
      await ended()
    },
    async ended() {
      await ended()
      return child?.exitCode ?? null
    },
    stop() {
      child?.kill('SIGTERM')
      return service.ended()
    },
    told: () => told,
    async look(at) {
      const data = await openData(config)
      try {
        return await at(data)
      } finally {
        await data.close()
      }
    },
    async events(match = {}) {
      const wanted = Object.entries(match)
      const events = await service.look(readEvents)
      return events.filter(event =>
        wanted.every(([name, value]) => event[name as keyof AuditRow] === value)
      )
    }
  }
  t.teardown(() => service.kill())
  await service.start()
  return service
}

/** Another process on the same data, which must be on PostgreSQL. */
export interface Beside
  extends Pick<RealService, 'url' | 'pid' | 'client' | 'raw' | 'kill' | 'stop'> {
  /** Stops it where it is, as if it had lost its machine; it still holds what it held. */
  freeze(): void
}

/** Starts another service beside one that runs: same database, same data directory, other port. */
export async function startBeside(
  t: Test,
  service: Pick<RealService, 'settings' | 'people'>,
  env: Record<string, string> = {}
): Promise<Beside> {
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const child = spawnService({ ...service.settings, ...env, CONSILIUM_PORT: String(port) })
  let told = ''
  for (const output of [child.stdout, child.stderr]) output?.on('data', text => (told += text))
  const end = async (signal: NodeJS.Signals) => {
    if (child.exitCode === null && child.signalCode === null) {
      const exit = once(child, 'exit')
      child.kill(signal)
      await exit
    }
    return child.exitCode
  }
  const kill = async () => void (await end('SIGKILL'))
  t.teardown(kill)
  await untilReady(url, child, () => told)
  const { people } = service
  return {
    url,
    pid: child.pid ?? 0,
    client: who => makeClient(() => url, Date.now, who && people[who]),
    async raw(who, requestLine, headers = {}, body) {
      const token = await makeClient(() => url, Date.now, who && people[who]).token()
      const authorization = token === undefined ? {} : { authorization: `Bearer ${token}` }
      const call = rawCall(url, requestLine, { ...authorization, ...headers }, body)
      t.teardown(() => call.abort())
      return call
    },
    kill,
    stop: () => end('SIGTERM'),
    freeze: () => void child.kill('SIGSTOP')
  }
}

/** The process alone, as an operator starts it. */
export function spawnService(env: Record<string, string>): ChildProcess {
  const main = new URL('../../src/main.ts', import.meta.url).pathname
  const [node, ...args] = nodeForService(env)
  return spawn(node, [...args, main], {
    env: { ...plainEnvironment(), CONSILIUM_LOG_LEVEL: 'warn', ...env },
    stdio: ['ignore', 'pipe', 'pipe']
  })
}

async function prepare(config: Config): Promise<People> {
  const { release } = await prepareData(config)
  const data = await openData(config)
  try {
    return await enrolPeople(data)
  } finally {
    await data.close()
    release()
  }
}

async function untilReady(url: string, child: ChildProcess, told: () => string): Promise<void> {
  const deadline = Date.now() + START_MILLISECONDS_MAX
  let last = ''
  while (Date.now() < deadline && child.exitCode === null && child.signalCode === null) {
    const answer = await fetch(`${url}/readyz`).catch(() => undefined)
    if (answer?.ok) return
    last = (await answer?.text()) ?? 'no answer'
    await new Promise(resolve => setTimeout(resolve, 20))
  }
  throw new Error(`The service did not start (${last}): ${told()}`)
}
