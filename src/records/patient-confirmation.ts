import type { RecordSummary } from '../../schemas/record.ts'
import { actedBy } from '../audit/acted-by.ts'
import { Refusal } from '../errors.ts'
import type { Exchange } from '../exchange.ts'
import type { Caller } from '../identity/principal.ts'
import { confirmPatientRow, findRecord } from './queries.ts'
import {
  aboutRecord,
  openRecordKey,
  type RecordInCase,
  type RecordRow,
  recordOf,
  requireKept,
  sealReason,
  viewSummary
} from './record.ts'
import { quarantineOfRecords } from './scan/quarantine.ts'

/**
 * Says why a record whose headers name another patient is of this one, so that it may be shared. It
 * stands for good. Refusal `confirmation-not-needed` when the record is no mismatch, or a reason was
 * stated before; `record-erased` when it is gone. The reason is sealed with the record and, for whoever
 * audits it, with the event.
 */
export async function confirmPatient(
  exchange: Exchange,
  caller: Caller,
  recordId: string,
  reason: string
): Promise<RecordSummary> {
  const { database, keyring, audit, clock, scanner } = exchange
  const found = await recordOf(database.read, caller, recordId)
  const key = await openRecordKey(keyring, found)
  const reasonSealed = sealReason(key, recordId, reason)
  const confirmed = await database.write(async tx => {
    const [row] = await confirmPatientRow(tx, {
      id: recordId,
      reasonSealed,
      by: caller.accountId,
      at: clock()
    })
    if (row === undefined) {
      // Erased meanwhile: nothing is written to what is left of it.
      const [record = found.record] = await findRecord(tx, { id: recordId })
      requireKept({ ...found, record })
      throw new Refusal('confirmation-not-needed', undefined, { about: aboutRecord(found) })
    }
    await audit.append(tx, {
      action: 'record.confirm-patient',
      outcome: 'success',
      ...actedBy(caller, { reason }),
      ...aboutRecord(found)
    })
    return row
  })
  const states = await quarantineOfRecords(database.read, [recordId], scanner.policy)
  return { ...viewSummary(confirmed, key), quarantine: states.get(recordId) ?? 'waiting' }
}

/** Throws `patient-mismatch` for a record that may be of another patient, until it is confirmed. */
export function requireRightPatient(record: RecordRow, found: RecordInCase['case']): void {
  if (record.patientMatch !== 'mismatch' || record.patientConfirmedAt !== null) return
  throw new Refusal('patient-mismatch', undefined, {
    problems: [`record ${record.id} names another patient`],
    about: aboutRecord({ record, case: found })
  })
}
