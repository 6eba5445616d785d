import { actedBy } from '../audit/acted-by.ts'
import { Refusal } from '../errors.ts'
import type { Exchange } from '../exchange.ts'
import type { Caller } from '../identity/principal.ts'
import { aboutUpload, draftOf, uploadOf } from './draft.ts'
import { addToDraft } from './draft-queries.ts'
import { endUpload, findUpload, uploadsOfDraft } from './queries.ts'
import { takeUpload } from './receive.ts'
import { removeEnded } from './sweep.ts'

/**
 * Ends an upload (tus, termination), finished or not, and gives its room back. Nobody sees it from
 * the moment this commits; if it stops then, housekeeping removes its blobs.
 */
export async function terminateUpload(
  exchange: Exchange,
  caller: Caller,
  uploadId: string
): Promise<void> {
  const { database } = exchange
  const now = exchange.clock()
  await uploadOf(database.read, caller, uploadId, now)
  const place = await takeUpload(exchange, uploadId)
  try {
    const found = await uploadOf(database.read, caller, uploadId, now)
    const about = aboutUpload(found)
    const { bytes, draftId } = found.upload
    await database.write(async tx => {
      // Read again: to join it, or to refuse it while the draft is completed, takes no place of it.
      const [current] = await findUpload(tx, { id: uploadId })
      const state = current?.upload.state ?? 'ended'
      if (state === 'ended') throw new Refusal('upload-not-found', 'ended', { about })
      if (!(await endUpload(tx, uploadId, state))) {
        throw new Refusal('upload-locked', 'changed meanwhile', { about })
      }
      // The room of a part was given to the final upload, that of a refused file is free already.
      const room = {
        files: state === 'joined' ? 0 : -1,
        bytes: state === 'joined' || state === 'refused' ? 0 : -bytes
      }
      await addToDraft(tx, { id: draftId, ...room, now, filesMax: Number.MAX_SAFE_INTEGER })
      await exchange.audit.append(tx, {
        action: 'upload.end',
        outcome: 'success',
        ...actedBy(caller, { received: found.upload.received }),
        ...about
      })
    })
  } finally {
    place.giveBack()
  }
  await removeEnded(exchange, uploadId)
}

/**
 * Ends the uploads of a draft of which a part has come, for whoever wants the record without them. Does
 * nothing while no other file is there: that would be no record, and what came of them would be lost.
 * Nor where there is no such draft, or none any more: to complete it tells of that.
 */
export async function endUnfinished(
  exchange: Exchange,
  caller: Caller,
  draftId: string
): Promise<void> {
  const { database, clock } = exchange
  const isThere = await draftOf(database.read, caller, draftId, clock()).then(
    () => true,
    err => {
      if (err instanceof Refusal) return false
      throw err
    }
  )
  if (!isThere) return
  const uploads = await uploadsOfDraft(database.read, { draftId })
  const isFile = ({ part }: { part: string }) => part !== 'partial'
  if (!uploads.some(each => each.state === 'stored' && isFile(each))) return
  for (const { id, state, received, bytes } of uploads) {
    if (state !== 'receiving' || received === bytes) continue
    await terminateUpload(exchange, caller, id)
  }
}
