import type { NoticeKind } from '../../schemas/notice.ts'
import type { Queries } from '../database/database.ts'
import type { Exchange } from '../exchange.ts'
import type { ShareRow } from './share.ts'

type Parts = Pick<Exchange, 'notices'>

/**
 * Puts a notice for the share's specialist into the outbox, in the transaction of the act that it
 * tells of. One event of a kind and share gives one notice.
 */
export function tellSpecialist(
  { notices }: Parts,
  tx: Queries,
  row: ShareRow,
  kind: NoticeKind,
  usefulUntil?: number
): Promise<void> {
  return notices.enqueue(tx, {
    kind,
    to: { accountId: row.specialistId },
    about: aboutNotice(row),
    once: `${kind}:${row.id}`,
    ...(usefulUntil !== undefined && { usefulUntil })
  })
}

/** The same for the clinician who shared. */
export function tellSender(
  { notices }: Parts,
  tx: Queries,
  row: ShareRow,
  kind: NoticeKind
): Promise<void> {
  return notices.enqueue(tx, {
    kind,
    to: { accountId: row.createdBy },
    about: aboutNotice(row),
    once: `${kind}:${row.id}`
  })
}

/** What the outbox keeps of a share: ids. */
export function aboutNotice(row: ShareRow) {
  return { organisationId: row.organisationId, caseId: row.caseId, shareId: row.id }
}
