import { createSecretKey, type KeyObject } from 'node:crypto'
import { v7 as uuidv7 } from 'uuid'
import type { OpinionRecordKind, RecordView, RefusedFile } from '../../schemas/record.ts'
import { actedBy } from '../audit/acted-by.ts'
import type { AuditEvent } from '../audit/log.ts'
import {
  type CaseRow,
  caseOf,
  openCaseDetails,
  openCaseKey,
  requireCaseKept
} from '../cases/case.ts'
import type { Queries } from '../database/database.ts'
import { publicFace, Refusal } from '../errors.ts'
import type { Exchange } from '../exchange.ts'
import type { Caller } from '../identity/principal.ts'
import { newKey, recordKeyContext, wrapKey } from '../sealing/keys.ts'
import { recordForm, type UploadPart } from './form.ts'
import { matchRecord, type PatientMatch } from './inspect/patient-match.ts'
import { insertRecord, type ObjectRow, objectsOfCase, type RecordRow } from './queries.ts'
import { aboutRecord, sealRecordDetails, viewRecord } from './record.ts'
import { beginFiles, type FileRefused, type StoredFile } from './store-file.ts'

/** Refused files that are told one by one on the access log; the rest are counted. */
const REFUSED_EVENTS_MAX = 20

/**
 * Takes one record: the fields, then any number of files, each streamed through type check, digest
 * and sealing into the blob store and never in clear on the disk. A file that is no good is left out
 * and told of; when none is good, the first one's refusal is the answer. Otherwise all or nothing: a
 * broken connection, a fault of the form or a full disk ends the upload, and the record and its
 * event appear in one transaction once every good file is durable. If it stops earlier, for whatever
 * reason, no row names what was stored; it is removed at once, or after a crash by housekeeping.
 */
export async function uploadRecord(
  exchange: Exchange,
  caller: Caller,
  caseId: string,
  parts: AsyncIterable<UploadPart>
): Promise<RecordView> {
  const found = await caseOf(exchange.database.read, caller, caseId)
  return storeUpload(exchange, caller, parts, { found })
}

/** Where an upload goes, and on what grounds if it is not simply into a case of one's organisation. */
export interface Destination {
  found: CaseRow
  /** What it is, where its form does not say. */
  kind?: OpinionRecordKind
  /** For the access log, besides the record itself. */
  about?: Pick<AuditEvent, 'shareId' | 'recipientCountry'>
  /** Runs first in the transaction that stores it, and throws the Refusal that says why it may not be. */
  stillAllowed?(tx: Queries): Promise<void>
}

/** The same for whoever has grounds of another kind. */
export async function storeUpload(
  exchange: Exchange,
  caller: Caller,
  parts: AsyncIterable<UploadPart>,
  to: Destination
): Promise<RecordView> {
  const { blobs, limits, keyring } = exchange
  const { found } = to
  const caseId = found.id
  requireCaseKept(found)
  if ((await blobs.freeBytes()) < limits.freeBytesMin) throw new Refusal('storage-full')

  const recordId = uuidv7({ msecs: exchange.clock() })
  const key = newKey()
  const { organisationId } = found
  const patient = async () => openCaseDetails(await openCaseKey(keyring, found), found).patient
  const files = beginFiles(exchange, { organisationId, caseId, recordId, key, patient })
  let committing = false
  let made: MadeRecord
  try {
    const form = recordForm(parts, limits, to.kind && 'other')
    for await (const file of form.files) await files.add(file)
    const { stored, refused } = await files.finish()
    if (stored.length === 0) throw noneTaken(refused)
    const verdict = stored.some(({ dicom }) => dicom?.patient)
      ? matchRecord(
          await patient(),
          stored.map(({ dicom }) => dicom)
        )
      : { match: 'cannot-tell' as const }
    committing = true
    const fields = { ...form.fields(), ...(to.kind && { kind: to.kind }) }
    const wanted = { recordId, key, ...fields, stored, refused, match: verdict.match }
    made = await commitRecord(exchange, caller, to, wanted)
  } catch (err) {
    // A commit that the disk failed may be stored all the same, and then its rows need these blobs.
    // If it is not, housekeeping removes them after the next start.
    const mayBeStored = committing && err instanceof Refusal && err.code === 'storage-unavailable'
    if (!mayBeStored) await files.discard()
    throw err
  } finally {
    key.fill(0)
  }
  // Only here: it is stored, and whatever fails from now on must not remove its blobs.
  return viewMade(exchange, made)
}

