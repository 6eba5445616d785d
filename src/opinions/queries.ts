import {
  and,
  asc,
  count,
  desc,
  eq,
  getTableColumns,
  gt,
  inArray,
  isNotNull,
  isNull,
  lt,
  sql
} from '../../schemas/drizzle.ts'
import { type OfCases, ofCases } from '../cases/of-cases.ts'
import { prepared, type Queries } from '../database/database.ts'

const p = sql.placeholder

export const findOpinion = prepared(q =>
  q
    .select()
    .from(q.tables.opinions)
    .where(eq(q.tables.opinions.shareId, p('shareId')))
    .prepare('find_opinion')
)
export type OpinionRow = Awaited<ReturnType<typeof findOpinion>>[number]

/** A submitted opinion by its own id. Drafts are their writers'. */
export const findSubmitted = prepared(q =>
  q
    .select()
    .from(q.tables.opinions)
    .where(and(eq(q.tables.opinions.id, p('id')), isNotNull(q.tables.opinions.submittedAt)))
    .prepare('find_submitted_opinion')
)

/** Submitted opinions on one organisation's cases, newest first. */
export function pageOfOpinions(queries: Queries, filter: OfCases): Promise<OpinionRow[]> {
  const { cases, opinions } = queries.tables
  return queries
    .select(getTableColumns(opinions))
    .from(opinions)
    .innerJoin(cases, eq(cases.id, opinions.caseId))
    .where(and(isNotNull(opinions.submittedAt), ofCases(cases, opinions, filter)))
    .orderBy(desc(opinions.id))
    .limit(filter.limit)
}

/** Of these shares those with an opinion, and when it was submitted if it was. */
export async function opinionStates(queries: Queries, shareIds: string[]) {
  if (shareIds.length === 0) return []
  const { opinions } = queries.tables
  return queries
    .select({ shareId: opinions.shareId, submittedAt: opinions.submittedAt })
    .from(opinions)
    .where(inArray(opinions.shareId, shareIds))
}

/** Opinions on one case, drafts too. */
export function opinionsOfCase(queries: Queries, caseId: string): Promise<OpinionRow[]> {
  const { opinions } = queries.tables
  return queries
    .select()
    .from(opinions)
    .where(eq(opinions.caseId, caseId))
    .orderBy(asc(opinions.id))
}

/** The first draft of a share. Returns it, or nothing when there is one already. */
export function insertDraft(
  tx: Queries,
  draft: Pick<OpinionRow, 'id' | 'shareId' | 'caseId' | 'version' | 'textSealed' | 'savedAt'>
): Promise<OpinionRow[]> {
  return tx.insert(tx.tables.opinions).values(draft).onConflictDoNothing().returning()
}

/** Changes a draft, in one statement that only the version that was read before passes. */
export function changeDraft(
  tx: Queries,
  seen: { shareId: string; version: number },
  change: Partial<OpinionRow>
): Promise<OpinionRow[]> {
  const { opinions } = tx.tables
  return tx
    .update(opinions)
    .set(change)
    .where(
      and(
        eq(opinions.shareId, seen.shareId),
        eq(opinions.version, seen.version),
        isNull(opinions.submittedAt)
      )
    )
    .returning()
}

/** Puts a draft under another share. */
export async function moveDraftRow(tx: Queries, from: string, to: string): Promise<void> {
  const { opinions } = tx.tables
  await tx
    .update(opinions)
    .set({ shareId: to })
    .where(and(eq(opinions.shareId, from), isNull(opinions.submittedAt)))
}

/** Notes receipt, once. Returns the opinion, or nothing when there is none or it was noted before. */
export function acknowledgeRow(
  tx: Queries,
  { shareId, by, at }: { shareId: string; by: string; at: number }
): Promise<OpinionRow[]> {
  const { opinions } = tx.tables
  return tx
    .update(opinions)
    .set({ acknowledgedAt: at, acknowledgedBy: by })
    .where(
      and(
        eq(opinions.shareId, shareId),
        isNotNull(opinions.submittedAt),
        isNull(opinions.acknowledgedAt)
      )
    )
    .returning()
}

