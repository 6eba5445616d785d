import type { Action } from '../../schemas/audit-event.ts'
import { actedBy } from '../audit/acted-by.ts'
import { aboutCase, type CaseRow, caseOf, knownCase } from '../cases/case.ts'
import type { OfCases } from '../cases/of-cases.ts'
import type { Queries } from '../database/database.ts'
import { Refusal, type RefusalCode } from '../errors.ts'
import type { Exchange } from '../exchange.ts'
import type { Caller } from '../identity/principal.ts'
import { bundleOf, type CaseSearch, filterOf, pageSize, requireSomebody } from './case-search.ts'
import type { Bundle } from './r4.ts'

/** One kind of resource whose rows belong to cases. */
export interface KindInCases<Row, Resource> {
  name: string
  /** What the log calls a search. */
  action: Action
  /** The parameter by which it is found by its case. */
  byCase: string
  page: (queries: Queries, filter: OfCases) => Promise<Row[]>
  toResource: (exchange: Exchange, found: CaseRow, row: Row) => Promise<Resource>
}

/**
 * What belongs to the cases of the caller's organisation, newest first, in one page. As in MHD somebody
 * must be asked about: a patient, a case, or one resource; otherwise Refusal `request-invalid`. One
 * event tells which were shown.
 */
export async function searchInCases<
  Row extends { id: string; caseId: string },
  Resource extends { resourceType: string; id: string }
>(
  exchange: Exchange,
  caller: Caller,
  search: CaseSearch,
  kind: KindInCases<Row, Resource>
): Promise<Bundle<Resource>> {
  const { read } = exchange.database
  const filter = filterOf(exchange, caller, search)
  requireSomebody(filter, kind.byCase)
  const size = pageSize(exchange, search)
  const rows = search.isContradiction ? [] : await kind.page(read, { ...filter, limit: size + 1 })
  const shown = rows.slice(0, size)
  const ids = [...new Set(shown.map(({ caseId }) => caseId))]
  const cases = await Promise.all(ids.map(id => knownCase(read, id)))
  const byId = new Map(cases.map(found => [found.id, found]))
  const resources = await Promise.all(
    shown.map(row => {
      const found = byId.get(row.caseId)
      if (found === undefined) throw new Error('A row is of a case that was not read.')
      return kind.toResource(exchange, found, row)
    })
  )
  const [only] = cases.length === 1 ? cases : []
  await exchange.audit.add({
    action: kind.action,
    outcome: 'success',
    ...actedBy(caller, { shown: shown.map(({ id }) => id), fhir: true }),
    ...(only ? aboutCase(only) : { patientRef: filter.patientRef })
  })
  const next = rows.length > size ? shown.at(-1)?.id : undefined
  return bundleOf(exchange, kind.name, search, filter, { resources, next })
}

/**
 * A row with its case, for a caller of the organisation that owns it. To everybody else the row does
 * not exist: Refusal `code`, and the owner's access log shows who asked.
 */
export async function withCase<Row extends { caseId: string }>(
  queries: Queries,
  caller: Caller,
  row: Row | undefined,
  code: RefusalCode
): Promise<{ row: Row; found: CaseRow }> {
  if (row === undefined) throw new Refusal(code)
  const found = await caseOf(queries, caller, row.caseId).catch(err => {
    if (!(err instanceof Refusal)) throw err
    throw new Refusal(code, err.message, err.extra)
  })
  return { row, found }
}
