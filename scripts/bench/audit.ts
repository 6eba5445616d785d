import { once } from 'node:events'
import { readConfig } from '../../src/config.ts'
import { loadPostgres } from '../../src/database/postgres-copy.ts'
import { openSqliteRows } from '../../src/database/sqlite-rows.ts'
import { dataPaths, openData, prepareData } from '../../src/open-data.ts'
import type { AuditTask, Measured } from './audit-child.ts'
import { type Generated, generateEvents } from './audit-rows.ts'
import { type Bench, type Figure, inTurn, type Run } from './figure.ts'
import type { Stores } from './many-stores.ts'
import { nextMessage, start } from './processes.ts'
import { untilQuiet } from './watch.ts'

// Figures of the access log: on a small one, on one of a million events and on one of ten million,
// which are made up first (audit-rows.ts) and then taken into the tree by the service itself.

const SMALL_EVENTS = 20_000
const LARGE_EVENTS = 1_000_000
const HUGE_EVENTS = 10_000_000
/** An event with its share of the indexes, the tree and the write-ahead log. */
const BYTES_PER_EVENT = 1800
const CALLERS = 64
const MEASURED_MILLISECONDS = 5000

const LAG_MILLISECONDS_MAX = 1000
const ANSWER_MILLISECONDS_MAX = 50
const EXPORT_MIB_MAX = 100
const VERIFY_SECONDS_MAX = 120

export const appends: Figure = {
  name: 'log-appends',
  unit: 'events/s',
  goal: { ratioMin: 5 },
  diskBytes: () => SMALL_EVENTS * BYTES_PER_EVENT,
  run: bench => appendsTo(bench, 'log-appends', SMALL_EVENTS)
}

export const appendsToHuge: Figure = {
  name: 'log-appends-10m',
  unit: 'events/s',
  goal: { valueMin: 10_000 },
  diskBytes: () => HUGE_EVENTS * BYTES_PER_EVENT,
  run: bench => appendsTo(bench, 'log-appends-10m', HUGE_EVENTS)
}

/** From being acknowledged to being in the tree. The baseline is one caller. */
export const lag: Figure = {
  name: 'log-lag-10m',
  unit: 'ms (p99)',
  goal: { valueMax: LAG_MILLISECONDS_MAX },
  diskBytes: () => HUGE_EVENTS * BYTES_PER_EVENT,
  run: bench =>
    inTurn(bench, 'log-lag-10m', {
      baseline: () => measure(bench, HUGE_EVENTS, 'lag', 'lagP99', { callers: 1 }),
      ours: () => measure(bench, HUGE_EVENTS, 'lag', 'lagP99')
    })
}

/** The slowest saved question at ten million events. The baseline is the same at a million. */
export const questions: Figure = {
  name: 'log-questions-10m',
  unit: 'ms (p95)',
  goal: { valueMax: ANSWER_MILLISECONDS_MAX, ratioMax: 2 },
  diskBytes: () => (HUGE_EVENTS + LARGE_EVENTS) * BYTES_PER_EVENT,
  run: bench =>
    inTurn(bench, 'log-questions-10m', {
      baseline: () => measure(bench, LARGE_EVENTS, 'ask'),
      ours: () => measure(bench, HUGE_EVENTS, 'ask')
    })
}

/** Memory of a whole export. The baseline is that of a log a tenth as long. */
export const exportMemory: Figure = {
  name: 'log-export-10m',
  unit: 'MiB',
  goal: { valueMax: EXPORT_MIB_MAX },
  diskBytes: () => (HUGE_EVENTS + LARGE_EVENTS) * BYTES_PER_EVENT,
  run: bench =>
    inTurn(bench, 'log-export-10m', {
      baseline: () => measure(bench, LARGE_EVENTS, 'exportAll', 'growth'),
      ours: () => measure(bench, HUGE_EVENTS, 'exportAll', 'growth')
    })
}

