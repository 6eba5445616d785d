import type { KeyObject } from 'node:crypto'
import { timestamp } from '../../schemas/common.ts'
import type { OpinionSummary } from '../../schemas/opinion.ts'
import { actedBy } from '../audit/acted-by.ts'
import { aboutCase, type CaseRow, caseOf, openCaseKey } from '../cases/case.ts'
import type { Exchange } from '../exchange.ts'
import { namesOf } from '../identity/people.ts'
import type { Caller } from '../identity/principal.ts'
import { pageOfShares, type ShareRow, stateOf } from '../shares/share.ts'
import { compare, type ToCompare } from './compare.ts'
import { openReason } from './decline.ts'
import { askedBy, type OpinionRow, openSigned } from './opinion.ts'
import { addendaOf, type DeclineRow, declinesOf, opinionsOfCase } from './queries.ts'

/** Shares of one case that are shown. More opinions than that nobody lays side by side. */
const SHARES_MAX = 200

/** Everything that came back, or is awaited, on one case, side by side. Drafts are their writers'. */
export async function summariseOpinions(
  exchange: Exchange,
  caller: Caller,
  caseId: string
): Promise<OpinionSummary> {
  const { database, keyring, serviceKeys } = exchange
  const found = await caseOf(database.read, caller, caseId)
  const { organisationId } = found
  const asked = { organisationId, caseId, limit: SHARES_MAX }
  const shares = await pageOfShares(database.read, asked)
  const all = await stored(exchange, caseId, shares)
  const names = await namesOf(database.read, serviceKeys, [
    ...new Set(shares.map(({ specialistId }) => specialistId))
  ])
  const key = await openCaseKey(keyring, found)
  const now = exchange.clock()
  const summary: OpinionSummary = {
    case: caseId,
    shares: shares.map(share => lineOf(key, share, all, names.get(share.specialistId), now)),
    ...compare(toCompare(key, shares, found, all))
  }
  await exchange.audit.add({
    action: 'opinion.list',
    outcome: 'success',
    ...actedBy(caller, { shown: [...all.opinions.keys()] }),
    ...aboutCase(found)
  })
  return summary
}

/** What is stored of these shares, by share; of opinions those that were submitted. */
interface Stored {
  opinions: Map<string, OpinionRow>
  addenda: Map<string, number>
  declines: Map<string, DeclineRow>
}

async function stored(
  { database }: Pick<Exchange, 'database'>,
  caseId: string,
  shares: ShareRow[]
): Promise<Stored> {
  const { read } = database
  const opinions = await opinionsOfCase(read, caseId)
  const submitted = opinions.filter(({ submittedAt }) => submittedAt !== null)
  const ids = submitted.map(({ id }) => id)
  const addenda = new Map<string, number>()
  for (const { opinionId } of ids.length === 0 ? [] : await addendaOf(read, ids)) {
    addenda.set(opinionId, (addenda.get(opinionId) ?? 0) + 1)
  }
  const shareIds = shares.map(({ id }) => id)
  const declines = shareIds.length === 0 ? [] : await declinesOf(read, shareIds)
  return {
    opinions: new Map(submitted.map(row => [row.shareId, row])),
    addenda,
    declines: new Map(declines.map(row => [row.shareId, row]))
  }
}

type Line = OpinionSummary['shares'][number]

function lineOf(
  key: KeyObject,
  share: ShareRow,
  { opinions, addenda, declines }: Stored,
  name: string | undefined,
  now: number
): Line {
  const opinion = opinions.get(share.id)
  const decline = declines.get(share.id)
  const isOver = ['revoked', 'expired'].includes(stateOf(share, now))
  const waiting: Line['state'] = isOver ? 'ended' : 'awaited'
  return {
    share: share.id,
    specialist: {
      account: share.specialistId,
      ...(name !== undefined && { name }),
      country: share.recipientCountry
    },
    state: opinion ? 'submitted' : decline ? 'declined' : waiting,
    ...(opinion && toldOf(opinion)),
    addenda: opinion === undefined ? 0 : (addenda.get(opinion.id) ?? 0),
    ...(decline && { declinedAt: timestamp(decline.at), reason: openReason(key, decline) })
  }
}

function toldOf({ submittedAt, acknowledgedAt, recordId }: OpinionRow) {
  return {
    ...(submittedAt !== null && { submittedAt: timestamp(submittedAt) }),
    ...(acknowledgedAt !== null && { acknowledgedAt: timestamp(acknowledgedAt) }),
    ...(recordId !== null && { record: recordId })
  }
}

/** Oldest first, as they came. */
function toCompare(
  key: KeyObject,
  shares: ShareRow[],
  found: CaseRow,
  { opinions }: Stored
): ToCompare[] {
  return shares.toReversed().flatMap(share => {
    const row = opinions.get(share.id)
    const signed = row && openSigned(key, row)
    if (signed === undefined) return []
    const { questions, isPlain } = askedBy(key, share, found)
    return [
      {
        share: share.id,
        account: share.specialistId,
        opinion: signed.content.opinion,
        questions: questions.map(({ number, text }) => ({
          key: isPlain ? 0 : number,
          number,
          text
        }))
      }
    ]
  })
}
