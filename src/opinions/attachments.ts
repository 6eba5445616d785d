import { createHash } from 'node:crypto'
import type { Attached, Attachment } from '../../schemas/opinion.ts'
import type { CaseRow } from '../cases/case.ts'
import { holdCase } from '../cases/move.ts'
import type { Queries } from '../database/database.ts'
import { Refusal } from '../errors.ts'
import type { Exchange } from '../exchange.ts'
import type { Caller } from '../identity/principal.ts'
import type { UploadPart } from '../records/form.ts'
import { openRecordDetails, openRecordKey, type RecordRow, recordsById } from '../records/record.ts'
import { storeUpload } from '../records/upload.ts'
import { ownShare, rereadHeld } from '../shares/may-read.ts'
import { aboutShare } from '../shares/share.ts'
import { requireDraft } from './draft-state.ts'
import { requireWriter } from './grounds.ts'
import { countAttachments, filesOf, findOpinion } from './queries.ts'

/** Records that one specialist may add to one case. */
const ATTACHMENTS_MAX = 20

/**
 * Takes a record that goes with an opinion, by the flow of every upload: it is in the case from then
 * on, and belongs to the opinion that names it. The answer tells of the files alone: whether they are
 * of the patient of the case would tell who the patient is. Refusals: `opinion-final`,
 * `attachments-spent`, and those of an upload.
 */
export async function attachRecord(
  exchange: Exchange,
  caller: Caller,
  shareId: string,
  parts: AsyncIterable<UploadPart>
): Promise<Attached> {
  const { database, clock } = exchange
  const { share, found } = await ownShare(database.read, caller, shareId)
  const about = aboutShare(share, found)
  const { recipientCountry } = share
  await requireWriter(database.read, share, found, caller, clock(), false)
  requireDraft((await findOpinion(database.read, { shareId }))[0], about)
  const stored = await storeUpload(exchange, caller, parts, {
    found,
    kind: 'opinion-attachment',
    about: { shareId, recipientCountry },
    async stillAllowed(tx) {
      // Nobody else adds to this case meanwhile, so the count holds.
      await holdCase(tx, found.id)
      await requireWriter(tx, await rereadHeld(tx, shareId), found, caller, clock())
      requireDraft((await findOpinion(tx, { shareId }))[0], about)
      const by = { caseId: found.id, createdBy: caller.accountId }
      if ((await countAttachments(tx, by)) >= ATTACHMENTS_MAX) {
        throw new Refusal('attachments-spent', undefined, { about })
      }
    }
  })
  const { id, title, date, objects, refused } = stored
  return {
    record: id,
    title,
    date,
    files: objects.map(({ fileName, bytes, sha256 }) => ({ fileName, bytes, sha256 })),
    ...(refused && { refused })
  }
}

/**
 * The records that an opinion names, in its order: each was added to this case by the specialist who
 * names it. Throws Refusal `opinion-attachment-unknown`.
 */
export async function requireAttachments(
  queries: Queries,
  found: CaseRow,
  caller: Caller,
  ids: string[] = []
): Promise<RecordRow[]> {
  const rows = await recordsById(queries, ids)
  const isTheirs = (row: RecordRow) =>
    row.kind === 'opinion-attachment' &&
    row.caseId === found.id &&
    row.createdBy === caller.accountId
  if (rows.length === ids.length && rows.every(isTheirs)) return rows
  throw new Refusal('opinion-attachment-unknown')
}

/** What is signed of the records that go with an opinion. */
export async function attachmentsOf(
  exchange: Pick<Exchange, 'database' | 'keyring'>,
  found: CaseRow,
  rows: RecordRow[]
): Promise<Attachment[]> {
  const attachments = []
  for (const record of rows) {
    const key = await openRecordKey(exchange.keyring, { record, case: found })
    const files = await filesOf(exchange.database.read, { recordId: record.id })
    const all = createHash('sha256')
    const digests = files.map(({ sha256 }) => sha256.toString('hex'))
    for (const digest of digests) all.update(`${digest}\n`)
    const { title, date } = openRecordDetails(key, record)
    const { id, bytes } = record
    attachments.push({
      record: id,
      title,
      date,
      files: files.length,
      bytes,
      sha256: all.digest('hex')
    })
  }
  return attachments
}
