import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import type { Test } from 'tap'
import { asc, desc, gt } from '../../schemas/drizzle.ts'
import { type App, buildApp } from '../../src/app.ts'
import { placeAllPending } from '../../src/audit/tree/pending.ts'
import type { Blobs } from '../../src/blobs/blobs.ts'
import { type Config, type Limits, readConfig } from '../../src/config.ts'
import type { Exchange } from '../../src/exchange.ts'
import { compileWhenNeeded } from '../../src/http/schema-compilers.ts'
import { createLogger } from '../../src/log.ts'
import { openBlobs, openData, prepareData } from '../../src/open-data.ts'
import { type Client, makeClient } from './client.ts'
import { PUBLIC_URL, type readEvents } from './data.ts'
import { databaseSettings } from './databases.ts'
import { enrolPeople, type People, type PersonName } from './people.ts'
import { type RawCall, rawCall } from './raw.ts'
import { storeSettings } from './s3.ts'

export type { Answer, Client, SentBody } from './client.ts'
export type { People, Person, PersonName } from './people.ts'
export type { RawCall } from './raw.ts'
export * from './story.ts'

export interface ExchangeOptions {
  limits?: Partial<Limits>
  /** Further settings, as the environment gives them. */
  env?: Record<string, string>
  /** Puts a store of a test around or in place of the real one. */
  wrapBlobs?: (inner: Blobs) => Blobs
}

export type AuditRow = Awaited<ReturnType<typeof readEvents>>[number]

/** The real service on a real socket and a directory of this test, with people enrolled. */
export interface TestExchange {
  /** Where it listens. It calls itself `PUBLIC_URL`. Both change for nobody but `restart`. */
  readonly url: string
  readonly app: App
  readonly exchange: Exchange
  readonly config: Config
  readonly directory: string
  /** What a script of the operator has in its environment. */
  readonly settings: Record<string, string>
  readonly people: People
  /** Requests in the name of this person, or of nobody. */
  client(who?: PersonName): Client
  /** One request on a socket of its own, signed in as this person. */
  raw(
    who: PersonName | undefined,
    requestLine: string,
    headers?: Record<string, string>,
    body?: string | Buffer
  ): Promise<RawCall>
  /** The one clock of the service. It runs with the machine's until it is set. */
  clock: {
    now(): number
    advance(milliseconds: number): void
    /** Stops it at this moment (milliseconds UTC, or a date that `Date.parse` reads). */
    set(moment: number | string): void
  }
  /** Everything logged so far. */
  logged(): string
  /**
   * Every event on the access log that matches, oldest first, with its details opened, once every
   * disclosure has both of its events: the second is written after the client has the last byte.
   */
  auditEvents(match?: Partial<AuditRow>): Promise<AuditRow[]>
  /** The same at once, for looking while content runs. */
  auditEventsNow(match?: Partial<AuditRow>): Promise<AuditRow[]>
  /** What `act` leaves on the access log, with what it resolves to. */
  eventsOf<T>(act: () => Promise<T>): Promise<{ result: T; events: AuditRow[] }>
  /** Stops the service gracefully and starts it again on the same data, with these settings too. */
  restart(env?: Record<string, string>): Promise<void>
}

/** Schemas are the same in every exchange of a process. */
const compilers = compileWhenNeeded()

/**
 * Starts the service the way `main.ts` does, without housekeeping, on 127.0.0.1. Everything is
 * closed when the test ends.
 */
export async function startExchange(t: Test, options: ExchangeOptions = {}): Promise<TestExchange> {
  const stores = { ...(await databaseSettings()), ...storeSettings() }
  const directory = newDirectory(t)
  const environment = (more = {}) => ({ ...options, env: { ...stores, ...options.env, ...more } })
  let config = testConfig(directory, environment())
  const lines: string[] = []
  const log = createLogger(config.logLevel, { write: (line: string) => void lines.push(line) })
  const clock = testClock()
  const { release } = await prepareData(config)

  const start = async () => {
    const { wrapBlobs } = options
    const blobs = wrapBlobs?.(await openBlobs(config))
    const app = await buildApp(config, log, {
      clock: clock.now,
      compilers,
      ...(blobs && { blobs })
    })
    await app.fastify.listen({ host: '127.0.0.1', port: 0 })
    const { port } = app.fastify.server.address() as AddressInfo
    return { app, url: `http://127.0.0.1:${port}` }
  }
  const data = await openDataForPeople(config, clock.now)
  let running = await start()
  t.teardown(async () => {
    await running.app.stop()
    release()
  })

  const clients = new Map<PersonName | undefined, Client>()
  const client = (who?: PersonName): Client => {
    const known = clients.get(who)
    if (known !== undefined) return known
    const made = makeClient(() => running.url, clock.now, who && data.people[who])
    clients.set(who, made)
    return made
  }

  return {
    get url() {
      return running.url
    },
    get app() {
      return running.app
    },
    get exchange() {
      return running.app.exchange
    },
    get config() {
      return config
    },
    directory,
    settings: { ...stores, CONSILIUM_DATA: directory },
    people: data.people,
    client,
    async raw(who, requestLine, headers = {}, body) {
      const token = await client(who).token()
      const authorization = token === undefined ? {} : { authorization: `Bearer ${token}` }
      const call = rawCall(running.url, requestLine, { ...authorization, ...headers }, body)
      t.teardown(() => call.abort())
      return call
    },
    clock,
    logged: () => lines.join(''),
    async auditEvents(match) {
      await disclosuresEnd(running.app.exchange)
      return matchingEvents(running.app.exchange, match)
    },
    auditEventsNow: match => matchingEvents(running.app.exchange, match),
    async eventsOf(act) {
      await disclosuresEnd(running.app.exchange)
      const last = await lastEventId(running.app.exchange)
      const result = await act()
      await disclosuresEnd(running.app.exchange)
      return { result, events: await eventsAfter(running.app.exchange, last) }
    },
    async restart(env) {
      await running.app.stop()
      if (env !== undefined) config = testConfig(directory, environment(env))
      running = await start()
    }
  }
}

