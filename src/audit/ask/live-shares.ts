import type { LiveShare } from '../../../schemas/audit-question.ts'
import { timestamp } from '../../../schemas/common.ts'
import { and, desc, eq, gt, gte, isNull, lt, lte, sql } from '../../../schemas/drizzle.ts'
import { type Database, prepared, type Queries } from '../../database/database.ts'
import type { Exchange } from '../../exchange.ts'
import { type Page, readPage } from '../../http/page.ts'
import { namesOf } from '../../identity/people.ts'
import type { Caller } from '../../identity/principal.ts'
import { placeAllPending } from '../tree/pending.ts'
import { recordQuestion } from './ask.ts'
import { BELOW_ALL, firstIdAt, firstOf, pageOfStreams, type Range, type Stream } from './keyset.ts'

/**
 * A share begins 720 hours after it was made at the latest, and lasts as long at most, whatever the
 * settings. What was made earlier than this cannot be live.
 */
const LIVE_MILLISECONDS_MAX = 2 * 720 * 3_600_000

type ShareRow = Queries['tables']['shares']['$inferSelect']

/**
 * One page of the shares of the auditor's organisation that are live at this moment, newest first,
 * with when each was last opened and when content was last read by it. The question is on record
 * before the answer is given.
 */
export async function askForLiveShares(
  exchange: Exchange,
  caller: Caller,
  asked: Page
): Promise<{ shares: LiveShare[]; next?: string }> {
  const { database, limits, serviceKeys } = exchange
  const { before = BELOW_ALL, limit } = readPage(asked, limits)
  const now = exchange.clock()
  const range = { from: firstIdAt(now - LIVE_MILLISECONDS_MAX), below: before }
  await placeAllPending(database)
  const live = liveShares(database, caller.organisationId, now)
  const { rows, next } = await pageOfStreams([live], range, limit)
  const specialists = new Set(rows.map(row => row.specialistId))
  const names = await namesOf(database.read, serviceKeys, [...specialists])
  const shares: LiveShare[] = []
  for (const row of rows) {
    shares.push(viewLive(row, names.get(row.specialistId), await lastUses(database, row.id)))
  }
  const question = { question: 'live-shares', ...asked }
  const { organisationId } = caller
  await recordQuestion(exchange, caller, 'audit.query', question, { organisationId })
  return { shares, ...(next !== undefined && { next }) }
}

function liveShares(
  database: Pick<Database, 'read'>,
  organisationId: string,
  now: number
): Stream<ShareRow> {
  const { shares } = database.read.tables
  const within = ({ from, below }: Range) =>
    and(
      eq(shares.organisationId, organisationId),
      from === undefined ? undefined : gte(shares.id, from),
      lt(shares.id, below)
    )
  return {
    async nthId(range, n) {
      const [row] = await database.read
        .select({ id: shares.id })
        .from(shares)
        .where(within(range))
        .orderBy(desc(shares.id))
        .limit(1)
        .offset(n - 1)
      return row?.id
    },
    rows: (range, limit) =>
      database.read
        .select()
        .from(shares)
        .where(
          and(
            within(range),
            isNull(shares.revokedAt),
            lte(shares.notBefore, now),
            gt(shares.expiresAt, now)
          )
        )
        .orderBy(desc(shares.id))
        .limit(limit)
  }
}

const p = sql.placeholder

/** Content is read thousands of times for one opening, so openings have an index of their own. */
const lastOpening = prepared(q => {
  const { auditEvents: events } = q.tables
  return q
    .select({ at: events.at })
    .from(events)
    .where(
      and(
        eq(events.shareId, p('shareId')),
        sql`${events.action} = 'link.open' AND ${events.outcome} = 'success'`
      )
    )
    .orderBy(desc(events.id))
    .limit(1)
    .prepare('last_opening')
})

const nthOfShare = prepared(q => {
  const { auditEvents: events } = q.tables
  return q
    .select({ id: events.id })
    .from(events)
    .where(withinShare(events))
    .orderBy(desc(events.id))
    .limit(1)
    .offset(p('skip'))
    .prepare('nth_of_share')
})

const downloadsOfShare = prepared(q => {
  const { auditEvents: events } = q.tables
  return q
    .select({ id: events.id, at: events.at })
    .from(events)
    .where(
      and(
        withinShare(events),
        sql`${events.action} = 'content.read' AND ${events.outcome} = 'granted'`
      )
    )
    .orderBy(desc(events.id))
    .limit(p('limit'))
    .prepare('downloads_of_share')
})

function withinShare(events: Queries['tables']['auditEvents']) {
  return and(eq(events.shareId, p('shareId')), gte(events.id, p('from')), lt(events.id, p('below')))
}

/** Few events lie between the latest download and now, so it is soon found; but there may be none. */
function downloads(
  database: Pick<Database, 'read'>,
  shareId: string
): Stream<{ id: string; at: number }> {
  const within = ({ from = '', below }: Range) => ({ shareId, from, below })
  return {
    async nthId(range, n) {
      const [row] = await nthOfShare(database.read, { ...within(range), skip: n - 1 })
      return row?.id
    },
    rows: (range, limit) => downloadsOfShare(database.read, { ...within(range), limit })
  }
}

/** When a share was last opened, and content last read by it; what is not placed yet is not seen. */
export interface LastUses {
  opened?: number | undefined
  download?: number | undefined
}

export async function lastUses(
  database: Pick<Database, 'read'>,
  shareId: string
): Promise<LastUses> {
  const [opened] = await lastOpening(database.read, { shareId })
  const download = await firstOf(downloads(database, shareId))
  return { opened: opened?.at, download: download?.at }
}

function viewLive(row: ShareRow, name: string | undefined, last: LastUses): LiveShare {
  return {
    id: row.id,
    case: row.caseId,
    specialist: { id: row.specialistId, ...(name !== undefined && { name }) },
    country: row.recipientCountry,
    createdAt: timestamp(row.createdAt),
    expiresAt: timestamp(row.expiresAt),
    openings: row.openings,
    ...(row.openingsMax !== null && { openingsMax: row.openingsMax }),
    ...(last.opened !== undefined && { lastOpened: timestamp(last.opened) }),
    ...(last.download !== undefined && { lastDownload: timestamp(last.download) })
  }
}
