import type { KeyObject } from 'node:crypto'
import { actedBy } from '../audit/acted-by.ts'
import type { Queries } from '../database/database.ts'
import { Refusal } from '../errors.ts'
import type { Exchange } from '../exchange.ts'
import type { Caller } from '../identity/principal.ts'
import { aboutDraft, type DraftInCase, draftOf, openDraftKey, sealMetadata } from './draft.ts'
import { addToDraft, countOpen } from './draft-queries.ts'
import { readMetadata } from './metadata.ts'
import { insertUpload } from './queries.ts'

/** What a creation request asks for (tus, creation and concatenation). */
export interface Wanted {
  id: string
  bytes: number
  metadata: Record<string, string | null>
  part: 'whole' | 'partial'
}

/**
 * Makes an upload in a draft of the caller's organisation, named in its metadata. Counted into the
 * draft and the organisation in the transaction that makes it. Resolves to when it ends by itself.
 */
export async function beginUpload(
  exchange: Exchange,
  caller: Caller,
  wanted: Wanted
): Promise<number> {
  const { database, limits } = exchange
  const { draftId, position, metadata } = readMetadata(wanted.metadata, limits)
  const concat = wanted.part === 'partial' ? { concat: wanted.part } : {}
  const now = exchange.clock()
  const found = await draftOf(database.read, caller, draftId, now)
  const about = aboutDraft(found)
  if (wanted.bytes === 0) throw new Refusal('file-empty', undefined, { about })
  if (wanted.bytes > limits.objectBytesMax)
    throw new Refusal('file-too-large', undefined, { about })
  if ((await exchange.blobs.freeBytes()) < limits.freeBytesMin) throw new Refusal('storage-full')
  const key = await openDraftKey(exchange.keyring, found)
  await database.write(async tx => {
    await requireRoom(exchange, tx, found, wanted.bytes)
    const filesMax = limits.objectsPerRecordMax - 1
    const room = { id: draftId, files: 1, bytes: wanted.bytes, now, filesMax }
    const files = await addToDraft(tx, room)
    if (files === undefined) throw new Refusal('draft-full', undefined, { about })
    await insertUpload(tx, {
      ...rowOf(
        found,
        wanted,
        key,
        { ...metadata, ...concat, fallback: `file-${position ?? files}` },
        now
      ),
      position: position ?? files,
      received: 0,
      segments: 0
    })
    await exchange.audit.append(tx, {
      action: 'upload.create',
      outcome: 'success',
      ...actedBy(caller, { bytes: wanted.bytes, part: wanted.part }),
      ...about,
      objectId: wanted.id
    })
  })
  return found.draft.expiresAt
}

/** What every new upload has. A file without a name of its own gets `fallback`. */
export function rowOf(
  { draft }: DraftInCase,
  wanted: { id: string; bytes: number; part: string },
  key: KeyObject,
  {
    fallback,
    fileName = fallback,
    ...metadata
  }: ReturnType<typeof readMetadata>['metadata'] & { fallback: string },
  createdAt: number
) {
  return {
    id: wanted.id,
    draftId: draft.id,
    organisationId: draft.organisationId,
    part: wanted.part,
    bytes: wanted.bytes,
    state: 'receiving',
    metadataSealed: sealMetadata(key, wanted.id, { ...metadata, fileName }),
    createdAt
  }
}

/** The limits of an organisation. Two processes may each let one in that is past them: they bound use. */
async function requireRoom(
  { limits, clock }: Pick<Exchange, 'limits' | 'clock'>,
  tx: Queries,
  found: DraftInCase,
  bytes: number
): Promise<void> {
  const open = await countOpen(tx, found.draft.organisationId, clock())
  const isFull =
    open.uploads >= limits.openUploadsPerOrganisationMax ||
    open.bytes + bytes > limits.draftBytesPerOrganisationMax
  if (isFull) throw new Refusal('too-many-drafts', 'uploads', { about: aboutDraft(found) })
}
