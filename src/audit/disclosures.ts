import { eq } from 'drizzle-orm'
import type { Outcome } from '../../schemas/audit-event.ts'
import type { Database, Queries } from '../database/database.ts'
import { Refusal } from '../errors.ts'
import type { AuditEvent, AuditLog } from './log.ts'
import { issueReceipt, type Receipt } from './receipt.ts'

/** How soon a completion that could not be written is tried again. */
const RETRY_MILLISECONDS = 1000

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
  /** Completions not yet on the disk. */
  unwritten(): number
  /** Marks what an ended process left open as interrupted. Call before serving. */
  recover(): Promise<number>
  /** Stops trying. */
  close(): void
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
    unwritten.delete(completion)
  }

  function retryLater(): void {
    if (retry !== undefined) return
    retry = setTimeout(async () => {
      retry = undefined
      for (const completion of unwritten) await write(completion).catch(() => {})
      if (unwritten.size > 0) retryLater()
    }, RETRY_MILLISECONDS)
    retry.unref()
  }

  async function complete(event: AuditEvent, grantId: string): Promise<void> {
    const completion = { event, grantId }
    unwritten.add(completion)
    await write(completion).catch(retryLater)
  }

  return {
    async grant(work) {
      if (retry !== undefined) throw new Refusal('audit-unavailable', 'completions are waiting')
      const { id, event } = await database.write(async tx => {
        const event = await work(tx)
        const id = await audit.append(tx, { ...event, outcome: 'granted' })
        await tx.insert(tx.tables.openDisclosures).values({ grantId: id, at: clock() })
        return { id, event }
      })
      return {
        receipt: issueReceipt(id),
        complete: (outcome, bytesHandedOver) =>
          complete({ ...event, outcome, bytesHandedOver, grantId: id }, id)
      }
    },
    unwritten: () => unwritten.size,
    async recover() {
      const { openDisclosures, auditEvents } = database.read.tables
      const left = await database.read
        .select()
        .from(openDisclosures)
        .innerJoin(auditEvents, eq(auditEvents.id, openDisclosures.grantId))
      for (const { audit_events: granted } of left) {
        const { id, at, detailsSealed, outcome, code, bytesHandedOver, ...rest } = granted
        const known = Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== null))
        await write({
          grantId: id,
          event: {
            ...known,
            action: 'content.read',
            outcome: 'interrupted',
            grantId: id,
            details: { ...audit.openDetails(id, detailsSealed), bytes: 'unknown' }
          }
        })
      }
      return left.length
    },
    close() {
      if (retry !== undefined) clearTimeout(retry)
    }
  }
}
