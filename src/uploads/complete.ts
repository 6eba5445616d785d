import type { KeyObject } from 'node:crypto'
import type { RecordView } from '../../schemas/record.ts'
import { actedBy } from '../audit/acted-by.ts'
import { Refusal, type RefusalCode } from '../errors.ts'
import type { Exchange } from '../exchange.ts'
import type { Caller } from '../identity/principal.ts'
import { readRecord } from '../records/read.ts'
import { findObjects, insertRecord, objectsOfCase, viewRecord } from '../records/record.ts'
import { tellRefused } from '../records/upload.ts'
import {
  aboutDraft,
  type DraftInCase,
  draftOf,
  objectOf,
  openDraftKey,
  openMetadata,
  type UploadRow
} from './draft.ts'
import { dissolveDraft, holdDraft } from './draft-queries.ts'
import { finishUpload } from './finish.ts'
import { type Completing, type InspectedFiles, inspectFiles } from './inspect-files.ts'
import { uploadsOfDraft } from './queries.ts'
import { takeUpload } from './receive.ts'
import { removeEnded } from './sweep.ts'

/**
 * Makes the record that a draft was for, out of the files that have come whole: the record and its
 * event appear in one transaction, in which the draft goes. Files that were refused are left out, as
 * the draft has told; Refusal `draft-incomplete` while one is still arriving. One request at a time
 * does it, in whichever process; others are refused (`draft-completing`), so that nothing is looked
 * into twice. Asked again afterwards, it answers the record again.
 */
export async function completeDraft(
  exchange: Exchange,
  caller: Caller,
  draftId: string
): Promise<{ view: RecordView; isNew: boolean }> {
  const { database } = exchange
  const found = await liveDraft(exchange, caller, draftId)
  if (found instanceof Refusal) {
    return { view: await recordMade(exchange, caller, draftId, found), isNew: false }
  }
  const giveBack = await database.takePlace(`draft ${draftId}`, 1)
  if (giveBack === undefined) {
    throw new Refusal('draft-completing', undefined, { about: aboutDraft(found) })
  }
  try {
    return await completeAlone(exchange, caller, draftId)
  } finally {
    giveBack()
  }
}

/** The draft, or why there is none for this caller. */
function liveDraft(
  { database, clock }: Pick<Exchange, 'database' | 'clock'>,
  caller: Caller,
  draftId: string
): Promise<DraftInCase | Refusal> {
  return draftOf(database.read, caller, draftId, clock()).catch(err => {
    if (err instanceof Refusal) return err
    throw err
  })
}

async function completeAlone(
  exchange: Exchange,
  caller: Caller,
  draftId: string
): Promise<{ view: RecordView; isNew: boolean }> {
  const { database, keyring } = exchange
  // Read again: whoever had the place before may have made the record of it.
  const found = await liveDraft(exchange, caller, draftId)
  if (found instanceof Refusal) {
    return { view: await recordMade(exchange, caller, draftId, found), isNew: false }
  }
  const key = await openDraftKey(keyring, found)
  await finishAll(exchange, caller, found, key)
  const files = requireFiles(found, await uploadsOfDraft(database.read, { draftId }))
  const inspected = await inspectFiles(exchange, { caller, found, key }, files)
  // Their blobs first: once the draft is gone nothing tells whose they were.
  await removeEnded(exchange)
  try {
    return { view: await makeRecord(exchange, { caller, found, key, inspected }), isNew: true }
  } catch (err) {
    // A process that lost its place by losing the database finds that another was faster.
    if (!(err instanceof Refusal) || err.code !== 'draft-not-found') throw err
    return { view: await recordMade(exchange, caller, draftId, err), isNew: false }
  }
}

/** The record that was made of the draft before, or the refusal that there is no such draft. */
async function recordMade(
  exchange: Exchange,
  caller: Caller,
  draftId: string,
  refusal: Refusal
): Promise<RecordView> {
  try {
    // What was uploaded as a form was never a draft: its objects are not in segments.
    const objects = await findObjects(exchange.database.read, { recordId: draftId })
    if (objects.some(({ layoutSealed }) => layoutSealed === null)) throw refusal
    return await readRecord(exchange, caller, draftId)
  } catch (err) {
    if (!(err instanceof Refusal) || err.code !== 'record-not-found') throw err
    const { about = refusal.extra.about } = err.extra
    throw new Refusal('draft-not-found', err.message, about === undefined ? {} : { about })
  }
}

