import { actedBy } from '../audit/acted-by.ts'
import { aboutCase, type CaseRow, openCaseKey } from '../cases/case.ts'
import type { Exchange } from '../exchange.ts'
import type { Caller } from '../identity/principal.ts'
import {
  addendaOf,
  findSubmitted,
  type OpinionRow,
  openSigned,
  pageOfOpinions
} from '../opinions/opinion.ts'
import type { CaseSearch } from './case-search.ts'
import { toDiagnosticReport } from './diagnostic-report.ts'
import type { DiagnosticReportResource } from './r4.ts'
import { searchInCases, withCase } from './search-in-cases.ts'

/** One submitted opinion on a case of the caller's organisation. Throws Refusal `opinion-not-found`. */
export async function readDiagnosticReport(
  exchange: Exchange,
  caller: Caller,
  id: string
): Promise<DiagnosticReportResource> {
  const { read } = exchange.database
  const [known] = await findSubmitted(read, { id })
  const { row, found } = await withCase(read, caller, known, 'opinion-not-found')
  const resource = await toResource(exchange, found, row)
  await exchange.audit.add({
    action: 'opinion.read',
    outcome: 'success',
    shareId: row.shareId,
    ...actedBy(caller, { fhir: true }),
    ...aboutCase(found)
  })
  return resource
}

/** Submitted opinions on a patient's cases, on one case, or one of them: see `searchInCases`. */
export const searchDiagnosticReports = (exchange: Exchange, caller: Caller, search: CaseSearch) =>
  searchInCases<OpinionRow, DiagnosticReportResource>(exchange, caller, search, {
    name: 'DiagnosticReport',
    action: 'opinion.list',
    byCase: 'based-on',
    page: pageOfOpinions,
    toResource
  })

async function toResource(
  { database, keyring, publicUrl }: Exchange,
  found: CaseRow,
  row: OpinionRow
): Promise<DiagnosticReportResource> {
  const signed = openSigned(await openCaseKey(keyring, found), row)
  if (signed === undefined || row.recordId === null) {
    throw new Error('An opinion was submitted without its signed form or its record.')
  }
  const { content } = signed
  const addenda = (await addendaOf(database.read, [row.id])).length
  const { id, caseId, recordId } = row
  return toDiagnosticReport({ id, caseId, content, recordId, addenda }, publicUrl)
}
