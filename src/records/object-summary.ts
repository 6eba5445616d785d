import { createHmac, type KeyObject } from 'node:crypto'
import type { Patient } from '../../schemas/case.ts'
import { canonicalContext, openBox, sealBox } from '../sealing/keys.ts'
import { matchRecord, type Verdict } from './inspect/patient-match.ts'
import { note, type ObjectSummary } from './inspect/summary.ts'
import type { ObjectRow } from './queries.ts'

/** What is kept of an inspection: what was seen, and whether it is of the patient of the case. */
export interface StoredSummary extends ObjectSummary {
  /** Only of files that have a DICOM header. */
  verdict?: Verdict
}

const summaryContext = (id: string): Buffer => canonicalContext('object-summary', id)

export function sealSummary(key: KeyObject, objectId: string, summary: StoredSummary): Buffer {
  return sealBox(key, summaryContext(objectId), Buffer.from(JSON.stringify(summary)))
}

/** What was seen in an object. Throws SealError when the stored bytes were changed. */
export function openSummary(
  key: KeyObject,
  object: Pick<ObjectRow, 'id' | 'summarySealed'>
): StoredSummary {
  if (object.summarySealed === null) return { notes: [note('not-inspected')] }
  return JSON.parse(openBox(key, summaryContext(object.id), object.summarySealed).toString())
}

/**
 * What stands for an instance where equal ones must be found but not read: 32 bytes, which are the
 * same for the same SOP Instance UID in the same case and tell nobody else anything.
 */
export function instanceRef(lookup: KeyObject, caseId: string, sopInstance: string): Buffer {
  return createHmac('sha256', lookup)
    .update(canonicalContext('instance', caseId, sopInstance))
    .digest()
}

/** Whose a record is, by the sealed summaries of all of its objects. */
export function verdictOn(
  patient: Patient,
  key: KeyObject,
  objects: readonly Pick<ObjectRow, 'id' | 'summarySealed'>[]
): Verdict {
  return matchRecord(
    patient,
    objects.map(object => openSummary(key, object).dicom)
  )
}