/** The answer to an upload without a good file: what is wrong with the first, and with each. */
function noneTaken(refused: FileRefused[]): Refusal {
  const [first] = refused
  if (first === undefined) return new Refusal('file-missing')
  const { code, message, extra } = first.refusal
  return new Refusal(code, message, { ...extra, refused: refused.map(tellRefused) })
}

/** What its sender is told of a file that was not taken. */
export function tellRefused({ position, fileName, refusal }: FileRefused): RefusedFile {
  const { title, next } = publicFace(refusal.code)
  return { position, fileName, code: refusal.code, title, detail: next }
}

interface NewRecord {
  recordId: string
  key: Buffer
  kind: string
  title: string
  date: string
  stored: StoredFile[]
  refused: FileRefused[]
  match: PatientMatch
}

/** A record that is stored. */
interface MadeRecord {
  record: RecordRow
  objects: ObjectRow[]
  refused: FileRefused[]
  key: KeyObject
}

async function commitRecord(
  exchange: Exchange,
  caller: Caller,
  to: Destination,
  wanted: NewRecord
): Promise<MadeRecord> {
  const { found } = to
  const { recordId, kind, title, date, stored, refused } = wanted
  const key: KeyObject = createSecretKey(wanted.key)
  const record = {
    id: recordId,
    caseId: found.id,
    kind,
    wrappedKey: await wrapKey(
      exchange.keyring,
      recordKeyContext(found.organisationId, recordId),
      key
    ),
    detailsSealed: sealRecordDetails(key, recordId, { title, date }),
    objectCount: stored.length,
    bytes: stored.reduce((total, { row }) => total + row.bytes, 0),
    createdBy: caller.accountId,
    createdAt: exchange.clock(),
    patientMatch: wanted.match,
    patientReasonSealed: null,
    patientConfirmedBy: null,
    patientConfirmedAt: null,
    copyOf: null,
    copyFor: null
  }
  const objects: ObjectRow[] = stored.map(({ row }) => ({ ...row, recordId }))
  const about = { ...aboutRecord({ record, case: found }), ...to.about }
  await exchange.database.write(async tx => {
    await to.stillAllowed?.(tx)
    await insertRecord(tx, record, objects)
    await exchange.audit.append(tx, {
      action: 'record.create',
      outcome: 'success',
      ...actedBy(caller, {
        kind,
        objects: stored.length,
        bytes: record.bytes,
        patientMatch: record.patientMatch,
        ...(refused.length > 0 && { refused: refused.length })
      }),
      ...about
    })
    for (const { position, refusal } of refused.slice(0, REFUSED_EVENTS_MAX)) {
      await exchange.audit.append(tx, {
        action: 'record.create',
        outcome: 'refused',
        code: refusal.code,
        ...actedBy(caller, { filePosition: position, ...refusal.extra.logged }),
        ...about
      })
    }
  })
  return { record, objects, refused, key }
}

async function viewMade(
  exchange: Exchange,
  { record, objects, refused, key }: MadeRecord
): Promise<RecordView> {
  const known = await objectsOfCase(exchange.database.read, { caseId: record.caseId })
  return {
    ...viewRecord(record, objects, key, exchange.scanner.policy, { known }),
    ...(refused.length > 0 && { refused: refused.map(tellRefused) })
  }
}
