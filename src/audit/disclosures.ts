import { setTimeout as sleep } from 'node:timers/promises'
import type { Action, Outcome } from '../../schemas/audit-event.ts'
import { eq } from '../../schemas/drizzle.ts'
import type { Database, Queries } from '../database/database.ts'
import { Refusal } from '../errors.ts'
import type { AuditEvent, AuditLog } from './log.ts'
import { issueReceipt, type Receipt } from './receipt.ts'
import { placeAllPending } from './tree/pending.ts'

/** How soon a completion that could not be written is tried again. */
const RETRY_MILLISECONDS = 1000

/** How long a stop waits for completions. What is open then is found at the next start. */
const CLOSE_MILLISECONDS = 5000

/**
 * For how long the process of an open disclosure must have been missed before it counts as ended. It is
 * missed for half a second when its connection to the database breaks, or the server restarts, and
 * lives on.
 */
const MISSED_MILLISECONDS = 2000

/** How a disclosure ended, for its second event. */
export type Ending = Exclude<Outcome, 'success' | 'granted' | 'refused'>

/** One disclosure of content under way. */
export interface Disclosure {
  /** What opens the blob. It exists only once the granted event is on the disk. */
  receipt: Receipt
  /** Writes the second event. Never throws; what cannot be written is kept and tried again. */
  complete(ending: Ending, bytesHandedOver: number): Promise<void>
}

export interface Disclosures {
  /**
   * Runs `work` in a transaction that ends with the granted event it returns, and resolves once
   * both are on the disk. Throws what `work` throws, and Refusal `audit-unavailable` while an
   * earlier completion is still unwritten: a log that cannot be finished must not be added to.
   */
  grant(work: (tx: Queries) => Promise<AuditEvent>): Promise<Disclosure>
  /** Completions that could not be written so far. While there is one, nothing is granted. */
  unwritten(): number
  /**
   * Marks what ended processes left open as interrupted. Call before serving, and again now and then
   * where there are several processes. Resolves to how many there were.
   */
  recover(): Promise<number>
  /** Waits a moment for the disclosures under way to be completed, then stops trying. */
  close(): Promise<void>
}

interface Completion {
  event: AuditEvent
  grantId: string
}

export function openDisclosures(
  database: Database,
  audit: AuditLog,
  clock: () => number
): Disclosures {
  const completions = completionWriter(database, audit)
  const underWay = new Set<Promise<void>>()

  return {
    async grant(work) {
      if (completions.unwritten() > 0) {
        throw new Refusal('audit-unavailable', 'completions are waiting')
      }
      const { id, event } = await database.write(async tx => {
        const event = await work(tx)
        const id = await audit.append(tx, { ...event, outcome: 'granted' })
        await tx
          .insert(tx.tables.openDisclosures)
          .values({ grantId: id, run: database.run, at: clock() })
        return { id, event }
      })
      const { promise: completed, resolve } = Promise.withResolvers<void>()
      underWay.add(completed)
      return {
        receipt: issueReceipt(id),
        async complete(outcome, bytesHandedOver) {
          const completion = { ...event, outcome, bytesHandedOver, grantId: id }
          await completions.writeOrKeep({ event: completion, grantId: id })
          underWay.delete(completed)
          resolve()
        }
      }
    },
    unwritten: completions.unwritten,
    recover: () => markInterrupted(database, audit, completions.write),
    async close() {
      const waiting = new AbortController()
      const limit = sleep(CLOSE_MILLISECONDS, undefined, waiting).catch(() => {})
      await Promise.race([Promise.all(underWay), limit])
      waiting.abort()
      completions.stop()
    }
  }
}

/** Writes second events, and keeps those that could not be written to try them again. */
function completionWriter(database: Database, audit: AuditLog) {
  const unwritten = new Set<Completion>()
  let retry: NodeJS.Timeout | undefined

  async function write(completion: Completion): Promise<void> {
    await database.write(async tx => {
      const { openDisclosures } = tx.tables
      const [open] = await tx
        .delete(openDisclosures)
        .where(eq(openDisclosures.grantId, completion.grantId))
        .returning()
      // A commit that failed after it was stored: the event is there already.
      if (open !== undefined) await audit.append(tx, completion.event)
    })
  }

  async function tryToWrite(completion: Completion): Promise<void> {
    try {
      await write(completion)
      unwritten.delete(completion)
    } catch {
      unwritten.add(completion)
    }
  }

  function retryLater(): void {
    if (retry !== undefined || unwritten.size === 0) return
    retry = setTimeout(async () => {
      for (const completion of unwritten) await tryToWrite(completion)
      retry = undefined
      retryLater()
    }, RETRY_MILLISECONDS)
    retry.unref()
  }

  return {
    write,
    async writeOrKeep(completion: Completion): Promise<void> {
      await tryToWrite(completion)
      retryLater()
    },
    unwritten: () => unwritten.size,
    stop: () => clearTimeout(retry)
  }
}

/** Completes what an ended process left open. How much of it had left is not known. */
async function markInterrupted(
  database: Database,
  audit: AuditLog,
  write: (completion: Completion) => Promise<void>
): Promise<number> {
  const { openDisclosures, auditEvents } = database.read.tables
  await placeAllPending(database)
  const open = await database.read
    .select()
    .from(openDisclosures)
    .innerJoin(auditEvents, eq(auditEvents.id, openDisclosures.grantId))
  // Asked afterwards: whoever opened one of these had told the others before that it lives.
  const runs = new Set(open.map(row => row.open_disclosures.run))
  const ended = await endedRuns(database, [...runs])
  const left = open.filter(({ open_disclosures: { run } }) => ended.includes(run))
  for (const { audit_events: granted } of left) {
    const { idx, id, at, leaf, detailsSealed, outcome, code, bytesHandedOver, ...rest } = granted
    const known = Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== null))
    await write({
      grantId: id,
      event: {
        ...known,
        action: granted.action as Action,
        outcome: 'interrupted',
        grantId: id,
        details: { ...grantedDetails(audit, id, detailsSealed), bytes: 'unknown' }
      }
    })
  }
  return left.length
}

/** Those of `runs` that are of no process any more: missed twice where there may be several. */
async function endedRuns(database: Database, runs: string[]): Promise<string[]> {
  // Its own it cannot miss, and those of others it need not ask for when there are none.
  const others = runs.filter(run => run !== database.run)
  if (others.length === 0) return []
  const missed = await missedAmong(database, others)
  if (missed.length === 0 || database.read.kind === 'sqlite') return missed
  await sleep(MISSED_MILLISECONDS)
  return missedAmong(database, missed)
}

async function missedAmong(database: Database, runs: string[]): Promise<string[]> {
  const alive = await database.runs()
  return runs.filter(run => !alive.has(run))
}

/** What the granted event says. That it was changed is for the verifier to tell, and keeps nobody out. */
function grantedDetails(audit: AuditLog, id: string, sealed: Buffer | null) {
  const { details, damaged } = audit.readDetails(id, sealed)
  return damaged ? { granted: 'damaged' } : details
}
