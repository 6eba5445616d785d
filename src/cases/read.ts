import type { CaseSummary, CaseView, PatientIdentifier } from '../../schemas/case.ts'
import { actedBy } from '../audit/acted-by.ts'
import type { Exchange } from '../exchange.ts'
import { type Page, pageOf } from '../http/page.ts'
import type { Caller } from '../identity/principal.ts'
import { aboutCase, caseOf } from './case.ts'
import { patientRef } from './patient.ts'
import { pageOfCases } from './queries.ts'
import { viewCase, viewCases } from './view.ts'

/** One case of the caller's organisation. */
export async function readCase(exchange: Exchange, caller: Caller, id: string): Promise<CaseView> {
  const row = await caseOf(exchange.database.read, caller, id)
  const view = await viewCase(exchange, row)
  await exchange.audit.add({
    action: 'case.read',
    outcome: 'success',
    ...actedBy(caller),
    ...aboutCase(row)
  })
  return view
}

/**
 * Cases of the caller's organisation, newest first; with `identifier` only those of that patient.
 * One event tells which were shown.
 */
export async function listCases(
  exchange: Exchange,
  caller: Caller,
  page: Page,
  identifier?: PatientIdentifier
): Promise<{ cases: CaseSummary[]; next?: string }> {
  const ref = identifier && patientRef(exchange.serviceKeys.lookup, identifier)
  const { rows, next } = await pageOf(page, exchange.limits, (before, limit) =>
    pageOfCases(exchange.database.read, {
      organisationId: caller.organisationId,
      limit,
      ...(ref && { patientRef: ref }),
      ...(before && { before })
    })
  )
  const cases = await viewCases(exchange, caller.organisationId, rows)
  await exchange.audit.add({
    action: ref ? 'case.search' : 'case.list',
    outcome: 'success',
    patientRef: ref,
    ...actedBy(caller, { shown: rows.map(row => row.id) })
  })
  return { cases, ...(next && { next }) }
}