/**
 * Uploads whose last byte came, and whose process ended before it could say so. One that is refused
 * now stays with the draft like any that was refused before.
 */
async function finishAll(
  exchange: Exchange,
  caller: Caller,
  { draft, case: inCase }: DraftInCase,
  key: KeyObject
): Promise<void> {
  for (const upload of await uploadsOfDraft(exchange.database.read, { draftId: draft.id })) {
    const { state, received, bytes, part } = upload
    if (state !== 'receiving' || received < bytes || part === 'partial') continue
    const place = await takeUpload(exchange, upload.id)
    const found = { upload, draft, case: inCase }
    await finishUpload(exchange, { caller, found, key, action: 'record.create' })
      .catch(err => {
        if (!(err instanceof Refusal) || err.extra.recorded !== true) throw err
      })
      .finally(place.giveBack)
  }
}

/** The files that the record will have. Throws when one is missing, or there is none. */
function requireFiles(found: DraftInCase, uploads: UploadRow[]): UploadRow[] {
  const about = aboutDraft(found)
  const isMissing = ({ state, part }: UploadRow) =>
    state === 'receiving' || (state === 'stored' && part === 'partial')
  if (uploads.some(isMissing)) throw new Refusal('draft-incomplete', undefined, { about })
  const files = uploads.filter(({ state }) => state === 'stored')
  const refused = uploads.find(({ state }) => state === 'refused')
  if (files.length > 0) return files
  if (refused === undefined) throw new Refusal('file-missing', undefined, { about })
  const filePosition = refused.position
  throw new Refusal(refused.code as RefusalCode, 'no other file', { filePosition, about })
}

async function makeRecord(
  exchange: Exchange,
  completing: Completing & { inspected: InspectedFiles }
): Promise<RecordView> {
  const { caller, found, key, inspected } = completing
  const now = exchange.clock()
  const { id } = found.draft
  const made = await exchange.database.write(async tx => {
    // Read again: its key may have been wrapped anew, and an upload may have begun or ended.
    const draft = await holdDraft(tx, id, now)
    if (draft === undefined) throw new Refusal('draft-not-found', 'over')
    const uploads = await uploadsOfDraft(tx, { draftId: id })
    const files = requireFiles(found, uploads)
    const objects = files.map((file, i) => ({
      ...objectOf(file, i + 1, key),
      ...inspected.ofFile(file.id)
    }))
    const record = {
      id,
      caseId: draft.caseId,
      kind: draft.kind,
      wrappedKey: draft.wrappedKey,
      detailsSealed: draft.detailsSealed,
      objectCount: objects.length,
      bytes: objects.reduce((total, object) => total + object.bytes, 0),
      createdBy: caller.accountId,
      createdAt: now,
      patientMatch: inspected.match,
      patientReasonSealed: null,
      patientConfirmedBy: null,
      patientConfirmedAt: null,
      copyOf: null,
      copyFor: null
    }
    await insertRecord(tx, record, objects)
    await dissolveDraft(tx, id)
    await exchange.audit.append(tx, {
      action: 'record.create',
      outcome: 'success',
      ...actedBy(caller, {
        kind: draft.kind,
        objects: objects.length,
        bytes: record.bytes,
        patientMatch: record.patientMatch
      }),
      ...aboutDraft(found)
    })
    return { record, objects, refused: uploads.filter(({ state }) => state === 'refused') }
  })
  const known = await objectsOfCase(exchange.database.read, { caseId: found.draft.caseId })
  const refused = made.refused.map(upload =>
    tellRefused({
      position: upload.position,
      fileName: openMetadata(key, upload).fileName,
      refusal: new Refusal(upload.code as RefusalCode)
    })
  )
  return {
    ...viewRecord(made.record, made.objects, key, exchange.scanner.policy, { known }),
    ...(refused.length > 0 && { refused })
  }
}
