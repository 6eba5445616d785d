import { join } from 'node:path'
import { pino } from 'pino'
import type { Test } from 'tap'
import { openAuditLog } from '../../src/audit/log.ts'
import { placeAllPending } from '../../src/audit/tree/pending.ts'
import { type Config, readConfig } from '../../src/config.ts'
import type { Exchange } from '../../src/exchange.ts'
import { refusalCounter } from '../../src/http/refusal-counter.ts'
import { dataPaths } from '../../src/open-data.ts'
import { openDatabase } from '../../src/open-database.ts'
import { createKeyringFile, openKeyringFile } from '../../src/sealing/keyrings/file.ts'
import { openServiceKeys } from '../../src/service-keys.ts'
import { databaseSettings } from './databases.ts'

export type TestData = Pick<
  Exchange,
  | 'database'
  | 'keyring'
  | 'serviceKeys'
  | 'audit'
  | 'clock'
  | 'limits'
  | 'log'
  | 'publicUrl'
  | 'refusals'
> & {
  directory: string
  /** What `intrude` needs. */
  stored: Pick<Config, 'dataDirectory' | 'databaseUrl'>
  /** Moves the one clock of the exchange forwards. It runs with the machine's otherwise. */
  advance(milliseconds: number): void
  /** Everything logged so far. */
  logged(): string
}

/** The address the service has for its clients. Nothing listens there: tests use 127.0.0.1. */
export const PUBLIC_URL = 'http://localhost:3000'

/** A real database, key ring, service keys and access log in a directory of this test. */
export async function openTestData(t: Test): Promise<TestData> {
  // Asked for before the directory, so that the directory is removed last.
  t.teardown(() => {})
  const config = readConfig(await databaseSettings())
  const directory = t.testdir()
  const lines: string[] = []
  const log = pino({ level: 'trace' }, { write: (line: string) => lines.push(line) })
  let ahead = 0
  const clock = () => Date.now() + ahead
  const keyringFile = join(directory, 'keyring.json')
  await createKeyringFile(keyringFile)
  const keyring = await openKeyringFile(keyringFile)
  const database = await openDatabase(config, dataPaths(directory).database)
  t.teardown(() => database.close())
  const serviceKeys = await openServiceKeys(database, keyring, clock)
  const { limits } = config
  return {
    directory,
    stored: { dataDirectory: directory, databaseUrl: config.databaseUrl },
    database,
    keyring,
    serviceKeys,
    audit: openAuditLog(database, serviceKeys.audit, clock),
    clock,
    limits,
    refusals: refusalCounter(limits.refusalsPerMinuteMax, clock),
    log,
    publicUrl: PUBLIC_URL,
    advance: milliseconds => {
      ahead += milliseconds
    },
    logged: () => lines.join('')
  }
}

/** Every event on the access log, oldest first, with its details opened. */
export async function readEvents(data: Pick<Exchange, 'database' | 'audit'>) {
  await placeAllPending(data.database)
  const { auditEvents } = data.database.read.tables
  const rows = await data.database.read.select().from(auditEvents).orderBy(auditEvents.id)
  return rows.map(({ detailsSealed, ...event }) => ({
    ...event,
    details: data.audit.openDetails(event.id, detailsSealed)
  }))
}
