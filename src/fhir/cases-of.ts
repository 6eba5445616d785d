import { aboutCase, type CaseRow, knownCase } from '../cases/case.ts'
import type { Exchange } from '../exchange.ts'
import type { CaseFilter } from './case-search.ts'

/** The cases of these rows, each read once, by id. */
export async function casesOf(
  { database }: Pick<Exchange, 'database'>,
  rows: { caseId: string }[]
): Promise<Map<string, CaseRow>> {
  const ids = [...new Set(rows.map(({ caseId }) => caseId))]
  const found = await Promise.all(ids.map(id => knownCase(database.read, id)))
  return new Map(found.map(row => [row.id, row]))
}

/** What the log says of a page: the one case it is about, or else the patient who was asked for. */
export function oneCaseOf(cases: Map<string, CaseRow>, { patientRef }: CaseFilter) {
  const [found] = cases.size === 1 ? [...cases.values()] : []
  return found === undefined ? { patientRef } : aboutCase(found)
}
