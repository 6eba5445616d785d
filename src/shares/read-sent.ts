import { timestamp } from '../../schemas/common.ts'
import type { ShareView } from '../../schemas/share.ts'
import { actedBy } from '../audit/acted-by.ts'
import { openCaseKey } from '../cases/case.ts'
import type { Exchange } from '../exchange.ts'
import type { Caller } from '../identity/principal.ts'
import { verifiedUntil } from '../register/verified.ts'
import { aboutShare } from './share.ts'
import { sentShare, viewSent } from './view-sent.ts'

/**
 * One share that the caller's organisation sent, with what would end it before its time. On the access
 * log it is a list of one: `share.read` is what its specialist does. Throws Refusal `share-not-found`.
 */
export async function readSent(
  exchange: Exchange,
  caller: Caller,
  shareId: string
): Promise<ShareView> {
  const { database, keyring, audit } = exchange
  const { row, found } = await sentShare(database.read, caller, shareId)
  const [view] = await viewSent(exchange, caller, [row], of => openCaseKey(keyring, of))
  if (view === undefined) throw new Error('A share has no view.')
  await audit.add({
    action: 'share.list',
    outcome: 'success',
    ...actedBy(caller, { shown: [row.id] }),
    ...aboutShare(row, found)
  })
  const until = await verifiedUntil(database.read, row.specialistId)
  const isSooner = until !== undefined && until < row.expiresAt
  return { ...view, ...(isSooner && { verifiedUntil: timestamp(until) }) }
}
