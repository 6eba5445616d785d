import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { readConfig } from '../src/config.ts'
import { addAccount, addClient, addOrganisation } from '../src/identity/enrol.ts'
import { type OpenData, openData } from '../src/open-data.ts'
import { type ClientKey, requestToken } from '../src/sender/machine-client.ts'

const START_MILLISECONDS_MAX = 60_000

/** Where the people of the demonstrations are told of things. */
export const addresses = {
  clinician: 'alice@city.example',
  specialist: 'carol@boston.example',
  stranger: 'dan@boston.example',
  local: 'fay@leeds.example'
}

/** Calls the service in the name of one account. */
export interface ApiClient {
  send(
    method: string,
    path: string,
    body?: unknown,
    headers?: Record<string, string>
  ): Promise<Response>
  /** Sends and expects success: the body as `T`. */
  json<T>(method: string, path: string, body?: unknown): Promise<T>
  form<T>(path: string, form: FormData): Promise<T>
}

export interface DemoService {
  url: string
  pid: number
  /** Its environment. */
  settings: Record<string, string>
  specialistId: string
  anonymous: ApiClient
  clinician: ApiClient
  /** A clinician of another hospital. */
  colleague: ApiClient
  specialist: ApiClient
  /** Another specialist in Boston; in the first demonstration nothing is shared with them. */
  stranger: ApiClient
  strangerId: string
  /** A specialist at home, in Leeds. */
  local: ApiClient
  localId: string
  auditor: ApiClient
  stop(): Promise<void>
}

/**
 * Starts the real service as a process of its own on a free loopback port and a temporary data
 * directory, and enrols the people of one exchange. `stop` ends it and removes the directory.
 */
export async function startDemoService(env: Record<string, string> = {}): Promise<DemoService> {
  const directory = mkdtempSync(join(tmpdir(), 'consilium-'))
  const port = await freePort()
  const url = `http://localhost:${port}`
  const settings = {
    CONSILIUM_DATA: directory,
    CONSILIUM_PORT: String(port),
    CONSILIUM_LOG_LEVEL: 'warn',
    CONSILIUM_FREE_BYTES_MIN: '0',
    ...env
  }
  const child = await startMain(settings, url)
  const data = await openData(readConfig(settings))
  const people = await enrolPeople(data)
  await data.close()
  const client = (key: ClientKey | undefined) => apiClient(url, key)
  return {
    url,
    pid: child.pid ?? 0,
    settings,
    specialistId: people.specialist.accountId,
    anonymous: client(undefined),
    clinician: client(people.clinician.key),
    colleague: client(people.colleague.key),
    specialist: client(people.specialist.key),
    stranger: client(people.stranger.key),
    strangerId: people.stranger.accountId,
    local: client(people.local.key),
    localId: people.local.accountId,
    auditor: client(people.auditor.key),
    async stop() {
      await endProcess(child)
      rmSync(directory, { recursive: true, force: true })
    }
  }
}

/** A further process of the same exchange, which must be on PostgreSQL. */
export interface Beside {
  url: string
  pid: number
  kill(signal: NodeJS.Signals): void
  stop(): Promise<void>
}

/** Starts another process on the data of one that runs. To its clients it is the same. */
export async function startBeside(first: Pick<DemoService, 'settings' | 'url'>): Promise<Beside> {
  const port = await freePort()
  const url = `http://localhost:${port}`
  const own = { CONSILIUM_PORT: String(port), CONSILIUM_URL: first.url }
  const child = await startMain({ ...first.settings, ...own }, url)
  return {
    url,
    pid: child.pid ?? 0,
    kill: signal => void child.kill(signal),
    stop: () => endProcess(child)
  }
}

async function startMain(settings: Record<string, string>, url: string): Promise<ChildProcess> {
  const main = fileURLToPath(new URL('../src/main.ts', import.meta.url))
  const child = spawn(process.execPath, [main], {
    env: { ...process.env, ...settings },
    stdio: ['ignore', 'ignore', 'ignore']
  })
  await untilReady(url, () => child.exitCode !== null)
  return child
}

