import { type ChildProcess, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Test } from 'tap'
import { runConsilium } from '../../src/sender/commands.ts'
import { PUBLIC_URL } from '../helpers/data.ts'
import {
  createCase,
  type ExchangeOptions,
  type People,
  type PersonName,
  type RecordView,
  startExchange,
  type TestExchange
} from '../helpers/exchange.ts'
import { madeScan } from '../helpers/made-dicom.ts'

const BIN = new URL('../../bin/consilium.mjs', import.meta.url).pathname

/** What one run of the command came to. */
export interface Ran {
  exit: number | null
  out: string
  err: string
}

export interface Running {
  child: ChildProcess
  ended: Promise<Ran>
}

/** Starts the real command as a process of its own. */
export function startConsilium(
  args: string[],
  env: Record<string, string> = {},
  bin = BIN
): Running {
  const child = spawn(process.execPath, [bin, ...args], {
    env: { PATH: process.env.PATH ?? '', ...env },
    stdio: ['ignore', 'pipe', 'pipe']
  })
  const ran: Ran = { exit: null, out: '', err: '' }
  child.stdout?.on('data', text => (ran.out += text))
  child.stderr?.on('data', text => (ran.err += text))
  const ended = new Promise<Ran>(resolve => {
    child.on('close', exit => resolve({ ...ran, exit }))
  })
  return { child, ended }
}

/** Runs the command within this process, which is quicker; what it reads from its input is `input`. */
export async function consilium(args: string[], input = ''): Promise<Ran> {
  const ran: Ran = { exit: null, out: '', err: '' }
  const write = (text: string) => {
    ran.err += text
  }
  const out = (text: string) => {
    ran.out += text
  }
  const told = {
    out,
    screen: { isTerminal: false, columns: 80, write },
    readInput: async () => input
  }
  ran.exit = await runConsilium(args, told, new AbortController())
  return ran
}

export interface Stage {
  exchange: TestExchange
  caseId: string
  /** A place below the folder of this test. */
  path(name: string): string
  keyFile(who: PersonName): string
  /** Sends this folder as the clinician, to where the service is or to `url`. */
  send(folder: string, more?: string[], url?: string): Promise<Ran>
  /** The same in a process of its own. */
  start(folder: string, more?: string[], url?: string): Running
  fetch(args: string[], who?: PersonName, url?: string, input?: string): Promise<Ran>
  records(): Promise<RecordView[]>
}

export async function setStage(t: Test, options: ExchangeOptions = {}): Promise<Stage> {
  const exchange = await startExchange(t, options)
  const { id: caseId } = await createCase(exchange.client('clinician'))
  const path = (name: string) => join(exchange.directory, '..', 'sender', name)
  mkdirSync(path('.'), { recursive: true })
  const keyFile = (who: PersonName) => writeKey(exchange.people, who, path(`${who}.key`))
  const common = (who: PersonName, url = exchange.url) => commonArgs(keyFile(who), url)
  const sendArgs = (folder: string, more: string[] = [], url?: string) => [
    'send',
    ...common('clinician', url),
    ...['--case', caseId],
    ...more,
    folder
  ]
  return {
    exchange,
    caseId,
    path,
    keyFile,
    start: (...args) => startConsilium(sendArgs(...args)),
    send: (...args) => consilium(sendArgs(...args)),
    fetch: (args, who = 'specialistGb', url, input) =>
      consilium(['fetch', ...common(who, url), ...args], input),
    records: () => recordsOf(exchange.client('clinician'), caseId)
  }
}

export const commonArgs = (keyFile: string, url: string): string[] => [
  '--url',
  url,
  '--known-as',
  PUBLIC_URL,
  '--client-key',
  keyFile,
  '--patience',
  '20'
]

export function writeKey(people: People, who: PersonName, path: string): string {
  writeFileSync(path, JSON.stringify(people[who].key), { mode: 0o600 })
  return path
}

export async function recordsOf(
  client: ReturnType<TestExchange['client']>,
  caseId: string
): Promise<RecordView[]> {
  const { records } = await client.json<{ records: { id: string }[] }>(
    'GET',
    `/v1/cases/${caseId}/records`
  )
  return Promise.all(records.map(({ id }) => client.json<RecordView>('GET', `/v1/records/${id}`)))
}

/** Writes files below a folder and resolves to it. */
export function fill(folder: string, files: Record<string, Buffer | string>): string {
  mkdirSync(folder, { recursive: true })
  for (const [name, content] of Object.entries(files)) {
    const path = join(folder, name)
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, content)
  }
  return folder
}

export const sha256 = (bytes: Buffer | string): string =>
  createHash('sha256').update(bytes).digest('hex')

/** Instances of so many studies in folders of their own, each with two series. */
export function studies(count: number, instances: number, pixelBytes = 2000) {
  const files: Record<string, Buffer> = {}
  for (let study = 1; study <= count; study += 1) {
    for (let i = 1; i <= instances; i += 1) {
      const series = `1.2.3.${study}.${1 + (i % 2)}`
      const pixels = Buffer.alloc(pixelBytes, `${study}/${i} `)
      files[`study-${study}/IM${String(i).padStart(4, '0')}`] = madeScan({
        study: `1.2.3.${study}`,
        series,
        instance: `${series}.${i}`,
        pixels
      })
    }
  }
  return files
}

export const readJson = (path: string) => JSON.parse(readFileSync(path, 'utf8'))
