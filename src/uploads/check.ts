import type { Receipt } from '../audit/receipt.ts'
import type { Exchange } from '../exchange.ts'
import { openParts } from '../records/content.ts'
import { bytesOf, partsOfSegments } from '../records/layout.ts'
import { openRecordDetails } from '../records/record.ts'
import { type DraftInCase, homeOf, openDraftKey, openMetadata, type UploadRow } from './draft.ts'
import { allDrafts } from './draft-queries.ts'
import { allSegments, segmentsOfUpload, uploadsOfDraft } from './queries.ts'
import { asSegment } from './recorded.ts'

type Parts = Pick<Exchange, 'database' | 'blobs' | 'keyring'>
/** Runs one look at what is named, and keeps whatever it throws. */
type Look = (what: string, at: () => unknown) => Promise<void>

/**
 * Looks at every draft and at all that has come into it: each field opens, each segment decrypts, and
 * there is as much as was acknowledged. Adds the blobs that are theirs. Resolves to the plaintext
 * bytes that were read.
 */
export async function checkDrafts(
  parts: Parts,
  receipt: Receipt,
  look: Look,
  blobs: Set<string>
): Promise<number> {
  const { database } = parts
  let bytes = 0
  // Those of ended uploads too, which are still to be removed.
  for (const { blob } of await allSegments(database.read)) blobs.add(blob)
  for (const found of await allDrafts(database.read)) {
    const { id } = found.draft
    await look(`Draft ${id}`, async () => {
      const key = await openDraftKey(parts.keyring, found)
      openRecordDetails(key, found.draft)
    })
    for (const upload of await uploadsOfDraft(database.read, { draftId: id })) {
      bytes += await checkUpload(parts, receipt, found, upload, look)
    }
  }
  return bytes
}

async function checkUpload(
  { database, blobs, keyring }: Parts,
  receipt: Receipt,
  found: DraftInCase,
  upload: UploadRow,
  look: Look
): Promise<number> {
  const rows = await segmentsOfUpload(database.read, { uploadId: upload.id })
  // Of these the segments are going, or have gone to another.
  if (upload.state === 'refused' || upload.state === 'joined') return 0
  await look(`Upload ${upload.id}`, async () => {
    const key = await openDraftKey(keyring, found)
    openMetadata(key, upload)
    const parts = partsOfSegments(homeOf(found), rows.map(asSegment))
    const end = bytesOf(parts)
    const isInOrder = rows.every(({ place }, i) => place === i)
    if (end !== upload.received || rows.length !== upload.segments || !isInOrder) {
      throw new Error('it has not what was acknowledged')
    }
    const content = await openParts(blobs, receipt, key, parts, { start: 0, end })
    try {
      while ((await content.pull()) !== undefined);
    } finally {
      await content.close()
    }
  })
  return bytesOf(rows)
}
