import { timestamp } from '../../../schemas/common.ts'
import type { MoreTimeDecline, MoreTimeGive, MoreTimeView } from '../../../schemas/more-time.ts'
import type { ShareCreate } from '../../../schemas/share.ts'
import { actedBy } from '../../audit/acted-by.ts'
import { type CaseRow, knownCase, openCaseKey, requireCaseKept } from '../../cases/case.ts'
import { plainText } from '../../cases/check-request.ts'
import type { Queries } from '../../database/database.ts'
import { Refusal } from '../../errors.ts'
import type { Exchange } from '../../exchange.ts'
import type { Caller } from '../../identity/principal.ts'
import { carryDraft } from '../../opinions/carry.ts'
import { createShare } from '../create.ts'
import { refusalOfEnded } from '../manage.ts'
import { reread, rereadHeld } from '../may-read.ts'
import {
  aboutShare,
  findShareRecords,
  openTerms,
  type ShareRow,
  type ShareTerms
} from '../share.ts'
import { aboutNotice } from '../tell.ts'
import { isAnswered } from '../turnaround.ts'
import { tellsName } from '../unnamed.ts'
import { sentShare } from '../view-sent.ts'
import { withdrawShare } from '../withdraw.ts'
import { sealText, viewAsk } from './asked.ts'
import { type AskRow, answerAsk, asksOf } from './queries.ts'

/**
 * Gives more time that was asked for, or that the sender gives unasked: a new share of the same records
 * with the same specialist takes the place of the old one, which ends in the same transaction.
 * Everything about it is judged as if it were the first: the transfer, the specialist, quarantine, the
 * state of the case. Of several who answer at once one does. Refusals: those of a new share, `more-time-not-asked`, `more-time-shorter`,
 * `share-ended`, `share-replaced`, `opinion-final`.
 */
export async function giveMoreTime(
  exchange: Exchange,
  caller: Caller,
  shareId: string,
  wanted: MoreTimeGive
) {
  const { database, audit, clock } = exchange
  const { row: share, found } = await sentShare(database.read, caller, shareId)
  const isUnasked = wanted.unasked === true
  if (isUnasked) await requireOpenTo(database.read, share, found)
  else await waitingAsk(database.read, share, found)
  const terms = openTerms(await openCaseKey(exchange.keyring, found), share)
  const records = await findShareRecords(database.read, { shareId })
  const again = sameAgain(share, terms, wanted, clock())
  const named = records.map(({ recordId }) => recordId)
  const about = aboutShare(share, found)
  const { view } = await createShare(
    exchange,
    caller,
    found.id,
    { ...again, records: named },
    {
      share,
      pseudonyms: terms.pseudonymised,
      async end(tx, newShareId) {
        const ended = await withdrawShare(exchange, tx, caller, found, shareId, {
          action: 'share.revoke',
          replacedBy: newShareId
        })
        if (ended === undefined) throw refusalOfEnded(await reread(tx, shareId))
        // Copies take their time to make, and the case is held only now: nobody submits from here on.
        await requireUnanswered(tx, share, found)
        await carryDraft(tx, { from: shareId, to: newShareId })
        const answeredAt = clock()
        const answer = { answeredAt, reasonSealed: null, shareGiven: newShareId }
        const answeredBy = caller.accountId
        // Asked by now, it is answered; answered by now, nobody asks any more.
        const ask = (await asksOf(tx, shareId)).find(row => row.answeredAt === null)
        const answered = ask && (await answerAsk(tx, ask.id, { ...answer, answeredBy }))
        if (answered === undefined && !isUnasked) {
          throw new Refusal('more-time-not-asked', undefined, { about })
        }
        await audit.append(tx, {
          action: 'more-time.give',
          outcome: 'success',
          ...actedBy(caller, {
            ...(answered && { moreTime: answered.id }),
            replacedBy: newShareId
          }),
          ...about
        })
      }
    }
  )
  return view
}

