import type { DisclosureReport, DisclosureReportAsked } from '../../../schemas/disclosure-report.ts'
import {
  type CaseRow,
  caseOf,
  isErased,
  openCaseDetails,
  openCaseKey,
  pageOfCases
} from '../../cases/case.ts'
import { normalIdentifier, patientRef } from '../../cases/patient.ts'
import { Refusal } from '../../errors.ts'
import type { Exchange } from '../../exchange.ts'
import type { Caller } from '../../identity/principal.ts'

/** What a report is about: cases of one organisation, and what was asked for. */
export interface Scope {
  about: DisclosureReport['about']
  patientRef: Buffer
  /** None when no case of the organisation is of that patient. */
  cases: CaseRow[]
  /** Milliseconds UTC, inclusive; 0 when everything since the beginning was asked for. */
  from: number
  /**
   * Milliseconds UTC, exclusive. Beyond every event when none was asked for: one is on the log although
   * the clock that told its time, of another process or before it was put right, was ahead of ours.
   */
  to: number
}

/** Later than every event. */
export const NO_END = Number.MAX_SAFE_INTEGER

/**
 * The cases a question is about. Those of other organisations are none: a patient whom only they
 * know is a patient whom nobody knows. Throws Refusal `case-not-found`, `nhs-number-invalid`, and
 * `request-invalid` unless it names either a patient or a case and its times are in order.
 */
export async function scopeOf(
  exchange: Exchange,
  caller: Caller,
  asked: DisclosureReportAsked,
  casesMax: number
): Promise<Scope> {
  const { patient, case: caseId } = asked
  const from = asked.from === undefined ? 0 : Date.parse(asked.from)
  const to = asked.to === undefined ? NO_END : Date.parse(asked.to)
  if (from >= Math.min(to, exchange.clock() + 1)) {
    throw new Refusal('request-invalid', 'times', { problems: ['from must be before to'] })
  }
  if (patient !== undefined && caseId === undefined) {
    const ref = patientRef(exchange.serviceKeys.lookup, patient)
    const { organisationId } = caller
    const filter = { organisationId, patientRef: ref, limit: casesMax, withErased: true }
    const cases = await pageOfCases(exchange.database.read, filter)
    return { about: { patient: normalIdentifier(patient) }, patientRef: ref, cases, from, to }
  }
  if (caseId === undefined || patient !== undefined) {
    throw new Refusal('request-invalid', 'subject', { problems: ['name a patient or a case'] })
  }
  const found = await caseOf(exchange.database.read, caller, caseId)
  return { about: { case: caseId }, patientRef: found.patientRef, cases: [found], from, to }
}

/**
 * The patient as the cases hold them. Cases of one patient may spell the name differently: then each
 * spelling is told, with its cases. Those that were erased tell none.
 */
export async function patientsOf(
  exchange: Exchange,
  cases: CaseRow[]
): Promise<DisclosureReport['patients']> {
  const patients = new Map<string, DisclosureReport['patients'][number]>()
  for (const row of cases) {
    if (isErased(row)) continue
    const { patient } = openCaseDetails(await openCaseKey(exchange.keyring, row), row)
    const spelling = JSON.stringify([patient.identifier, patient.name, patient.birthDate])
    const known = patients.get(spelling)
    if (known === undefined) patients.set(spelling, { ...patient, cases: [row.id] })
    else known.cases.push(row.id)
  }
  return [...patients.values()]
}