export function addendaOf(queries: Queries, opinionIds: string[]) {
  const { opinionAddenda } = queries.tables
  return queries
    .select()
    .from(opinionAddenda)
    .where(inArray(opinionAddenda.opinionId, opinionIds))
    .orderBy(asc(opinionAddenda.opinionId), asc(opinionAddenda.number))
}
export type AddendumRow = Awaited<ReturnType<typeof addendaOf>>[number]

export async function insertAddendum(tx: Queries, row: AddendumRow): Promise<void> {
  await tx.insert(tx.tables.opinionAddenda).values(row)
}

/** Messages of one share, newest first, from `before` (exclusive) on. */
export function pageOfMessages(
  queries: Queries,
  { shareId, before, limit }: { shareId: string; before: string | undefined; limit: number }
) {
  const { shareMessages } = queries.tables
  return queries
    .select()
    .from(shareMessages)
    .where(
      and(
        eq(shareMessages.shareId, shareId),
        before === undefined ? undefined : lt(shareMessages.id, before)
      )
    )
    .orderBy(desc(shareMessages.id))
    .limit(limit)
}
export type MessageRow = Awaited<ReturnType<typeof pageOfMessages>>[number]

export async function countMessages(tx: Queries, shareId: string): Promise<number> {
  const { shareMessages } = tx.tables
  const [row] = await tx
    .select({ messages: count() })
    .from(shareMessages)
    .where(eq(shareMessages.shareId, shareId))
  return Number(row?.messages ?? 0)
}

export async function insertMessage(tx: Queries, row: MessageRow): Promise<void> {
  await tx.insert(tx.tables.shareMessages).values(row)
}

export function declinesOf(queries: Queries, shareIds: string[]) {
  const { shareDeclines } = queries.tables
  return queries.select().from(shareDeclines).where(inArray(shareDeclines.shareId, shareIds))
}
export type DeclineRow = Awaited<ReturnType<typeof declinesOf>>[number]

export async function insertDecline(tx: Queries, row: DeclineRow): Promise<void> {
  await tx.insert(tx.tables.shareDeclines).values(row)
}

/** How many records one specialist has added to a case. */
export async function countAttachments(
  tx: Queries,
  { caseId, createdBy }: { caseId: string; createdBy: string }
): Promise<number> {
  const { records } = tx.tables
  const [row] = await tx
    .select({ attachments: count() })
    .from(records)
    .where(
      and(
        eq(records.caseId, caseId),
        eq(records.createdBy, createdBy),
        eq(records.kind, 'opinion-attachment')
      )
    )
  return Number(row?.attachments ?? 0)
}

/** The files of a record in their order: what a manifest tells of them. */
export const filesOf = prepared(q => {
  const { objects } = q.tables
  return q
    .select({ id: objects.id, bytes: objects.bytes, sha256: objects.sha256 })
    .from(objects)
    .where(eq(objects.recordId, p('recordId')))
    .orderBy(asc(objects.position))
    .prepare('files_of_record')
})

/** Second events of what one person was sent through one share, oldest first, after `after`. */
export function endedReads(
  queries: Queries,
  { shareId, actorId, after }: { shareId: string; actorId: string; after: string },
  limit: number
) {
  const { auditEvents: events } = queries.tables
  return queries
    .select({
      id: events.id,
      recordId: events.recordId,
      objectId: events.objectId,
      outcome: events.outcome,
      bytes: events.bytesHandedOver,
      detailsSealed: events.detailsSealed
    })
    .from(events)
    .where(
      and(
        eq(events.shareId, shareId),
        gt(events.id, after),
        eq(events.actorId, actorId),
        eq(events.action, 'content.read'),
        isNotNull(events.grantId)
      )
    )
    .orderBy(asc(events.id))
    .limit(limit)
}
export type EndedRead = Awaited<ReturnType<typeof endedReads>>[number]
