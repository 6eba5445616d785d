import type { Database, Queries } from '../database/database.ts'
import { Refusal } from '../errors.ts'
import type { AuditEvent } from './log.ts'

/** Events that share a transaction at most. */
const GROUP_EVENTS_MAX = 128
/** Transactions under way at once: while one is flushed to the disk, the next is made. */
const GROUPS_MAX = 2

interface Waiting {
  event: AuditEvent
  settle(id: string): void
  fail(err: unknown): void
}

interface Appends {
  one(tx: Queries, event: AuditEvent): Promise<string>
  /** Resolves to their ids, in their order. */
  all(tx: Queries, events: AuditEvent[]): Promise<string[]>
}

/**
 * For PostgreSQL: events that wait while a transaction is under way share the next one. Each in its own
 * would cost three answers of the server and a flush of its disk. None is acknowledged before the shared
 * commit; if the process stops before that, none of the group is stored and none was acknowledged.
 * (On SQLite the one writer does the same for all works.)
 */
export function groupedAppends(
  database: Pick<Database, 'write'>,
  append: Appends
): (event: AuditEvent) => Promise<string> {
  const queue: Waiting[] = []
  let groups = 0

  async function store(group: Waiting[]): Promise<void> {
    const events = group.map(({ event }) => event)
    try {
      const ids = await database.write(tx => append.all(tx, events))
      for (const [n, { settle }] of group.entries()) settle(ids[n] ?? '')
    } catch (err) {
      // Whether it is stored is not known then, and to ask again would store it twice.
      if (isOfStorage(err)) for (const { fail } of group) fail(err)
      else await Promise.all(group.map(storeAlone))
    }
  }

  /** What is wrong with one of a group is not wrong with the others, and the group is undone. */
  function storeAlone({ event, settle, fail }: Waiting): Promise<void> {
    return database.write(tx => append.one(tx, event)).then(settle, fail)
  }

  async function drain(): Promise<void> {
    groups += 1
    while (queue.length > 0) {
      await new Promise(setImmediate) // Let every request of this turn of the loop join.
      const group = queue.splice(0, GROUP_EVENTS_MAX)
      if (group.length > 1) await store(group)
      else await Promise.all(group.map(storeAlone))
    }
    groups -= 1
  }

  return event =>
    new Promise((settle, fail) => {
      queue.push({ event, settle, fail })
      if (groups < GROUPS_MAX) void drain()
    })
}

const isOfStorage = (err: unknown): boolean =>
  err instanceof Refusal && (err.code === 'storage-unavailable' || err.code === 'storage-full')
