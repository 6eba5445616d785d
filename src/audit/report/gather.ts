import { timestamp } from '../../../schemas/common.ts'
import type { DisclosureReport, DisclosureReportAsked } from '../../../schemas/disclosure-report.ts'
import { aboutCase, isErased } from '../../cases/case.ts'
import { publicFace, Refusal, type RefusalCode, refusalCodes } from '../../errors.ts'
import type { Exchange } from '../../exchange.ts'
import type { Caller } from '../../identity/principal.ts'
import { actedBy } from '../acted-by.ts'
import { placeAllPending } from '../tree/pending.ts'
import { disclosureLine, type OpenedEvent, shareLine } from './lines.ts'
import { londonTime } from './london.ts'
import { type Cast, castOf } from './people.ts'
import { disclosingEvents, endings, type ReportFilter, refusals } from './queries.ts'
import { type Names, namesOfRecords } from './records.ts'
import { patientsOf, type Scope, scopeOf } from './scope.ts'
import { type SharesOfReport, sharesIn } from './shares.ts'

/** Openings and shares that one report may hold: as a PDF about 300 pages, two seconds' work. */
export const REPORT_LINES_MAX = 2000

/**
 * Who saw the records of one patient, or of one case, and on whose authority: everything that the
 * organisation of the auditor holds in the period. That it was asked for is an event, whose id is
 * the report's own, and the checkpoint that it ends with covers that event and all before it.
 * If it stops after the event, the log says that a report was made which nobody got: never the
 * reverse. A clinician is told of one case at a time (docs/decisions/0041). Throws Refusal
 * `role-refused` when they name a patient, `report-too-long` above `linesMax`, and as `scopeOf`.
 */
export async function makeReport(
  exchange: Exchange,
  caller: Caller,
  asked: DisclosureReportAsked,
  linesMax = REPORT_LINES_MAX
): Promise<DisclosureReport> {
  if (caller.role === 'clinician' && asked.case === undefined) {
    throw new Refusal('role-refused', 'a report of a patient')
  }
  const scope = await scopeOf(exchange, caller, asked, linesMax + 1)
  const filter = filterOf(scope, caller)
  const events = await openedEvents(exchange, filter, linesMax + 1)
  // After what was opened, so that no share is missing by which something was.
  const shares = await sharesIn(exchange, scope, linesMax + 1)
  const madeAt = exchange.clock()
  requireShort(scope, caller, Math.max(scope.cases.length, shares.length + events.length), linesMax)
  const refused = await refusedIn(exchange, filter)

  const { cast, names } = await namesIn(exchange, caller, scope, shares, events)
  // A patient whom nobody knows and one of whom there is nothing to tell get the same report.
  const isEmpty = shares.length + events.length + refused.total === 0
  const patients = isEmpty && scope.about.patient ? [] : await patientsOf(exchange, scope.cases)
  const erased = isEmpty ? [] : scope.cases.filter(isErased)

  const id = await recordReport(exchange, caller, asked, scope)
  return {
    id,
    madeAt: timestamp(madeAt),
    madeLondon: londonTime(madeAt),
    madeBy: cast.person(caller.accountId),
    organisation: cast.organisation,
    about: scope.about,
    patients,
    ...(erased.length > 0 && { erasedCases: erased.map(row => row.id) }),
    period: periodOf(scope, asked, madeAt),
    shares: shares.map(share => shareLine(share, cast, names)),
    disclosures: events.map(event => disclosureLine(event, cast, names)),
    refused,
    log: await signedLog(exchange)
  }
}

function filterOf({ cases, from, to }: Scope, { organisationId }: Caller): ReportFilter {
  return { organisationId, caseIds: cases.map(row => row.id), from, to }
}

