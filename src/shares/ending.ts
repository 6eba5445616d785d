import type { NoticeKind } from '../../schemas/notice.ts'
import type { Queries } from '../database/database.ts'
import type { Exchange } from '../exchange.ts'
import { type Mark, moveMark, readMark, type ShareRow, sharesEndingAfter } from './queries.ts'
import { aboutNotice } from './tell.ts'

const HOUR_MILLISECONDS = 3_600_000
/** Shares told of in one transaction. */
const SHARES_MAX = 50

type Parts = Pick<Exchange, 'database' | 'clock' | 'notices'>

interface Stage {
  /** Of its mark, and of the notices: stored, so never renamed. */
  name: string
  kind: NoticeKind
  hoursBefore: number
}

const stages: Stage[] = [
  { name: 'share-expiring-24h', kind: 'share-expiring', hoursBefore: 24 },
  { name: 'share-expiring-2h', kind: 'share-expiring', hoursBefore: 2 },
  { name: 'share-expired', kind: 'share-expired', hoursBefore: 0 }
]

/**
 * Tells sender and specialist of each share that ends within a day, within two hours, and that has
 * ended, once each. Shares are looked through in the order of their ends, up to a mark that is stored
 * with the notices, so however long nobody looked none is left out, and none is looked at twice. A
 * share that is made after the mark had passed its end is shorter than the warning, and gets none.
 * Safe to kill, and to run in several processes: the mark is moved by one of them.
 */
export async function noticeEndingShares(parts: Parts, goOn: () => boolean): Promise<void> {
  for (const stage of stages) {
    while (goOn() && (await noticeSome(parts, stage)));
  }
}

/** Resolves to whether there are more. */
async function noticeSome({ database, clock, notices }: Parts, stage: Stage): Promise<boolean> {
  const now = clock()
  const until = now + stage.hoursBefore * HOUR_MILLISECONDS
  return database.write(async tx => {
    const mark = await readMark(tx, stage.name, until + 1)
    if (mark.at > until) return false
    const rows = await sharesEndingAfter(tx, mark, until, SHARES_MAX)
    const last = rows.at(-1)
    const isFull = rows.length === SHARES_MAX && last !== undefined
    const next: Mark = isFull
      ? { at: last.expiresAt, shareId: last.id }
      : { at: until + 1, shareId: '' }
    if (!(await moveMark(tx, stage.name, mark, next))) return true
    for (const row of rows) {
      if (!isWorthTelling(stage, row, now)) continue
      await noticeOne({ notices }, tx, stage, row)
    }
    return isFull
  })
}

/**
 * That a share ends soon is no news when it was made for no longer than that, nor when it has ended
 * because nobody was looking in time.
 */
function isWorthTelling({ kind, hoursBefore }: Stage, row: ShareRow, now: number): boolean {
  if (kind !== 'share-expiring') return true
  const lasts = row.expiresAt - row.notBefore
  return row.expiresAt > now && lasts > hoursBefore * HOUR_MILLISECONDS
}

async function noticeOne(
  { notices }: Pick<Exchange, 'notices'>,
  tx: Queries,
  { name, kind }: Stage,
  row: ShareRow
): Promise<void> {
  for (const accountId of [row.specialistId, row.createdBy]) {
    await notices.enqueue(tx, {
      kind,
      to: { accountId },
      about: aboutNotice(row),
      once: `${name}:${row.id}`,
      ...(kind === 'share-expiring' && { usefulUntil: row.expiresAt })
    })
  }
}
