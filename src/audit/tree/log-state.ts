import type { Queries } from '../../database/database.ts'
import { eventCount, lastCheckpoint } from './queries.ts'

/** How long the log is, and the last note that was signed of it, if any was. */
export async function logState(queries: Queries): Promise<{ events: number; checkpoint?: string }> {
  const signed = await lastCheckpoint(queries)
  const events = await eventCount(queries)
  return signed === undefined ? { events } : { events, checkpoint: signed.note }
}
