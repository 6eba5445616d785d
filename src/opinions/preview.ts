import type { Attachment, ReviewedRecord } from '../../schemas/opinion.ts'
import { actedBy } from '../audit/acted-by.ts'
import { openCaseKey } from '../cases/case.ts'
import type { Exchange } from '../exchange.ts'
import type { Caller } from '../identity/principal.ts'
import { ownShare, rereadHeld } from '../shares/may-read.ts'
import { aboutShare } from '../shares/share.ts'
import { attachmentsOf, requireAttachments } from './attachments.ts'
import { requireDraft } from './draft-state.ts'
import { requireWriter } from './grounds.ts'
import { openText } from './opinion.ts'
import { findOpinion } from './queries.ts'
import { manifestOf } from './reviewed.ts'

/**
 * What would be signed beside the words of a draft: what was reviewed, by the log until now, and what
 * goes with it. Refusals: those of who may not write now, and `opinion-final`.
 */
export async function previewOpinion(
  exchange: Exchange,
  caller: Caller,
  shareId: string
): Promise<{ reviewed: ReviewedRecord[]; attachments: Attachment[] }> {
  const { database, keyring, clock } = exchange
  const { share, found } = await ownShare(database.read, caller, shareId)
  const about = aboutShare(share, found)
  await requireWriter(database.read, share, found, caller, clock(), false)
  const [draft] = await findOpinion(database.read, { shareId })
  requireDraft(draft, about)
  const text = draft && openText(await openCaseKey(keyring, found), draft)
  const named = await requireAttachments(database.read, found, caller, text?.attachments)
  const attachments = await attachmentsOf(exchange, found, named)
  const reviewed = await manifestOf(exchange, share, found)
  await database.write(async tx => {
    await requireWriter(tx, await rereadHeld(tx, shareId), found, caller, clock())
    await exchange.audit.append(tx, {
      action: 'opinion.read',
      outcome: 'success',
      ...actedBy(caller, { preview: draft?.version ?? 0 }),
      ...about
    })
  })
  return { reviewed, attachments }
}
