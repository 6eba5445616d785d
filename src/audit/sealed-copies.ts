import type { Database } from '../database/database.ts'
import type { AuditLog } from './log.ts'
import { issueReceipt, type Receipt } from './receipt.ts'

/**
 * Puts the beginning of a backup on the log, and resolves once that is on the disk: to what lets the
 * sealed objects be copied. Nothing is opened, so it is not a disclosure with two ends; how it ended
 * is an event of its own.
 */
export async function recordBackupBegun(
  database: Database,
  audit: AuditLog,
  counts: Record<string, number>
): Promise<Receipt> {
  const details = { by: 'operator console', stage: 'begun', ...counts }
  const id = await database.write(tx =>
    audit.append(tx, { action: 'data.backup', outcome: 'success', details })
  )
  return issueReceipt(id)
}
