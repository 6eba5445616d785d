import type { Database } from '../database/database.ts'
import type { AuditLog } from './log.ts'
import { issueReceipt, type Receipt } from './receipt.ts'

/**
 * Puts the beginning of a backup, or of a move, on the log, and resolves once that is on the disk: to
 * what lets the sealed objects be copied. Nobody is shown any, so it is not a disclosure with two
 * ends; how it ended is an event of its own.
 */
export async function recordCopyBegun(
  { database, audit }: { database: Database; audit: AuditLog },
  action: 'data.backup' | 'data.move',
  counts: Record<string, number>
): Promise<Receipt> {
  const details = { by: 'operator console', stage: 'begun', ...counts }
  const id = await database.write(tx => audit.append(tx, { action, outcome: 'success', details }))
  return issueReceipt(id)
}
