import { sql } from '../../../schemas/drizzle.ts'
import { type Database, prepared, type Queries } from '../../database/database.ts'

/** Events given their places in one transaction, so that no other waits long for it. */
export const PLACED_EVENTS_MAX = 2000

/** The function is of the migrations: the role of the service may not do what it does. */
const placeEvents = prepared<{ max: number }, { placed: number }[]>(q =>
  q
    .select({
      placed: sql<number>`place_audit_events(${sql.placeholder('max')})`.mapWith(Number)
    })
    .from(q.tables.auditHead)
    .prepare('place_audit_events')
)

const findPending = prepared<Record<string, never>, { id: string }[]>(q =>
  q
    .select({ id: q.tables.auditPending.id })
    .from(q.tables.auditPending)
    .limit(1)
    .prepare('find_pending')
)

/** Whether events wait for their place. On SQLite none ever does. */
export async function isAnyPending(queries: Queries): Promise<boolean> {
  return queries.kind === 'postgres' && (await findPending(queries, {})).length > 0
}

/**
 * Gives waiting events their places in the log, and holds its head until the transaction `tx` ends,
 * so that only one process at a time does so. If that one ends half-way, nothing has happened, and
 * the next takes its turn. Resolves to how many there were.
 */
export async function placePending(tx: Queries): Promise<number> {
  if (tx.kind === 'sqlite') return 0
  const [row] = await placeEvents(tx, { max: PLACED_EVENTS_MAX })
  return row?.placed ?? 0
}

/** Resolves once whatever was acknowledged before can be found among the events of the log. */
export async function placeAllPending(database: Database): Promise<void> {
  let placed = PLACED_EVENTS_MAX
  // The oldest first, so a turn that was not full has left none of those.
  while (placed === PLACED_EVENTS_MAX && (await isAnyPending(database.read))) {
    placed = await database.write(placePending)
  }
}