function requireShort(scope: Scope, caller: Caller, lines: number, linesMax: number): void {
  if (lines <= linesMax) return
  const [only] = scope.about.case === undefined ? [] : scope.cases
  throw new Refusal('report-too-long', undefined, {
    problems: [`a report has at most ${linesMax} openings and shares`],
    about: {
      organisationId: caller.organisationId,
      patientRef: scope.patientRef,
      ...(only && aboutCase(only))
    }
  })
}

/** What somebody got to see, each with how it ended, oldest first. */
export async function openedEvents(
  exchange: Exchange,
  filter: ReportFilter,
  limit: number
): Promise<OpenedEvent[]> {
  const { database, audit } = exchange
  await placeAllPending(database)
  const rows = await disclosingEvents(database.read, filter, limit)
  const granted = rows.filter(row => row.outcome === 'granted').map(row => row.id)
  const ended = await endings(database.read, filter.caseIds, granted)
  return rows.map(row => ({
    row,
    ...audit.readDetails(row.id, row.detailsSealed),
    ending: ended.get(row.id)
  }))
}

async function refusedIn(
  exchange: Exchange,
  filter: ReportFilter
): Promise<DisclosureReport['refused']> {
  const rows = await refusals(exchange.database.read, filter)
  const reasons = rows.map(({ code, count }) => ({
    code: code ?? 'unknown',
    title: isRefusalCode(code) ? publicFace(code).title : 'Refused',
    count
  }))
  return { total: reasons.reduce((total, { count }) => total + count, 0), reasons }
}

const isRefusalCode = (code: string | null): code is RefusalCode =>
  (refusalCodes as (string | null)[]).includes(code)

async function namesIn(
  exchange: Exchange,
  caller: Caller,
  scope: Scope,
  shares: SharesOfReport,
  events: OpenedEvent[]
): Promise<{ cast: Cast; names: Names }> {
  const rows = events.map(({ row }) => row)
  const accounts = [
    caller.accountId,
    ...shares.flatMap(({ row }) => [row.createdBy, row.specialistId, row.revokedBy ?? []]).flat(),
    ...rows.flatMap(row => row.actorId ?? [])
  ]
  const organisations = rows.flatMap(row => row.actorOrganisationId ?? [])
  const records = new Set([
    ...shares.flatMap(({ recordIds }) => recordIds),
    ...rows.flatMap(row => row.recordId ?? [])
  ])
  const files = new Set(rows.flatMap(row => row.objectId ?? []))
  return {
    cast: await castOf(exchange, caller.organisationId, accounts, organisations),
    names: await namesOfRecords(exchange, scope.cases, records, files)
  }
}

/** The event that is the report. Of the patient it keeps the reference alone. */
async function recordReport(
  exchange: Exchange,
  caller: Caller,
  asked: DisclosureReportAsked,
  scope: Scope
): Promise<string> {
  const { patient: _, ...rest } = asked
  const [only] = scope.about.case === undefined ? [] : scope.cases
  return exchange.audit.add({
    action: 'audit.report',
    outcome: 'success',
    ...actedBy(caller, { asked: rest }),
    patientRef: scope.patientRef,
    ...(only && aboutCase(only))
  })
}

function periodOf(
  scope: Scope,
  asked: DisclosureReportAsked,
  madeAt: number
): DisclosureReport['period'] {
  const to = asked.to === undefined ? madeAt : Math.min(scope.to, madeAt)
  if (asked.from === undefined) return { to: timestamp(to), london: { to: londonTime(to) } }
  const { from } = scope
  return {
    from: timestamp(from),
    to: timestamp(to),
    london: { from: londonTime(from), to: londonTime(to) }
  }
}

/** The log as it is signed once it holds the report's own event. */
async function signedLog(exchange: Exchange): Promise<DisclosureReport['log']> {
  const { tree, publicUrl } = exchange
  const { size, note } = await tree.settle()
  return {
    origin: tree.keys.origin,
    size,
    checkpoint: note,
    keys: tree.keys.keys.map(({ vkey }) => vkey),
    proofs: `${publicUrl}/v1/audit/events/{event}/proof`
  }
}
