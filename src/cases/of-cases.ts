import { and, eq, lt, sql } from '../../schemas/drizzle.ts'
import type { Tables } from '../../schemas/tables.ts'

/** One page of what belongs to the cases of an organisation, newest first. */
export interface OfCases {
  organisationId: string
  id?: string
  caseId?: string
  patientRef?: Buffer
  /** The last id of the page before (exclusive). */
  before?: string
  limit: number
}

/**
 * The condition for rows of `table`, joined with their cases. What belongs to an erased case is in no
 * page: nothing of it can be opened.
 */
export function ofCases(
  cases: Tables['cases'],
  table: Tables['records'] | Tables['consents'] | Tables['opinions'],
  { organisationId, id, caseId, patientRef, before }: OfCases
) {
  return and(
    eq(cases.organisationId, organisationId),
    sql`length(${cases.wrappedKey}) > 0`,
    id === undefined ? undefined : eq(table.id, id),
    caseId === undefined ? undefined : eq(table.caseId, caseId),
    patientRef === undefined ? undefined : eq(cases.patientRef, patientRef),
    before === undefined ? undefined : lt(table.id, before)
  )
}
