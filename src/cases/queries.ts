import {
  and,
  asc,
  desc,
  eq,
  getTableColumns,
  gt,
  inArray,
  isNull,
  lt,
  ne,
  sql
} from '../../schemas/drizzle.ts'
import { newestEvent } from '../audit/last-event.ts'
import { held, prepared, type Queries } from '../database/database.ts'

const p = sql.placeholder

export const findCase = prepared(q =>
  q
    .select()
    .from(q.tables.cases)
    .where(eq(q.tables.cases.id, p('id')))
    .prepare('find_case')
)
export type CaseRow = Awaited<ReturnType<typeof findCase>>[number]

export async function insertCase(tx: Queries, row: CaseRow): Promise<void> {
  await tx.insert(tx.tables.cases).values(row)
  await tx.insert(tx.tables.caseRequests).values({
    caseId: row.id,
    state: 'draft',
    version: 0,
    answersVersion: 0,
    questionsShared: 0
  })
}

/** Cases of one organisation, newest first, from `before` (exclusive) on. Of erased ones only rows are left. */
export function pageOfCases(
  queries: Queries,
  filter: {
    organisationId: string
    patientRef?: Buffer
    before?: string
    limit: number
    withErased?: boolean
  }
): Promise<CaseRow[]> {
  const { cases } = queries.tables
  return queries
    .select()
    .from(cases)
    .where(
      and(
        eq(cases.organisationId, filter.organisationId),
        filter.patientRef === undefined ? undefined : eq(cases.patientRef, filter.patientRef),
        filter.before === undefined ? undefined : lt(cases.id, filter.before),
        filter.withErased ? undefined : sql`length(${cases.wrappedKey}) > 0`
      )
    )
    .orderBy(desc(cases.id))
    .limit(filter.limit)
}

export const findRequest = prepared(q =>
  q
    .select()
    .from(q.tables.caseRequests)
    .where(eq(q.tables.caseRequests.caseId, p('caseId')))
    .prepare('find_request')
)
export type RequestRow = Awaited<ReturnType<typeof findRequest>>[number]

/** The same with what a case is looked at with: where its organisation is, and its last event. */
export const findSurroundings = prepared(q => {
  const { caseRequests, cases, organisations } = q.tables
  return q
    .select({
      ...getTableColumns(caseRequests),
      homeCountry: organisations.country,
      timeZone: organisations.timeZone,
      lastEvent: newestEvent(q)
    })
    .from(caseRequests)
    .innerJoin(cases, eq(cases.id, caseRequests.caseId))
    .innerJoin(organisations, eq(organisations.id, cases.organisationId))
    .where(eq(caseRequests.caseId, p('caseId')))
    .prepare('find_surroundings')
})

/** The row that says where it stands, which nobody else can change, or hold, until the transaction ends. */
export const findRequestHeld = prepared(q =>
  held(
    q,
    q
      .select()
      .from(q.tables.caseRequests)
      .where(eq(q.tables.caseRequests.caseId, p('caseId'))),
    'update'
  ).prepare('find_request_held')
)

export function requestsOf(queries: Queries, caseIds: string[]): Promise<RequestRow[]> {
  const { caseRequests } = queries.tables
  return queries.select().from(caseRequests).where(inArray(caseRequests.caseId, caseIds))
}

/**
 * Changes what is asked or answered, in one statement that only what was read before passes, and no
 * closed case. Returns the row as it is then, or nothing.
 */
export function changeRequest(
  tx: Queries,
  caseId: string,
  seen: Partial<Pick<RequestRow, 'version' | 'answersVersion' | 'questionsShared'>>,
  change: Partial<RequestRow>
): Promise<RequestRow[]> {
  const { caseRequests } = tx.tables
  const { version, answersVersion, questionsShared } = seen
  return tx
    .update(caseRequests)
    .set(change)
    .where(
      and(
        eq(caseRequests.caseId, caseId),
        version === undefined ? undefined : eq(caseRequests.version, version),
        answersVersion === undefined ? undefined : eq(caseRequests.answersVersion, answersVersion),
        questionsShared === undefined
          ? undefined
          : eq(caseRequests.questionsShared, questionsShared),
        ne(caseRequests.state, 'closed')
      )
    )
    .returning()
}

/** Moves a case, in one statement that passes only from where the move may start. */
export function changeState(
  tx: Queries,
  caseId: string,
  from: readonly string[],
  change: Partial<RequestRow>
): Promise<RequestRow[]> {
  const { caseRequests } = tx.tables
  return tx
    .update(caseRequests)
    .set(change)
    .where(and(eq(caseRequests.caseId, caseId), inArray(caseRequests.state, [...from])))
    .returning()
}

/** Shares of these cases that have not ended, with those that have not begun. */
export function liveSharesOf(queries: Queries, caseIds: string[], now: number) {
  const { shares } = queries.tables
  return queries
    .select({ id: shares.id, caseId: shares.caseId, country: shares.recipientCountry })
    .from(shares)
    .where(
      and(inArray(shares.caseId, caseIds), isNull(shares.revokedAt), gt(shares.expiresAt, now))
    )
    .orderBy(asc(shares.id))
}

/** The same for one case, from `now` (milliseconds UTC) on. */
export const liveShares = prepared(q => {
  const { shares } = q.tables
  return q
    .select({ id: shares.id, caseId: shares.caseId, country: shares.recipientCountry })
    .from(shares)
    .where(
      and(eq(shares.caseId, p('caseId')), isNull(shares.revokedAt), gt(shares.expiresAt, p('now')))
    )
    .orderBy(asc(shares.id))
    .prepare('live_shares_of_case')
})

export const movesOf = prepared(q => {
  const { caseMoves } = q.tables
  return q
    .select()
    .from(caseMoves)
    .where(eq(caseMoves.caseId, p('caseId')))
    .orderBy(asc(caseMoves.position))
    .prepare('moves_of_case')
})
export type MoveRow = Awaited<ReturnType<typeof movesOf>>[number]

/** The place of the next move. Nobody else has it while the case is held. */
export async function nextPosition(tx: Queries, caseId: string): Promise<number> {
  const { caseMoves } = tx.tables
  const [row] = await tx
    .select({ last: sql<number | null>`max(${caseMoves.position})` })
    .from(caseMoves)
    .where(eq(caseMoves.caseId, caseId))
  return Number(row?.last ?? 0) + 1
}

export async function insertMove(tx: Queries, row: MoveRow): Promise<void> {
  await tx.insert(tx.tables.caseMoves).values(row)
}

/** Every file of a case with its digest, without copies and what is erased. A study may have thousands. */
export function digestsOfCase(queries: Queries, caseId: string) {
  const { objects, records } = queries.tables
  return queries
    .select({ record: records.id, object: objects.id, sha256: objects.sha256 })
    .from(records)
    .innerJoin(objects, eq(objects.recordId, records.id))
    .where(
      and(
        eq(records.caseId, caseId),
        isNull(records.copyOf),
        sql`length(${records.wrappedKey}) > 0`
      )
    )
    .orderBy(asc(objects.id))
}
