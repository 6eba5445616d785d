import { randomUUID } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import { buildApp } from '../../src/app.ts'
import { exportLog } from '../../src/audit/ask/export.ts'
import { askForLiveShares } from '../../src/audit/ask/live-shares.ts'
import { askQuestion } from '../../src/audit/ask/questions.ts'
import { verifyDirectory } from '../../src/audit/verify/directory.ts'
import { tellFindings } from '../../src/audit/verify/findings.ts'
import { readConfig } from '../../src/config.ts'
import type { Exchange } from '../../src/exchange.ts'
import type { Caller } from '../../src/identity/principal.ts'
import { createLogger } from '../../src/log.ts'
import type { Generated } from './audit-rows.ts'
import { MIB } from './bodies.ts'
import { memoryOf, resetPeak } from './processes.ts'

// A process of its own that opens a data directory as the service does and measures its access log.

export interface AuditTask {
  kind: keyof typeof tasks
  directory: string
  /** Where its database is, when not in the directory. */
  env?: Record<string, string> | undefined
  generated: Generated
  callers: number
  milliseconds: number
}

/** One number or more; which unit each has, its figure says. */
export type Measured = Record<string, number>

const LOOK_MILLISECONDS = 2
const ASKED_TIMES = 60
const P95 = 0.95
const P99 = 0.99

const tasks = { append, lag, ask, exportAll, verify }

process.once('message', async (task: AuditTask) => {
  process.send?.(await tasks[task.kind](task))
})

async function onExchange<T>(
  { directory, env }: Pick<AuditTask, 'directory' | 'env'>,
  work: (exchange: Exchange) => Promise<T>
) {
  const config = readConfig({ ...env, CONSILIUM_DATA: directory, CONSILIUM_LOG_LEVEL: 'silent' })
  const app = await buildApp(config, createLogger('silent'))
  try {
    await app.exchange.tree.settle()
    return await work(app.exchange)
  } finally {
    await app.stop()
  }
}

/** So many callers, each appending one event after another through the real path. */
function append({ generated, ...load }: AuditTask): Promise<Measured> {
  return onExchange(load, async exchange => ({
    perSecond: await appendFor(exchange, generated, load, () => {})
  }))
}

/** The same while somebody watches how soon each event is in the tree, which slows it down. */
function lag({ generated, ...load }: AuditTask): Promise<Measured> {
  return onExchange(load, async exchange => {
    const acknowledged: number[] = []
    const lags = watchLag(exchange, await sizeOf(exchange), acknowledged)
    await appendFor(exchange, generated, load, at => void acknowledged.push(at))
    return { lagP99: at(P99, await lags(acknowledged.length)) }
  })
}

/** Resolves to how many events a second were acknowledged; `told` of each when it is. */
async function appendFor(
  { audit }: Exchange,
  generated: Generated,
  { callers, milliseconds }: Pick<AuditTask, 'callers' | 'milliseconds'>,
  told: (at: number) => void
): Promise<number> {
  const start = performance.now()
  let count = 0
  await Promise.all(
    Array.from({ length: callers }, async () => {
      while (performance.now() < start + milliseconds) {
        await audit.add(eventFrom(generated))
        count += 1
        told(performance.now())
      }
    })
  )
  return count / ((performance.now() - start) / 1000)
}

/** Anywhere in the indexes, as if everybody were at work at once. */
const eventFrom = ({ organisationId, actors, cases, records }: Generated) => ({
  action: 'record.read' as const,
  outcome: 'success' as const,
  organisationId,
  actorId: oneOf(actors),
  actorOrganisationId: organisationId,
  caseId: oneOf(cases),
  recordId: oneOf(records),
  // In the order of their names, as those of requests are.
  details: { address: '192.0.2.7', client: randomUUID(), method: 'GET', requestId: 'bench-1' }
})

