import { v7 as uuidv7 } from 'uuid'
import type { MoreTimeAsk, MoreTimeView } from '../../../schemas/more-time.ts'
import { actedBy } from '../../audit/acted-by.ts'
import { type CaseRow, openCaseKey } from '../../cases/case.ts'
import { plainText } from '../../cases/check-request.ts'
import type { Queries } from '../../database/database.ts'
import { Refusal } from '../../errors.ts'
import type { Exchange } from '../../exchange.ts'
import type { Caller } from '../../identity/principal.ts'
import { ownShare, refusalOf, requireOpen, reread, rereadHeld } from '../may-read.ts'
import { aboutShare, type ShareRow } from '../share.ts'
import { aboutNotice } from '../tell.ts'
import { isAnswered } from '../turnaround.ts'
import { sentShare } from '../view-sent.ts'
import { type AskRow, sealText, viewAsk } from './asked.ts'
import { asksOf, insertAsk } from './queries.ts'

const DAY_MILLISECONDS = 86_400_000
/** For so long after its end more time can be asked for. Whoever comes later needs a new share. */
export const ASK_AFTER_EXPIRY_DAYS = 14
/** How often it can be asked for one share. The one that replaces it begins anew. */
export const ASKS_MAX = 3

/**
 * A specialist asks for more time for a share of theirs, with one act, before it ends or soon after.
 * Nothing is disclosed by it and nothing changes until the sender answers. Refusals: `share-revoked`,
 * `share-replaced`, `opinion-final`, `more-time-pending`, `-too-late`, `-asked-too-often`, `text-invalid`.
 */
export async function askMoreTime(
  exchange: Exchange,
  caller: Caller,
  shareId: string,
  wanted: MoreTimeAsk
): Promise<MoreTimeView> {
  const { database, clock, notices } = exchange
  const { found } = await ownShare(database.read, caller, shareId)
  const key = await openCaseKey(exchange.keyring, found)
  const now = clock()
  const id = uuidv7({ msecs: now })
  const words = wanted?.words === undefined ? undefined : plainText('words', wanted.words)
  const row: AskRow = {
    id,
    shareId,
    askedBy: caller.accountId,
    askedAt: now,
    hours: wanted?.hours ?? null,
    wordsSealed: words === undefined ? null : sealText(key, id, 'words', words),
    answeredAt: null,
    answeredBy: null,
    reasonSealed: null,
    shareGiven: null
  }
  await database.write(async tx => {
    const held = await rereadHeld(tx, shareId)
    // Its case may have been erased meanwhile.
    await ownShare(tx, caller, shareId)
    requireRescuable(held, found, caller, now)
    const about = aboutShare(held, found)
    // What comes after an opinion is an addendum, which needs no more time.
    if (await isAnswered(tx, shareId)) throw new Refusal('opinion-final', undefined, { about })
    const before = await asksOf(tx, shareId)
    const isWaiting = before.some(({ answeredAt }) => answeredAt === null)
    if (!isWaiting && before.length >= ASKS_MAX) {
      throw new Refusal('more-time-asked-too-often', undefined, { about })
    }
    if (isWaiting || !(await insertAsk(tx, row))) {
      throw new Refusal('more-time-pending', undefined, { about })
    }
    await exchange.audit.append(tx, {
      action: 'more-time.ask',
      outcome: 'success',
      ...actedBy(caller, { moreTime: id, ...(row.hours !== null && { hours: row.hours }) }),
      ...about
    })
    await notices.enqueue(tx, {
      kind: 'more-time-asked',
      to: { accountId: held.createdBy },
      about: aboutNotice(held),
      once: `more-time-asked:${id}`
    })
  })
  return viewAsk(key, row, false)
}

function requireRescuable(share: ShareRow, found: CaseRow, caller: Caller, now: number): void {
  if (share.revokedAt !== null) throw refusalOf(share, found, caller, now, 'opening')
  if (now < share.expiresAt + ASK_AFTER_EXPIRY_DAYS * DAY_MILLISECONDS) return
  throw new Refusal('more-time-too-late', undefined, { about: aboutShare(share, found) })
}

/** What was asked of a share and what came of it, for its specialist and for those who sent it. */
export async function listAsks(
  exchange: Exchange,
  caller: Caller,
  shareId: string
): Promise<{ requests: MoreTimeView[] }> {
  const { database, keyring } = exchange
  const { share, found } = await partysShare(exchange, caller, shareId)
  const key = await openCaseKey(keyring, found)
  const rows = await asksOf(database.read, shareId)
  const isOver = share.revokedAt !== null || (await isAnswered(database.read, shareId))
  const requests = rows.map(row => viewAsk(key, row, isOver))
  await exchange.audit.add({
    action: 'more-time.read',
    outcome: 'success',
    ...actedBy(caller, { shown: rows.map(row => row.id) }),
    ...aboutShare(share, found)
  })
  return { requests }
}

async function partysShare({ database, clock }: Exchange, caller: Caller, shareId: string) {
  if (caller.role === 'specialist') {
    const own = await ownShare(database.read, caller, shareId)
    await requireTrusted(database.read, own, caller, clock())
    return own
  }
  const { row, found } = await sentShare(database.read, caller, shareId)
  return { share: row, found }
}

/**
 * Time takes nobody's own words away, nor does a newer share, which is judged in its place; all that else
 * shuts a share does.
 */
async function requireTrusted(
  queries: Queries,
  { share, found }: { share: ShareRow; found: CaseRow },
  caller: Caller,
  now: number
): Promise<void> {
  if (share.replacedBy !== null) {
    const newer = await reread(queries, share.replacedBy)
    return requireTrusted(queries, { share: newer, found }, caller, now)
  }
  const forever = Number.MAX_SAFE_INTEGER
  const always = { notBefore: 0, openUntil: forever, expiresAt: forever }
  const endless = { ...share, ...always, openingsMax: null }
  await requireOpen(queries, endless, found, caller, now, false)
}
