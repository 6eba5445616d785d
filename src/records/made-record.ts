import { createSecretKey } from 'node:crypto'
import { v7 as uuidv7 } from 'uuid'
import type { OpinionRecordKind } from '../../schemas/record.ts'
import { type CaseRow, openCaseDetails, openCaseKey } from '../cases/case.ts'
import { Refusal } from '../errors.ts'
import type { Exchange } from '../exchange.ts'
import { newKey, objectContext, recordKeyContext, wrapKey } from '../sealing/keys.ts'
import type { FileType } from './inspect/signatures.ts'
import { inspectorOf } from './inspect-file.ts'
import { ONE_BLOB } from './layout.ts'
import { type ObjectRow, type RecordRow, sealFileName, sealRecordDetails } from './record.ts'
import { notYetScanned } from './scan/verdict.ts'
import { storeCopy } from './store-copy.ts'
import { storedSource } from './stored-source.ts'

/** One file that the service itself makes for a case. */
export interface MadeFile {
  kind: OpinionRecordKind
  title: string
  date: string
  createdBy: string
  fileName: string
  type: FileType
  bytes: Buffer
}

export interface MadeRecord {
  record: RecordRow
  objects: ObjectRow[]
  /** Removes what was stored. Never throws. */
  discard(): Promise<void>
}

/**
 * Seals a file that the service has made as a record of a case, durable when this resolves. Nothing
 * names it until the caller's transaction inserts the rows; if that never comes, `discard` removes the
 * blob, or after a crash housekeeping. Throws Refusal `storage-full`.
 */
export async function makeRecord(
  exchange: Exchange,
  found: CaseRow,
  file: MadeFile
): Promise<MadeRecord> {
  const { blobs, limits, keyring, clock } = exchange
  if ((await blobs.freeBytes()) < limits.freeBytesMin) throw new Refusal('storage-full')
  const { organisationId } = found
  const [recordId, objectId] = [uuidv7({ msecs: clock() }), uuidv7({ msecs: clock() })]
  const bytes = newKey()
  const key = createSecretKey(bytes)
  const wrappedKey = await wrapKey(keyring, recordKeyContext(organisationId, recordId), key)
  bytes.fill(0)

  const begun: string[] = []
  const discard = async () => {
    for (const blob of begun) await blobs.remove(blob).catch(() => {})
  }
  try {
    const stored = await storeCopy(
      exchange,
      { key, context: objectContext(organisationId, recordId, objectId) },
      // Copied: what is written is given away.
      write => write(Buffer.from(file.bytes)),
      blob => begun.push(blob)
    )
    await blobs.sync(begun)
    const object: ObjectRow = {
      ...notYetScanned,
      id: objectId,
      recordId,
      position: 1,
      format: ONE_BLOB,
      type: file.type,
      endToEnd: false,
      layoutSealed: null,
      nameSealed: sealFileName(key, objectId, file.fileName),
      summarySealed: null,
      instanceRef: null,
      ...stored
    }
    const patient = async () => openCaseDetails(await openCaseKey(keyring, found), found).patient
    const { dicom, ...inspected } = await inspectorOf(exchange, {
      organisationId,
      caseId: found.id,
      key,
      patient
    })({
      objectId,
      type: file.type,
      head: Buffer.alloc(0),
      source: storedSource(blobs, { organisationId, recordKey: key, object })
    })
    const { title, date } = file
    const record: RecordRow = {
      id: recordId,
      caseId: found.id,
      kind: file.kind,
      wrappedKey,
      detailsSealed: sealRecordDetails(key, recordId, { title, date }),
      objectCount: 1,
      bytes: stored.bytes,
      createdBy: file.createdBy,
      createdAt: clock(),
      patientMatch: 'cannot-tell',
      patientReasonSealed: null,
      patientConfirmedBy: null,
      patientConfirmedAt: null,
      copyOf: null,
      copyFor: null
    }
    return { record, objects: [{ ...object, ...inspected }], discard }
  } catch (err) {
    await discard()
    throw err
  }
}
