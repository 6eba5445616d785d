import { and, desc, eq, lt, sql } from '../../schemas/drizzle.ts'
import { prepared, type Queries } from '../database/database.ts'

export const findCase = prepared(q =>
  q
    .select()
    .from(q.tables.cases)
    .where(eq(q.tables.cases.id, sql.placeholder('id')))
    .prepare('find_case')
)
export type CaseRow = Awaited<ReturnType<typeof findCase>>[number]

export async function insertCase(tx: Queries, row: CaseRow): Promise<void> {
  await tx.insert(tx.tables.cases).values(row)
}

/** Cases of one organisation, newest first, from `before` (exclusive) on. */
export function pageOfCases(
  queries: Queries,
  filter: { organisationId: string; patientRef?: Buffer; before?: string; limit: number }
): Promise<CaseRow[]> {
  const { cases } = queries.tables
  return queries
    .select()
    .from(cases)
    .where(
      and(
        eq(cases.organisationId, filter.organisationId),
        filter.patientRef === undefined ? undefined : eq(cases.patientRef, filter.patientRef),
        filter.before === undefined ? undefined : lt(cases.id, filter.before)
      )
    )
    .orderBy(desc(cases.id))
    .limit(filter.limit)
}