async function endProcess(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  child.kill('SIGTERM')
  await once(child, 'exit')
}

async function enrolPeople(data: OpenData) {
  const city = { name: 'City Hospital', odsCode: 'RX1', country: 'GB' }
  const organisation = await addOrganisation(data, city)
  const other = await addOrganisation(data, { name: 'Other Trust', odsCode: 'RX2', country: 'GB' })
  const boston = await addOrganisation(data, { name: 'Boston Clinic', country: 'US' })
  const leeds = await addOrganisation(data, { name: 'Leeds Clinic', odsCode: 'RX3', country: 'GB' })
  const enrol = async (account: Parameters<typeof addAccount>[1]) => {
    const accountId = await addAccount(data, account)
    const key = await addClient(data, { accountId })
    return { accountId, key: { ...key } as unknown as ClientKey }
  }
  const gmc = { professionalBody: 'GMC', registrationNumber: '1234567' }
  const board = { professionalBody: 'MA BORIM', registrationNumber: '245123' }
  return {
    clinician: await enrol({
      organisation,
      role: 'clinician',
      name: 'Dr Alice Example',
      email: addresses.clinician,
      ...gmc
    }),
    colleague: await enrol({
      organisation: other,
      role: 'clinician',
      name: 'Dr Bob Example',
      ...gmc
    }),
    specialist: await enrol({
      organisation: boston,
      role: 'specialist',
      name: 'Dr Carol Example',
      email: addresses.specialist,
      ...board
    }),
    stranger: await enrol({
      organisation: boston,
      role: 'specialist',
      name: 'Dr Dan Example',
      email: addresses.stranger,
      professionalBody: 'MA BORIM',
      registrationNumber: '245124'
    }),
    local: await enrol({
      organisation: leeds,
      role: 'specialist',
      name: 'Dr Fay Example',
      email: addresses.local,
      professionalBody: 'GMC',
      registrationNumber: '7654321'
    }),
    auditor: await enrol({ organisation, role: 'auditor', name: 'Erin Example' })
  }
}

const TOKEN_USE_MILLISECONDS = 200_000

/** `url` is what the service calls itself, `at` where to ask. */
export function apiClient(url: string, key: ClientKey | undefined, at = url): ApiClient {
  let token: { value: string; until: number } | undefined
  async function authorization(): Promise<Record<string, string>> {
    if (key === undefined) return {}
    if (token === undefined || Date.now() > token.until) {
      token = {
        value: (await requestToken(url, key)).value,
        until: Date.now() + TOKEN_USE_MILLISECONDS
      }
    }
    return { authorization: `Bearer ${token.value}` }
  }
  async function send(method: string, path: string, body?: unknown, headers = {}) {
    const isForm = body instanceof FormData
    return fetch(at + path, {
      method,
      headers: {
        ...(await authorization()),
        ...(body !== undefined && !isForm && { 'content-type': 'application/json' }),
        ...headers
      },
      ...(body !== undefined && { body: isForm ? body : JSON.stringify(body) })
    })
  }
  async function json<T>(method: string, path: string, body?: unknown): Promise<T> {
    const answer = await send(method, path, body)
    const text = await answer.text()
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`)
    return JSON.parse(text)
  }
  return { send, json, form: (path, form) => json('POST', path, form) }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  return typeof address === 'object' && address !== null ? address.port : 0
}

async function untilReady(url: string, ended: () => boolean): Promise<void> {
  const deadline = Date.now() + START_MILLISECONDS_MAX
  while (Date.now() < deadline && !ended()) {
    const answer = await fetch(`${url}/readyz`).catch(() => undefined)
    if (answer?.ok) return
    await new Promise(resolve => setTimeout(resolve, 50))
  }
  throw new Error('The service did not start. Run npm start to see why.')
}
