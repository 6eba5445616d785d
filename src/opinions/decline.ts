import type { KeyObject } from 'node:crypto'
import { timestamp } from '../../schemas/common.ts'
import type { Declined } from '../../schemas/opinion.ts'
import { openCaseKey } from '../cases/case.ts'
import { plainText } from '../cases/check-request.ts'
import { holdCase } from '../cases/move.ts'
import { Refusal } from '../errors.ts'
import type { Exchange } from '../exchange.ts'
import type { Caller } from '../identity/principal.ts'
import { canonicalContext, openBox, sealBox } from '../sealing/keys.ts'
import { ownShare, refusalOf, rereadHeld } from '../shares/may-read.ts'
import { aboutShare, stateOf } from '../shares/share.ts'
import { tellSender } from '../shares/tell.ts'
import { withdrawShare } from '../shares/withdraw.ts'
import { requireDraft } from './draft-state.ts'
import { type DeclineRow, findOpinion, insertDecline } from './queries.ts'

/**
 * Declines what was shared, with the reason, which its sender is shown: the share ends for good, as if
 * it had been withdrawn, and running downloads are cut. It asks for nothing but a share that has not
 * ended, because it discloses nothing. Refusals: `opinion-final` once an opinion was submitted, and
 * `share-expired`, `share-revoked` or `share-declined` of one that has ended.
 */
export async function declineCase(
  exchange: Exchange,
  caller: Caller,
  shareId: string,
  wanted: string
): Promise<Declined> {
  const { database, keyring, clock } = exchange
  const { share, found } = await ownShare(database.read, caller, shareId)
  const about = aboutShare(share, found)
  const reason = plainText('reason', wanted)
  const key = await openCaseKey(keyring, found)
  const reasonSealed = sealBox(key, reasonContext(shareId), Buffer.from(reason))
  const at = await database.write(async tx => {
    await holdCase(tx, found.id)
    const now = clock()
    const held = await rereadHeld(tx, shareId)
    if (['revoked', 'expired'].includes(stateOf(held, now))) {
      throw refusalOf(held, found, caller, now, 'reading')
    }
    const [opinion] = await findOpinion(tx, { shareId })
    requireDraft(opinion, about)
    const ended = await withdrawShare(exchange, tx, caller, found, shareId, {
      action: 'case.decline'
    })
    if (ended === undefined) throw new Refusal('share-ended', 'meanwhile', { about })
    await insertDecline(tx, { shareId, at: now, reasonSealed })
    await tellSender(exchange, tx, held, 'case-declined')
    return now
  })
  return { share: shareId, declinedAt: timestamp(at), reason }
}

const reasonContext = (shareId: string): Buffer => canonicalContext('share-decline', shareId)

export function openReason(key: KeyObject, row: DeclineRow): string {
  return openBox(key, reasonContext(row.shareId), row.reasonSealed).toString()
}
