import type { KeyObject } from 'node:crypto'
import { actedBy } from '../audit/acted-by.ts'
import { Refusal } from '../errors.ts'
import type { Exchange } from '../exchange.ts'
import type { Caller } from '../identity/principal.ts'
import { rowOf } from './begin.ts'
import {
  aboutDraft,
  type DraftInCase,
  draftOf,
  openDraftKey,
  openMetadata,
  type UploadInCase,
  type UploadRow,
  uploadOf
} from './draft.ts'
import { addToDraft } from './draft-queries.ts'
import { finishUpload } from './finish.ts'
import { type ReadMetadata, readMetadata } from './metadata.ts'
import { findUpload, giveSegments, insertUpload } from './queries.ts'
import { takeUpload } from './receive.ts'

/** Ids of the uploads that the value of Upload-Concat of a final upload names, by path or URL. */
export function partsOfConcat(concat: string): string[] {
  const urls = concat.slice('final;'.length).split(' ').filter(Boolean)
  return urls.map(url => url.slice(url.lastIndexOf('/') + 1))
}

/** What a request to join asks for (tus, concatenation). */
export interface Joining {
  id: string
  parts: string[]
  /** Upload-Concat as it was sent. */
  concat: string
  metadata: Record<string, string | null>
}

/**
 * Joins partial uploads of one draft, in the order in which they are named, into a final one (tus,
 * concatenation): their segments become its own, and no byte is sealed anew. Then it is read back for
 * its digest; if it stops before, completing the draft does that. Asked again with the same parts, it
 * resolves to the same final upload.
 */
export async function joinUploads(
  exchange: Exchange,
  caller: Caller,
  wanted: Joining
): Promise<{ id: string; expiresAt: number }> {
  const { database, limits } = exchange
  const { draftId, position, metadata } = readMetadata(wanted.metadata, limits)
  const now = exchange.clock()
  const draft = await draftOf(database.read, caller, draftId, now)
  const parts: UploadRow[] = []
  for (const id of wanted.parts) {
    parts.push((await uploadOf(database.read, caller, id, now)).upload)
  }
  const key = await openDraftKey(exchange.keyring, draft)
  const before = await joinedBefore(exchange, draft, parts, key)
  if (before === undefined) {
    await join(exchange, caller, { ...wanted, draft, parts, metadata, position, key, now })
  }
  const id = before ?? wanted.id
  await finishJoined(exchange, caller, id)
  return { id, expiresAt: draft.draft.expiresAt }
}

async function join(
  exchange: Exchange,
  caller: Caller,
  joining: Omit<Joining, 'parts' | 'metadata'> &
    Pick<ReadMetadata, 'metadata' | 'position'> & {
      draft: DraftInCase
      parts: UploadRow[]
      key: KeyObject
      now: number
    }
): Promise<void> {
  const { id, draft, parts, metadata, position, concat, key, now } = joining
  const draftId = draft.draft.id
  const about = aboutDraft(draft)
  const bytes = parts.reduce((total, part) => total + part.bytes, 0)
  if (bytes > exchange.limits.objectBytesMax) {
    throw new Refusal('file-too-large', undefined, { about })
  }
  await exchange.database.write(async tx => {
    // Read again: the last segment of a part may have come since, and from now on none does.
    const current: UploadRow[] = []
    for (const part of parts) {
      const [found] = await findUpload(tx, { id: part.id })
      current.push(requireJoinable(found?.upload, draftId))
    }
    const segments = current.reduce((total, part) => total + part.segments, 0)
    // The parts become one file; their bytes are counted already.
    const room = { id: draftId, files: 1 - parts.length, bytes: 0, now }
    const left = await addToDraft(tx, { ...room, filesMax: Number.MAX_SAFE_INTEGER })
    if (left === undefined) throw new Refusal('draft-not-found', 'over', { about })
    const place = position ?? left
    const named = { ...metadata, concat, fallback: `file-${place}` }
    const row = rowOf(draft, { id, bytes, part: 'final' }, key, named, now)
    await insertUpload(tx, { ...row, position: place, received: bytes, segments })
    let at = 0
    for (const part of current) {
      const isGiven = await giveSegments(tx, { from: part.id, to: id, at })
      if (!isGiven) throw unfit('a part was joined or ended meanwhile, or is named twice')
      at += part.segments
    }
    await exchange.audit.append(tx, {
      action: 'upload.create',
      outcome: 'success',
      ...actedBy(caller, { bytes, part: 'final', joined: parts.length }),
      ...about,
      objectId: id
    })
  })
}

async function finishJoined(exchange: Exchange, caller: Caller, id: string): Promise<void> {
  const place = await takeUpload(exchange, id)
  try {
    const found: UploadInCase = await uploadOf(exchange.database.read, caller, id, exchange.clock())
    const key = await openDraftKey(exchange.keyring, found)
    await finishUpload(exchange, { caller, found, key, action: 'upload.create' })
  } finally {
    place.giveBack()
  }
}

/**
 * The final upload that just these parts are joined to already, in this order. Refusal
 * `upload-parts-joined` when one of them has become a part of another.
 */
async function joinedBefore(
  { database }: Pick<Exchange, 'database'>,
  draft: DraftInCase,
  parts: UploadRow[],
  key: KeyObject
): Promise<string | undefined> {
  const id = parts.find(({ joinedTo }) => joinedTo !== null)?.joinedTo ?? undefined
  if (id === undefined) return undefined
  const [final] = await findUpload(database.read, { id })
  const isOfDraft = final?.upload.draftId === draft.draft.id
  const { concat = '' } = isOfDraft ? openMetadata(key, final.upload) : {}
  const isSame = partsOfConcat(concat).join() === parts.map(part => part.id).join()
  if (!isSame) throw new Refusal('upload-parts-joined', undefined, { about: aboutDraft(draft) })
  return id
}

function requireJoinable(part: UploadRow | undefined, draftId: string): UploadRow {
  if (part?.draftId !== draftId || part.part !== 'partial') {
    throw unfit('a part is no partial upload of this draft')
  }
  if (part.state !== 'stored') throw unfit('a part is not all there, or was joined before')
  return part
}

function unfit(problem: string): Refusal {
  return new Refusal('request-invalid', 'Upload-Concat', { problems: [problem] })
}
