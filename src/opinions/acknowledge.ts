import type { OpinionView } from '../../schemas/opinion.ts'
import { actedBy } from '../audit/acted-by.ts'
import { openCaseKey } from '../cases/case.ts'
import { Refusal } from '../errors.ts'
import type { Exchange } from '../exchange.ts'
import type { Caller } from '../identity/principal.ts'
import { aboutShare } from '../shares/share.ts'
import { tellSpecialist } from '../shares/tell.ts'
import { sentShare } from '../shares/view-sent.ts'
import { askedBy } from './opinion.ts'
import { acknowledgeRow, addendaOf, findOpinion } from './queries.ts'
import { viewOpinion } from './view.ts'

/**
 * Notes that the organisation has received an opinion, once, and tells its specialist. Whether the
 * share has ended since makes no difference. Refusals: `opinion-not-found`, `opinion-acknowledged`.
 */
export async function acknowledgeOpinion(
  exchange: Exchange,
  caller: Caller,
  shareId: string
): Promise<OpinionView> {
  const { database, keyring, clock } = exchange
  const { row: share, found } = await sentShare(database.read, caller, shareId)
  const about = aboutShare(share, found)
  const key = await openCaseKey(keyring, found)
  const row = await database.write(async tx => {
    const noted = { shareId, by: caller.accountId, at: clock() }
    const [acknowledged] = await acknowledgeRow(tx, noted)
    if (acknowledged === undefined) {
      const [before] = await findOpinion(tx, { shareId })
      const isSubmitted = before !== undefined && before.submittedAt !== null
      const code = isSubmitted ? 'opinion-acknowledged' : 'opinion-not-found'
      throw new Refusal(code, undefined, { about })
    }
    await exchange.audit.append(tx, {
      action: 'opinion.acknowledge',
      outcome: 'success',
      ...actedBy(caller),
      ...about
    })
    await tellSpecialist(exchange, tx, share, 'opinion-acknowledged')
    return acknowledged
  })
  const addenda = await addendaOf(database.read, [row.id])
  return viewOpinion(key, { share, side: 'sender' }, askedBy(key, share, found), row, addenda)
}
