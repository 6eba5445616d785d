import { and, asc, desc, eq, getTableColumns, isNull, sql } from '../../schemas/drizzle.ts'
import { type OfCases, ofCases } from '../cases/of-cases.ts'
import { prepared, type Queries } from '../database/database.ts'

const p = sql.placeholder

/** Consents of one case, newest first. */
export const consentsOf = prepared(q =>
  q
    .select()
    .from(q.tables.consents)
    .where(eq(q.tables.consents.caseId, p('caseId')))
    .orderBy(desc(q.tables.consents.id))
    .prepare('consents_of')
)
export type ConsentRow = Awaited<ReturnType<typeof consentsOf>>[number]

export const findConsent = prepared(q =>
  q
    .select()
    .from(q.tables.consents)
    .where(eq(q.tables.consents.id, p('id')))
    .prepare('find_consent')
)

/** Consents with one organisation's cases, newest first. */
export function pageOfConsents(queries: Queries, filter: OfCases): Promise<ConsentRow[]> {
  const { cases, consents } = queries.tables
  return queries
    .select(getTableColumns(consents))
    .from(consents)
    .innerJoin(cases, eq(cases.id, consents.caseId))
    .where(ofCases(cases, consents, filter))
    .orderBy(desc(consents.id))
    .limit(filter.limit)
}

export async function insertConsent(tx: Queries, row: ConsentRow): Promise<void> {
  await tx.insert(tx.tables.consents).values(row)
}

/** Ends a consent for good, in one statement that passes once. Returns it as it is then, or nothing. */
export function withdrawRow(
  tx: Queries,
  id: string,
  end: { withdrawnAt: number; withdrawnBy: string; reasonSealed: Buffer }
): Promise<ConsentRow[]> {
  const { consents } = tx.tables
  return tx
    .update(consents)
    .set(end)
    .where(and(eq(consents.id, id), isNull(consents.withdrawnAt)))
    .returning()
}

export async function insertGrounds(tx: Queries, shareId: string, grounds: string[]) {
  if (grounds.length === 0) return
  await tx.insert(tx.tables.shareGrounds).values(grounds.map(ground => ({ shareId, ground })))
}

/** Shares that rest on a consent or a safeguard and were not withdrawn, by their cases. */
export function sharesOn(queries: Queries, ground: string) {
  const { shareGrounds, shares } = queries.tables
  return queries
    .select({ id: shares.id, caseId: shares.caseId })
    .from(shareGrounds)
    .innerJoin(shares, eq(shares.id, shareGrounds.shareId))
    .where(and(eq(shareGrounds.ground, ground), isNull(shares.revokedAt)))
    .orderBy(asc(shares.caseId), asc(shares.id))
}

/** Shares of a case that were not withdrawn. */
export function sharesOfCase(queries: Queries, caseId: string) {
  const { shares } = queries.tables
  return queries
    .select({ id: shares.id })
    .from(shares)
    .where(and(eq(shares.caseId, caseId), isNull(shares.revokedAt)))
    .orderBy(asc(shares.id))
}

/** What the shares of a case rest on. */
export function groundsOfCase(queries: Queries, caseId: string) {
  const { shareGrounds, shares } = queries.tables
  return queries
    .select({ shareId: shares.id, ground: shareGrounds.ground })
    .from(shares)
    .innerJoin(shareGrounds, eq(shareGrounds.shareId, shares.id))
    .where(eq(shares.caseId, caseId))
}
