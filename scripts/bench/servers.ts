import { once } from 'node:events'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Action, Outcome } from '../../schemas/audit-event.ts'
import { and, count, eq } from '../../schemas/drizzle.ts'
import { readConfig } from '../../src/config.ts'
import { addClient } from '../../src/identity/enrol.ts'
import { type OpenData, openData } from '../../src/open-data.ts'
import { type ClientKey, requestToken } from '../../src/sender/machine-client.ts'
import { type ApiClient, apiClient, startDemoService } from '../demo-service.ts'
import { nextMessage, start } from './processes.ts'

/** How long the second event of a disclosure may take to reach the disk. */
const EVENTS_MILLISECONDS_MAX = 5000

/** A server under measurement: a process of its own on its own directory. */
export interface Server {
  port: number
  pid: number
  stop(): Promise<void>
}

/** The real service, and access to it for the two who do all the work here. */
export interface Service extends Server {
  clinicianToken: string
  /** Access tokens of so many clients, each enrolled by itself, of one account. */
  tokensOf(who: 'clinician' | 'specialist', clients: number): Promise<string[]>
  specialistId: string
  clinician: ApiClient
  specialist: ApiClient
  auditor: ApiClient
  /** What it calls itself, and its environment. */
  url: string
  settings: Record<string, string>
  /** Its data, as a script of the operator opens them. */
  data: OpenData
  /** The clinician at another process of the same exchange. */
  clinicianAt(url: string): Promise<ApiClient>
  /** Events of this kind in its access log. */
  countEvents(action: Action, outcome: Outcome): Promise<number>
}

/** Where servers run: directories, all below one, none removed before the end. */
export interface Place {
  next(name: string): string
  /** Servers under way here, which must not outlive the bench. */
  pids: Set<number>
}

export function placeIn(directory: string, pids = new Set<number>()): Place {
  let servers = 0
  return {
    pids,
    next(name) {
      servers += 1
      const path = join(directory, `${servers}-${name}`)
      mkdirSync(path)
      return path
    }
  }
}

/** The baseline of uploads and downloads. */
export async function startPlainServer(place: Place): Promise<Server> {
  const child = start('plain-server.ts', [place.next('plain')])
  const { port } = await nextMessage<{ port: number }>(child)
  const pid = child.pid ?? 0
  place.pids.add(pid)
  return {
    port,
    pid,
    async stop() {
      child.disconnect()
      if (child.exitCode === null) await once(child, 'exit')
      place.pids.delete(pid)
    }
  }
}

/** The service as it is delivered, logging included, on a data directory of its own. */
export async function startService(
  place: Place,
  env: Record<string, string> = {}
): Promise<Service> {
  const directory = place.next('consilium')
  const settings = { CONSILIUM_LOG_LEVEL: 'info', ...env, CONSILIUM_DATA: directory }
  const demo = await startDemoService(settings)
  place.pids.add(demo.pid)
  const data = await openData(readConfig(settings))
  const newToken = async (who: 'clinician' | 'specialist') =>
    (await requestToken(demo.url, await newKey(data, demo[who]))).value
  return {
    port: Number(new URL(demo.url).port),
    pid: demo.pid,
    clinicianToken: await newToken('clinician'),
    tokensOf: (who, clients) => Promise.all(Array.from({ length: clients }, () => newToken(who))),
    specialistId: demo.specialistId,
    clinician: demo.clinician,
    specialist: demo.specialist,
    auditor: demo.auditor,
    url: demo.url,
    settings: demo.settings,
    data,
    clinicianAt: async at => apiClient(demo.url, await newKey(data, demo.clinician), at),
    countEvents: (action, outcome) => countEvents(data, action, outcome),
    async stop() {
      await data.close()
      await demo.stop()
      place.pids.delete(demo.pid)
    }
  }
}

/** The key of a further client of the same account. */
async function newKey(data: OpenData, client: ApiClient): Promise<ClientKey> {
  const { id: accountId } = await client.json<{ id: string }>('GET', '/v1/account')
  return { ...(await addClient(data, { accountId })) } as unknown as ClientKey
}

async function countEvents(data: OpenData, action: Action, outcome: Outcome): Promise<number> {
  const { auditEvents } = data.database.read.tables
  const [row] = await data.database.read
    .select({ events: count() })
    .from(auditEvents)
    .where(and(eq(auditEvents.action, action), eq(auditEvents.outcome, outcome)))
  return row?.events ?? 0
}

/**
 * Throws unless the access log has just so many events of this kind. A second event of a disclosure
 * may come a moment after its last byte.
 */
export async function expectEvents(
  service: Service,
  action: Action,
  outcome: Outcome,
  expected: number
): Promise<void> {
  const deadline = Date.now() + EVENTS_MILLISECONDS_MAX
  for (;;) {
    const events = await service.countEvents(action, outcome)
    if (events === expected) return
    if (events > expected || Date.now() > deadline) {
      throw new Error(`${expected} requests left ${events} events ${action} ${outcome}.`)
    }
    await new Promise(resolve => setTimeout(resolve, 50))
  }
}

export async function makeCase(service: Service): Promise<string> {
  const identifier = { system: 'https://fhir.nhs.uk/Id/nhs-number', value: '999 000 0018' }
  const { id } = await service.clinician.json<{ id: string }>('POST', '/v1/cases', {
    patient: { identifier, name: 'TEST, Patient One', birthDate: '1970-01-01' },
    question: 'Is resection advisable, or is watchful waiting the better course?'
  })
  return id
}
