import { actedBy } from '../audit/acted-by.ts'
import { aboutCase, type CaseRow, caseOf, openCaseKey } from '../cases/case.ts'
import { Refusal } from '../errors.ts'
import type { Exchange } from '../exchange.ts'
import type { Caller } from '../identity/principal.ts'
import {
  addendaOf,
  findSubmitted,
  type OpinionRow,
  openSigned,
  pageOfOpinions
} from '../opinions/opinion.ts'
import { bundleOf, type CaseSearch, filterOf, pageSize, requireSomebody } from './case-search.ts'
import { casesOf, oneCaseOf } from './cases-of.ts'
import { toDiagnosticReport } from './diagnostic-report.ts'
import type { Bundle, DiagnosticReportResource } from './r4.ts'

/** One submitted opinion on a case of the caller's organisation. Throws Refusal `opinion-not-found`. */
export async function readDiagnosticReport(
  exchange: Exchange,
  caller: Caller,
  id: string
): Promise<DiagnosticReportResource> {
  const { read } = exchange.database
  const [row] = await findSubmitted(read, { id })
  if (row === undefined) throw new Refusal('opinion-not-found')
  const found = await caseOf(read, caller, row.caseId).catch(err => {
    if (!(err instanceof Refusal)) throw err
    throw new Refusal('opinion-not-found', err.message, err.extra)
  })
  const resource = await toResource(exchange, found, row)
  await exchange.database.write(tx =>
    exchange.audit.append(tx, {
      action: 'opinion.read',
      outcome: 'success',
      shareId: row.shareId,
      ...actedBy(caller, { fhir: true }),
      ...aboutCase(found)
    })
  )
  return resource
}

/** Submitted opinions on a patient's cases, on one case, or one of them; newest first, with one event. */
export async function searchDiagnosticReports(
  exchange: Exchange,
  caller: Caller,
  search: CaseSearch
): Promise<Bundle<DiagnosticReportResource>> {
  const filter = filterOf(exchange, caller, search)
  requireSomebody(filter, 'based-on')
  const size = pageSize(exchange, search)
  const rows = search.isContradiction
    ? []
    : await pageOfOpinions(exchange.database.read, { ...filter, limit: size + 1 })
  const shown = rows.slice(0, size)
  const cases = await casesOf(exchange, shown)
  const resources = await Promise.all(
    shown.map(row => toResource(exchange, cases.get(row.caseId), row))
  )
  await exchange.database.write(tx =>
    exchange.audit.append(tx, {
      action: 'opinion.list',
      outcome: 'success',
      ...actedBy(caller, { shown: shown.map(({ id }) => id), fhir: true }),
      ...oneCaseOf(cases, filter)
    })
  )
  const next = rows.length > size ? shown.at(-1)?.id : undefined
  return bundleOf(exchange, 'DiagnosticReport', search, filter, { resources, next })
}

async function toResource(
  { database, keyring, publicUrl }: Exchange,
  found: CaseRow | undefined,
  row: OpinionRow
): Promise<DiagnosticReportResource> {
  if (found === undefined) throw new Error('An opinion is on a case that was not read.')
  const signed = openSigned(await openCaseKey(keyring, found), row)
  if (signed === undefined || row.recordId === null) {
    throw new Error('An opinion was submitted without its signed form or its record.')
  }
  const { content } = signed
  const addenda = (await addendaOf(database.read, [row.id])).length
  const { id, caseId, recordId } = row
  return toDiagnosticReport({ id, caseId, content, recordId, addenda }, publicUrl)
}
