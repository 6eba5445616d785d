import type { AuditEventView } from '../../../schemas/audit-event.ts'
import type { Exchange } from '../../exchange.ts'
import { recordsById } from '../../records/record.ts'

/** What kind of record each of these events is about, by the id of the record. */
export async function kindsOfRecords(
  { database }: Pick<Exchange, 'database'>,
  events: Pick<AuditEventView, 'record'>[]
): Promise<Map<string, string>> {
  const ids = new Set(events.flatMap(({ record }) => record ?? []))
  if (ids.size === 0) return new Map()
  const rows = await recordsById(database.read, [...ids])
  return new Map(rows.map(({ id, kind }) => [id, kind]))
}
