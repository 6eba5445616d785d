import type { KeyObject } from 'node:crypto'
import type { Patient } from '../../schemas/case.ts'
import type { Exchange } from '../exchange.ts'
import { matchHeader, type Verdict } from './inspect/patient-match.ts'
import type { FileType } from './inspect/signatures.ts'
import type { InspectionSource } from './inspect/source.ts'
import { type DicomSummary, note, type ObjectSummary } from './inspect/summary.ts'
import { instanceRef, type StoredSummary, sealSummary } from './object-summary.ts'

/**
 * Files of one upload that may overrun their time. After these the rest is taken without a look:
 * others wait for the same thread.
 */
const OVERRUNS_MAX = 3

/** What an inspection adds to the row of an object. */
export interface Inspected {
  summarySealed: Buffer
  instanceRef: Buffer | null
  /** For the verdict on the whole record. */
  dicom: DicomSummary | undefined
}

export interface FileToInspect {
  objectId: string
  type: FileType
  /**
   * The first `HEAD_KEPT_BYTES` bytes, or all; fewer will do, and are then read from `source`. Alone
   * in their memory, which is given away.
   */
  head: Uint8Array<ArrayBuffer>
  source: InspectionSource
}

/**
 * Looks into the files of one record, each once its last byte is stored, and seals what it saw.
 * Rejects with the `Refusal` of a file whose structure proves false (see `lookInside`), and with
 * whatever `source.read` rejects with. The patient of the case is asked for once, when a header names
 * somebody.
 */
export function inspectorOf(
  { inspectPool, serviceKeys }: Pick<Exchange, 'inspectPool' | 'serviceKeys'>,
  record: { caseId: string; key: KeyObject; patient: () => Promise<Patient> }
): (file: FileToInspect) => Promise<Inspected> {
  let overruns = 0
  let patient: Promise<Patient> | undefined
  // The files of a study name one patient, whom to compare takes longer than to read a header.
  let last: { header: string; verdict: Verdict } | undefined

  async function lookInto({ type, head, source }: FileToInspect): Promise<ObjectSummary> {
    if (overruns >= OVERRUNS_MAX) return { notes: [note('inspection-stopped')] }
    const summary = await inspectPool.inspect({ type, head, source })
    if (summary.notes.some(({ code }) => code === 'inspection-stopped')) overruns += 1
    return summary
  }

  return async file => {
    const summary: StoredSummary = await lookInto(file)
    const { dicom } = summary
    if (dicom?.patient !== undefined) {
      patient ??= record.patient()
      const { identityRemoved, otherPatients } = dicom
      const header = JSON.stringify([dicom.patient, identityRemoved, otherPatients])
      if (last?.header !== header) last = { header, verdict: matchHeader(await patient, dicom) }
      summary.verdict = last.verdict
    } else if (file.type === 'application/dicom') {
      summary.verdict = { match: 'cannot-tell', reasons: [] }
    }
    const instance = dicom?.sopInstance
    return {
      summarySealed: sealSummary(record.key, file.objectId, summary),
      instanceRef:
        instance === undefined ? null : instanceRef(serviceKeys.lookup, record.caseId, instance),
      dicom
    }
  }
}