/** Full verification. The baseline is the rate on a log a tenth as long. */
export const verification: Figure = {
  name: 'log-verify-10m',
  unit: 's per million',
  goal: { valueMax: VERIFY_SECONDS_MAX },
  diskBytes: () => (HUGE_EVENTS + LARGE_EVENTS) * BYTES_PER_EVENT,
  run: bench =>
    inTurn({ ...bench, rounds: 1 }, 'log-verify-10m', {
      baseline: () => measure(bench, LARGE_EVENTS, 'verify'),
      ours: () => measure(bench, HUGE_EVENTS, 'verify')
    })
}

/** The same two on PostgreSQL, onto which the log is copied as it is made. */
export function appendsOn(stores: () => Promise<Stores>): Figure[] {
  const on = (name: string, events: number, goal: Figure['goal']): Figure => ({
    name,
    unit: 'events/s',
    goal,
    diskBytes: () => events * BYTES_PER_EVENT * 3,
    run: async bench => {
      const { directory } = await logOf(bench, events)
      const { ownerUrl, env } = await (await stores()).freshDatabase()
      const rows = openSqliteRows(dataPaths(directory).database)
      await loadPostgres(ownerUrl, rows.rows()).finally(rows.close)
      return await appendsTo(bench, name, events, env)
    }
  })
  return [
    on('log-appends-postgres', SMALL_EVENTS, { ratioMin: 5 }),
    on('log-appends-10m-postgres', HUGE_EVENTS, { valueMin: 10_000 })
  ]
}

function appendsTo(bench: Bench, name: string, events: number, env?: Record<string, string>) {
  return inTurn(bench, name, {
    baseline: () => measure(bench, events, 'append', 'perSecond', { callers: 1, env }),
    ours: () => measure(bench, events, 'append', 'perSecond', { callers: CALLERS, env })
  })
}

/** Has a process of its own perform a task on a log of so many events; without `what`, its worst. */
async function measure(
  bench: Bench,
  events: number,
  kind: AuditTask['kind'],
  what?: string,
  who: Pick<AuditTask, 'callers' | 'env'> = { callers: CALLERS }
): Promise<Run> {
  const log = await logOf(bench, events)
  const { progress } = bench
  const child = start('audit-child.ts')
  try {
    const task: AuditTask = { kind, ...log, ...who, milliseconds: MEASURED_MILLISECONDS }
    await untilQuiet()
    child.send(task)
    const done = await nextMessage<Measured>(child)
    progress(`${JSON.stringify(done, (_, value) => rounded(value))} `)
    const values = Object.entries(done).flatMap(([name, value]) =>
      what === undefined || what === name ? [value] : []
    )
    return { value: Math.max(...values) }
  } finally {
    if (child.connected) child.disconnect()
    if (child.exitCode === null) await once(child, 'exit')
  }
}

const rounded = (value: unknown) =>
  typeof value === 'number' ? Number(value.toPrecision(3)) : value

interface Log {
  directory: string
  generated: Generated
}

const logs = new WeakMap<Bench['place'], Map<number, Promise<Log>>>()

/** Each log is made once and used by all figures; what they append makes little difference. */
function logOf({ place, progress }: Bench, events: number): Promise<Log> {
  const made = logs.get(place) ?? new Map<number, Promise<Log>>()
  logs.set(place, made)
  const log = made.get(events) ?? makeLog(place.next(`log-${events}`), events, progress)
  made.set(events, log)
  return log
}

async function makeLog(directory: string, events: number, progress: Bench['progress']) {
  progress(`(making ${events} events) `)
  const config = readConfig({ CONSILIUM_DATA: directory })
  const { release } = await prepareData(config)
  const { serviceKeys, close } = await openData(config)
  await close()
  const file = dataPaths(directory).database
  const generated = await generateEvents(file, events, { keys: serviceKeys })
  release()
  return { directory, generated }
}