/** What the old share was made of, but for its time. */
function sameAgain(
  share: ShareRow,
  terms: ShareTerms,
  { lifeHours, safeguard = terms.transfer.safeguard, overrideReason }: MoreTimeGive,
  now: number
): Omit<ShareCreate, 'records'> {
  const begins = Math.max(share.notBefore, now)
  const reason = overrideReason ?? terms.override?.reason
  const { pseudonymised } = terms
  return {
    specialist: share.specialistId,
    purpose: terms.purpose,
    lifeHours,
    ...(begins > now && { notBefore: timestamp(begins) }),
    ...(share.openingsMax !== null && { openingsMax: share.openingsMax }),
    ...(safeguard && { safeguard }),
    ...(reason !== undefined && { overrideReason: reason }),
    ...(pseudonymised && {
      pseudonymise: true,
      question: pseudonymised.question,
      ...pseudonymised.decisions
    })
  }
}

/**
 * Declines to give more time, with a reason that the specialist reads. The share stays as it is.
 * Refusals: `more-time-not-asked`, `share-ended`, `share-replaced`, `text-invalid`, and for one who
 * knows the patient by a pseudonym `pseudonymise-names-patient`.
 */
export async function declineMoreTime(
  exchange: Exchange,
  caller: Caller,
  shareId: string,
  wanted: MoreTimeDecline
): Promise<MoreTimeView> {
  const { database, audit, clock, notices } = exchange
  const { row: share, found } = await sentShare(database.read, caller, shareId)
  const { id } = await waitingAsk(database.read, share, found)
  const key = await openCaseKey(exchange.keyring, found)
  const reason = plainText('reason', wanted.reason)
  if (tellsName(reason, key, share, found)) throw new Refusal('pseudonymise-names-patient')
  const reasonSealed = sealText(key, id, 'reason', reason)
  const about = aboutShare(share, found)
  const answered = await database.write(async tx => {
    const held = await rereadHeld(tx, shareId)
    if (held.revokedAt !== null) throw refusalOfEnded(held)
    requireCaseKept(await knownCase(tx, held.caseId))
    const answer = { answeredAt: clock(), answeredBy: caller.accountId }
    const row = await answerAsk(tx, id, { ...answer, reasonSealed, shareGiven: null })
    if (row === undefined) throw new Refusal('more-time-not-asked', undefined, { about })
    await audit.append(tx, {
      action: 'more-time.decline',
      outcome: 'success',
      ...actedBy(caller, { moreTime: id }),
      ...about
    })
    await notices.enqueue(tx, {
      kind: 'more-time-declined',
      to: { accountId: share.specialistId },
      about: aboutNotice(share),
      once: `more-time-declined:${id}`
    })
    return row
  })
  return viewAsk(key, answered, false)
}

/** What waits to be answered. Throws the Refusal that says why nothing does. */
async function waitingAsk(queries: Queries, share: ShareRow, found: CaseRow): Promise<AskRow> {
  await requireOpenTo(queries, share, found)
  const rows = await asksOf(queries, share.id)
  const waiting = rows.find(({ answeredAt }) => answeredAt === null)
  if (waiting !== undefined) return waiting
  throw new Refusal('more-time-not-asked', undefined, { about: aboutShare(share, found) })
}

/** Throws the Refusal of a share for which no more time can be given. */
async function requireOpenTo(queries: Queries, share: ShareRow, found: CaseRow): Promise<void> {
  if (share.revokedAt !== null) throw refusalOfEnded(share)
  await requireUnanswered(queries, share, found)
}

/** It was answered while this waited: what comes after is an addendum. */
async function requireUnanswered(queries: Queries, share: ShareRow, found: CaseRow): Promise<void> {
  if (!(await isAnswered(queries, share.id))) return
  throw new Refusal('opinion-final', undefined, { about: aboutShare(share, found) })
}
