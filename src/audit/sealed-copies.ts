import type { AuditEvent, AuditLog } from './log.ts'
import { issueReceipt, type Receipt } from './receipt.ts'

/**
 * Puts the beginning of a backup, or of a move, on the log, and resolves once that is on the disk: to
 * what lets the sealed objects be copied. Nobody is shown any, so it is not a disclosure with two
 * ends; how it ended is an event of its own.
 */
export async function recordCopyBegun(
  audit: AuditLog,
  action: 'data.backup' | 'data.move',
  counts: Record<string, number>
): Promise<Receipt> {
  const details = { by: 'operator console', stage: 'begun', ...counts }
  const id = await audit.add({ action, outcome: 'success', details })
  return issueReceipt(id)
}

/**
 * Puts an event on the log that tells why the service itself reads sealed bytes back, and resolves
 * once it is on the disk: to what lets them be read. Nothing of them may leave the service, so it is
 * not a disclosure with two ends either.
 */
export async function recordOwnReading(audit: AuditLog, event: AuditEvent): Promise<Receipt> {
  return issueReceipt(await audit.add(event))
}

/**
 * Puts the beginning of a malware scan of one object on the log, and resolves once that is on the
 * disk: to what lets the object be opened. Only the scanner of this service gets to see it, so it is
 * not a disclosure; the verdict is an event of its own.
 */
export async function recordScanBegun(
  audit: AuditLog,
  about: Omit<AuditEvent, 'action' | 'outcome' | 'details'>
): Promise<Receipt> {
  const id = await audit.add({
    ...about,
    action: 'object.scan',
    outcome: 'success',
    details: { by: 'service', stage: 'begun' }
  })
  return issueReceipt(id)
}
