import type { KeyObject } from 'node:crypto'
import { timestamp } from '../../schemas/common.ts'
import type { DraftView, UploadView } from '../../schemas/draft.ts'
import { aboutCase } from '../cases/case.ts'
import type { Queries } from '../database/database.ts'
import { Refusal } from '../errors.ts'
import type { Caller } from '../identity/principal.ts'
import { SEGMENTS } from '../records/layout.ts'
import { type ObjectRow, openRecordDetails, sealFileName } from '../records/record.ts'
import { unscannedColumns } from '../records/scan/verdict.ts'
import type { Keyring } from '../sealing/keyrings/keyring.ts'
import { canonicalContext, openBox, recordKeyContext, sealBox, unwrapKey } from '../sealing/keys.ts'
import { type DraftInCase, findDraft } from './draft-queries.ts'
import { findUpload, type UploadInCase, type UploadRow } from './queries.ts'

export type { DraftInCase } from './draft-queries.ts'
export type { UploadInCase, UploadRow } from './queries.ts'

/** The draft with this id, for a caller of the organisation that owns its case, while it lives. */
export async function draftOf(
  queries: Queries,
  caller: Caller,
  id: string,
  now: number
): Promise<DraftInCase> {
  const [found] = await findDraft(queries, { id })
  if (found === undefined) throw new Refusal('draft-not-found')
  requireOwn(found, caller, now, 'draft-not-found')
  return found
}

/**
 * The upload with this id, for a caller of the organisation that owns its case. To everybody else it
 * does not exist, and so it is to everybody once it was ended or its draft is over.
 */
export async function uploadOf(
  queries: Queries,
  caller: Caller,
  id: string,
  now: number
): Promise<UploadInCase> {
  const [found] = await findUpload(queries, { id })
  if (found === undefined) throw new Refusal('upload-not-found')
  requireOwn(found, caller, now, 'upload-not-found')
  if (found.upload.state === 'ended') {
    throw new Refusal('upload-not-found', 'ended', { about: aboutUpload(found) })
  }
  return found
}

function requireOwn(
  found: DraftInCase & { upload?: UploadRow },
  caller: Caller,
  now: number,
  code: 'draft-not-found' | 'upload-not-found'
): void {
  const { draft, upload } = found
  const about = { ...aboutDraft(found), ...(upload && { objectId: upload.id }) }
  if (found.case.organisationId !== caller.organisationId) {
    throw new Refusal(code, 'of another organisation', { about })
  }
  if (draft.discardedAt !== null || draft.expiresAt <= now)
    throw new Refusal(code, 'over', { about })
}

/** What the access log says about a draft: the record will have its id. */
export function aboutDraft(found: DraftInCase) {
  return { ...aboutCase(found.case), recordId: found.draft.id }
}

/** The same of an upload, whose id the object will have. */
export function aboutUpload(found: UploadInCase) {
  return { ...aboutDraft(found), objectId: found.upload.id }
}

/** Where what is sealed for a draft belongs: to the record that it will be. */
export function homeOf({ draft }: { draft: DraftInCase['draft'] }) {
  return { organisationId: draft.organisationId, recordId: draft.id }
}

/** The key of the record that a draft will be. */
export function openDraftKey(keyring: Keyring, found: DraftInCase): Promise<KeyObject> {
  const { draft } = found
  return unwrapKey(keyring, recordKeyContext(draft.organisationId, draft.id), draft.wrappedKey)
}

/** What the sender says of a file. */
export interface UploadMetadata {
  /** As it was sent: tus wants it back. */
  sent: Record<string, string | null>
  fileName: string
  /** Upload-Concat as it was sent, which tus wants back too. */
  concat?: string
  contentType?: string
  /** What its SHA-256 should be, in hex. */
  sha256?: string
}

const metadataContext = (id: string): Buffer => canonicalContext('upload-metadata', id)

export function sealMetadata(key: KeyObject, id: string, metadata: UploadMetadata): Buffer {
  return sealBox(key, metadataContext(id), Buffer.from(JSON.stringify(metadata)))
}

export function openMetadata(key: KeyObject, upload: UploadRow): UploadMetadata {
  const { id, metadataSealed } = upload
  return JSON.parse(openBox(key, metadataContext(id), metadataSealed).toString())
}

export function viewDraft({ draft }: DraftInCase, uploads: UploadRow[], key: KeyObject): DraftView {
  return {
    id: draft.id,
    case: draft.caseId,
    kind: draft.kind as DraftView['kind'],
    ...openRecordDetails(key, draft),
    createdBy: draft.createdBy,
    createdAt: timestamp(draft.createdAt),
    expiresAt: timestamp(draft.expiresAt),
    // Of a part that was joined, the final upload tells.
    uploads: uploads
      .filter(({ state }) => state !== 'joined')
      .map(upload => viewUpload(upload, key))
  }
}

function viewUpload(upload: UploadRow, key: KeyObject): UploadView {
  const { id, position, bytes, received, state, code, sha256 } = upload
  return {
    id,
    position,
    fileName: openMetadata(key, upload).fileName,
    bytes,
    offset: received,
    state: state as UploadView['state'],
    ...(upload.part === 'partial' && { partial: true }),
    ...(code !== null && { code }),
    ...(sha256 !== null && { sha256: sha256.toString('hex') })
  }
}

/** The object that a whole upload will be; nobody has looked into it yet. */
export function objectOf(upload: UploadRow, position: number, key: KeyObject): ObjectRow {
  const { id, draftId, type, endToEnd, bytes, sha256, layoutSealed } = upload
  if (type === null || endToEnd === null || sha256 === null) {
    throw new Error('A stored upload lacks what was found of it.')
  }
  return {
    id,
    recordId: draftId,
    position,
    blob: null,
    format: SEGMENTS,
    type,
    endToEnd,
    bytes,
    sha256,
    nameSealed: sealFileName(key, id, openMetadata(key, upload).fileName),
    layoutSealed,
    summarySealed: null,
    instanceRef: null,
    ...unscannedColumns({ endToEnd })
  }
}