/** Events are acknowledged in about the order of the log, so counting tells when each got in. */
function watchLag(exchange: Exchange, before: number, acknowledged: number[]) {
  const lags: number[] = []
  let expected = Number.POSITIVE_INFINITY
  const watching = (async () => {
    while (lags.length < expected) {
      const inTree = (await sizeOf(exchange)) - before
      const now = performance.now()
      for (const then of acknowledged.slice(lags.length, inTree)) lags.push(now - then)
      await pause(LOOK_MILLISECONDS)
    }
    return lags
  })()
  return (count: number): Promise<number[]> => {
    expected = count
    return watching
  }
}

async function sizeOf({ database }: Exchange): Promise<number> {
  const { auditHead } = database.read.tables
  const [head] = await database.read.select({ size: auditHead.size }).from(auditHead)
  return head?.size ?? 0
}

/** The first page of every saved question, about somebody else each time: the slowest's p95. */
function ask({ generated, ...where }: AuditTask): Promise<Measured> {
  return onExchange(where, async exchange => {
    const auditor = auditorOf(generated)
    const days = () => ({ from: new Date(oneMomentOf(generated)).toISOString() })
    const ways: Record<string, () => Promise<unknown>> = {
      patient: () =>
        askQuestion(exchange, auditor, 'patient', { patient: oneOf(generated.patients) }),
      person: () => askQuestion(exchange, auditor, 'person', { actor: oneOf(generated.actors) }),
      'disclosures-abroad': () => askQuestion(exchange, auditor, 'disclosures-abroad', days()),
      refused: () => askQuestion(exchange, auditor, 'refused', {}),
      'log-readers': () => askQuestion(exchange, auditor, 'log-readers', {}),
      'live-shares': () => askForLiveShares(exchange, auditor, {})
    }
    const measured: Measured = {}
    for (const [name, once] of Object.entries(ways)) {
      const times: number[] = []
      for (let n = 0; n < ASKED_TIMES; n += 1) {
        const start = performance.now()
        await once()
        times.push(performance.now() - start)
      }
      measured[name] = at(P95, times)
    }
    return measured
  })
}

/** Everything one organisation may see of its log, and the memory that takes at its most. */
function exportAll({ generated, ...where }: AuditTask): Promise<Measured> {
  return onExchange(where, async exchange => {
    const before = memoryOf(process.pid)?.nowMib ?? 0
    resetPeak(process.pid)
    let bytes = 0
    for await (const text of await exportLog(exchange, auditorOf(generated), {})) {
      bytes += Buffer.byteLength(text)
    }
    return { growth: (memoryOf(process.pid)?.peakMib ?? 0) - before, mib: bytes / MIB }
  })
}

/** The whole log, as `npm run verify-audit -- --data` does it. */
async function verify({ directory }: AuditTask): Promise<Measured> {
  await onExchange({ directory }, async () => {})
  const faults: string[] = []
  const findings = tellFindings({ fault: text => void faults.push(text), notice: () => {} })
  const start = performance.now()
  const { events } = await verifyDirectory(directory, { vkeys: [], older: [] }, findings, () => {})
  const seconds = (performance.now() - start) / 1000
  if (faults.length > 0) throw new Error(`The log is at fault: ${faults[0]}`)
  return { secondsPerMillion: seconds / (events / 1e6) }
}

const auditorOf = ({ organisationId, actors }: Generated): Caller => ({
  accountId: String(actors[0]),
  organisationId,
  role: 'auditor',
  country: 'GB',
  issuer: 'bench',
  subject: 'bench',
  clientId: 'bench',
  scope: '',
  assurance: 'machine',
  trace: { requestId: 'bench-1', method: 'GET', route: 'none', address: '192.0.2.7' }
})

const oneMomentOf = ({ from, to }: Generated): number => from + Math.random() * (to - from)

function oneOf<T>(of: T[]): T {
  return of[Math.floor(Math.random() * of.length)] as T
}

function at(share: number, values: number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length * share)] ?? 0
}
