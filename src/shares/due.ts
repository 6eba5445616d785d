import { dayIn } from '../calendar.ts'
import type { Exchange } from '../exchange.ts'
import { type DueShare, dueShares } from './live-queries.ts'
import { aboutNotice } from './tell.ts'

/** How long before an opinion is due both sides are reminded; and once more on the day itself. */
export const DUE_SOON_HOURS = 48
const HOUR_MILLISECONDS = 3_600_000
/** Shares looked at, and told of, in one go. */
const SHARES_MAX = 50

type Parts = Pick<Exchange, 'database' | 'clock' | 'notices'>

/**
 * Reminds sender and specialist of each live share through which no opinion has come back, 48 hours
 * before it is due and on the day, as days are counted where the sender's organisation is. Whoever got
 * the share within that time knew, and is not told of it. A notice of each stage, share and due date is
 * made once for ever, however many processes look and however often; a new date is told of anew.
 */
export async function noticeDueOpinions(parts: Parts, goOn: () => boolean): Promise<void> {
  const { database, clock } = parts
  let after: { dueAt: number; id: string } | undefined
  while (goOn()) {
    const now = clock()
    const until = now + DUE_SOON_HOURS * HOUR_MILLISECONDS
    const rows = await dueShares(database.read, { now, until, after, limit: SHARES_MAX })
    await noticeSome(parts, rows, now)
    const last = rows.at(-1)
    if (rows.length < SHARES_MAX || last === undefined) return
    after = { dueAt: last.dueAt ?? 0, id: last.share.id }
  }
}

async function noticeSome(
  { database, notices }: Parts,
  rows: DueShare[],
  now: number
): Promise<void> {
  const wanted = rows.flatMap(row => {
    const once = onceOf(row, now)
    return once === undefined ? [] : [{ row, once, accountId: row.share.specialistId }]
  })
  const known = await notices.known(database.read, wanted)
  const news = wanted.filter(({ once }) => !known.has(once))
  if (news.length === 0) return
  await database.write(async tx => {
    for (const { row, once } of news) {
      for (const accountId of [row.share.specialistId, row.share.createdBy]) {
        await notices.enqueue(tx, {
          kind: 'opinion-due',
          to: { accountId },
          about: aboutNotice(row.share),
          once,
          usefulUntil: row.dueAt ?? now
        })
      }
    }
  })
}

/** What names the reminder that is due now, if one is. Stored, so never renamed. */
function onceOf({ share, dueAt, timeZone }: DueShare, now: number): string | undefined {
  if (dueAt === null) return undefined
  const theDay = dayIn(timeZone, dueAt - 1)
  if (dayIn(timeZone, now) === theDay) {
    const isNew = dayIn(timeZone, share.createdAt) === theDay
    return isNew ? undefined : `opinion-due-today:${share.id}:${dueAt}`
  }
  const isNew = share.createdAt > dueAt - DUE_SOON_HOURS * HOUR_MILLISECONDS
  return isNew ? undefined : `opinion-due-48h:${share.id}:${dueAt}`
}