const exchangesOf = new WeakMap<Test, number>()

/** One for each exchange of a test: asked for again, the test's own directory would be emptied. */
function newDirectory(t: Test): string {
  const before = exchangesOf.get(t) ?? 0
  exchangesOf.set(t, before + 1)
  if (before > 0) return join(t.testdirName, `data-${before + 1}`)
  // Asked for before the directory, so that the directory goes last: the service still writes to it.
  t.teardown(() => {})
  return join(t.testdir(), 'data')
}

/** That a whole check finds nothing; what it found stands in the name of the failure, for logs cut short. */
export async function isSound(t: Test, { exchange }: TestExchange, what = 'all is sound') {
  // Most tests ask for no check, and it brings the verifier of the log along.
  const { checkExchange } = await import('../../src/housekeeping/check-exchange.ts')
  const faults = await checkExchange(exchange)
  t.same(faults, [], faults.length === 0 ? what : `${what}: ${faults.join(' ')}`)
}

/** Resolves to the first answer that is not undefined; throws after `secondsMax` without one. */
export async function eventually<T>(
  what: string,
  look: () => Promise<T | undefined> | T | undefined,
  secondsMax = 30
): Promise<T> {
  const deadline = Date.now() + secondsMax * 1000
  for (let pause = 5; Date.now() < deadline; pause = Math.min(pause * 1.5, 50)) {
    const answer = await look()
    if (answer !== undefined) return answer
    // Ever less often: a look may cost more than what it waits for.
    await new Promise(resolve => setTimeout(resolve, pause))
  }
  throw new Error(`It did not happen in ${secondsMax} seconds: ${what}.`)
}

function disclosuresEnd({ database, streams }: Exchange): Promise<true> {
  return eventually('all disclosures ended', async () => {
    if (streams.count() > 0) return undefined
    const open = await database.read.select().from(database.read.tables.openDisclosures)
    return open.length === 0 ? true : undefined
  })
}

async function matchingEvents(
  exchange: Exchange,
  match: Partial<AuditRow> = {}
): Promise<AuditRow[]> {
  const wanted = Object.entries(match)
  const events = await eventsAfter(exchange, '')
  return events.filter(event =>
    wanted.every(([name, value]) => event[name as keyof AuditRow] === value)
  )
}

async function lastEventId({ database }: Exchange): Promise<string> {
  await placeAllPending(database)
  const { auditEvents } = database.read.tables
  const [last] = await database.read
    .select({ id: auditEvents.id })
    .from(auditEvents)
    .orderBy(desc(auditEvents.id))
    .limit(1)
  return last?.id ?? ''
}

/** Ids grow with time, so what came later has a larger one. */
async function eventsAfter({ database, audit }: Exchange, last: string): Promise<AuditRow[]> {
  await placeAllPending(database)
  const { auditEvents } = database.read.tables
  const rows = await database.read
    .select()
    .from(auditEvents)
    .where(gt(auditEvents.id, last))
    .orderBy(asc(auditEvents.id))
  return rows.map(({ detailsSealed, ...event }) => ({
    ...event,
    details: audit.openDetails(event.id, detailsSealed)
  }))
}

function testConfig(directory: string, options: ExchangeOptions): Config {
  const config = readConfig({
    CONSILIUM_DATA: directory,
    CONSILIUM_URL: PUBLIC_URL,
    CONSILIUM_LOG_LEVEL: 'trace',
    CONSILIUM_FREE_BYTES_MIN: '0',
    CONSILIUM_REFUSALS_PER_MINUTE_MAX: '10000',
    ...options.env
  })
  return { ...config, limits: { ...config.limits, ...options.limits } }
}

/** People are enrolled by scripts that open the data on their own, as an operator's do. */
async function openDataForPeople(config: Config, clock: () => number) {
  const data = await openData(config, clock)
  try {
    return { people: await enrolPeople(data) }
  } finally {
    await data.close()
  }
}

function testClock() {
  let ahead = 0
  let stopped: number | undefined
  return {
    now: () => stopped ?? Date.now() + ahead,
    advance(milliseconds: number) {
      if (stopped === undefined) ahead += milliseconds
      else stopped += milliseconds
    },
    set(moment: number | string) {
      stopped = typeof moment === 'number' ? moment : Date.parse(moment)
    }
  }
}
