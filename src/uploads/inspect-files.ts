import type { KeyObject } from 'node:crypto'
import { openCaseDetails, openCaseKey } from '../cases/case.ts'
import { Refusal } from '../errors.ts'
import type { Exchange } from '../exchange.ts'
import type { Caller } from '../identity/principal.ts'
import { matchRecord, type PatientMatch } from '../records/inspect/patient-match.ts'
import type { FileType } from '../records/inspect/signatures.ts'
import type { DicomSummary } from '../records/inspect/summary.ts'
import { type Inspected, inspectorOf } from '../records/inspect-file.ts'
import { storedSource } from '../records/stored-source.ts'
import { type DraftInCase, objectOf, type UploadRow } from './draft.ts'
import { refuseFile } from './recorded.ts'

/** A draft that is being completed, and by whom. */
export interface Completing {
  caller: Caller
  found: DraftInCase
  key: KeyObject
}

/** What was seen in the files of a draft. */
export interface InspectedFiles {
  /** What goes into the row of an object. */
  ofFile(id: string): Pick<Inspected, 'summarySealed' | 'instanceRef'>
  /** Whether they are of the patient of the case. */
  match: PatientMatch
}

/**
 * Looks into the files of a draft, which are stored and change no more. One whose structure proves
 * false is refused, which stays with the draft; the others go on. If it stops half-way, nothing has
 * happened but such refusals, and completing the draft looks into all of them again.
 */
export async function inspectFiles(
  exchange: Exchange,
  completing: Completing,
  files: UploadRow[]
): Promise<InspectedFiles> {
  const { found, key } = completing
  const { organisationId, caseId } = found.draft
  const patient = async () =>
    openCaseDetails(await openCaseKey(exchange.keyring, found.case), found.case).patient
  const inspectFile = inspectorOf(exchange, { organisationId, caseId, key, patient })
  const seen = new Map<string, Omit<Inspected, 'dicom'>>()
  const headers: (DicomSummary | undefined)[] = []

  for (const file of files) {
    const object = objectOf(file, file.position, key)
    const source = storedSource(exchange.blobs, { organisationId, recordKey: key, object })
    const wanted = {
      objectId: file.id,
      type: object.type as FileType,
      head: Buffer.alloc(0),
      source
    }
    const looked = await inspectFile(wanted).catch(err => leaveOut(exchange, completing, file, err))
    if (looked === undefined) continue
    const { dicom, ...columns } = looked
    seen.set(file.id, columns)
    headers.push(dicom)
  }
  return {
    ofFile(id) {
      const columns = seen.get(id)
      // It came whole after the others were looked into: completing the draft again takes it in.
      if (columns === undefined) throw new Refusal('draft-incomplete', 'one more came meanwhile')
      return columns
    },
    match: headers.some(dicom => dicom?.patient)
      ? matchRecord(await patient(), headers).match
      : 'cannot-tell'
  }
}

async function leaveOut(
  exchange: Exchange,
  { caller, found, key }: Completing,
  upload: UploadRow,
  err: unknown
): Promise<undefined> {
  if (!(err instanceof Refusal) || err.status >= 500) throw err
  const act = { caller, found: { ...found, upload }, key, action: 'record.create' as const }
  await refuseFile(exchange, act, err.code, err.message).catch(refusal => {
    if (!(refusal instanceof Refusal) || refusal.code !== err.code) throw refusal
  })
}
