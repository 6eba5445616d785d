import { Refusal } from '../errors.ts'
import type { Exchange } from '../exchange.ts'
import { INSPECT_BYTES, type Inspection, inspect } from '../records/inspect/inspect.ts'
import type { FileType } from '../records/inspect/signatures.ts'
import { openMetadata, type UploadInCase } from './draft.ts'
import { findUpload, segmentsOfUpload } from './queries.ts'
import { digestOfUpload } from './read-back.ts'
import { type Act, append, makeWhole, refuseFile } from './recorded.ts'

/** What was found in the first bytes of an upload earlier. */
export function seenBefore({ upload }: UploadInCase): Inspection | undefined {
  const { type, endToEnd } = upload
  return type === null || endToEnd === null ? undefined : { type: type as FileType, endToEnd }
}

/**
 * Judges the first bytes of a file, all of which `head` holds when the file is no longer. What is
 * refused ends the upload.
 */
export async function inspectHead(exchange: Exchange, act: Act, head: Buffer): Promise<Inspection> {
  const { upload } = act.found
  const { contentType, fileName } = openMetadata(act.key, upload)
  try {
    return inspect(head, upload.bytes < INSPECT_BYTES, {
      fileName,
      ...(contentType !== undefined && { contentType })
    })
  } catch (err) {
    if (!(err instanceof Refusal)) throw err
    return refuseFile(exchange, act, err.code, err.message)
  }
}

/**
 * Makes an upload whole whose bytes have all come, but not in one go in this process: reads them back
 * for the digest. Does nothing when it is whole already. If it stops half-way, the upload is as it was
 * and completing the draft does it again. The caller holds the place of the upload.
 */
export async function finishUpload(exchange: Exchange, act: Act): Promise<void> {
  const { database } = exchange
  const { id } = act.found.upload
  const [found] = await findUpload(database.read, { id })
  if (found === undefined || found.upload.state !== 'receiving') return
  const { upload } = found
  if (upload.received < upload.bytes || upload.part === 'partial') return
  const rows = await segmentsOfUpload(database.read, { uploadId: id })
  const now: Act = { ...act, found }
  const { sha256, head } = await digestOfUpload(exchange, now, rows)
  const seen = seenBefore(found) ?? (await inspectHead(exchange, now, head))
  const wanted = openMetadata(act.key, upload).sha256
  if (wanted !== undefined && wanted !== sha256.toString('hex')) {
    await refuseFile(exchange, now, 'digest-mismatch')
  }
  await database.write(async tx => {
    await makeWhole(tx, now, sha256, seen)
    await append(exchange, tx, now, { whole: upload.bytes })
  })
}
