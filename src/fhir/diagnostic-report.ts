import type { Judgement } from '../../schemas/opinion.ts'
import { ids } from '../audit/fhir/codes.ts'
import type { SignedOpinion } from '../opinions/opinion.ts'
import type { DiagnosticReportResource } from './r4.ts'
import { subjectOf } from './service-request.ts'

/** "Consultation 2nd opinion": facts of LOINC as FHIR R4's c80-doc-typecodes has it. */
const SECOND_OPINION = { system: 'http://loinc.org', code: '47040-1' }

/** A submitted opinion as FHIR tells it. */
export interface OpenedOpinion {
  id: string
  caseId: string
  content: SignedOpinion
  /** The record that is its PDF. */
  recordId: string
  /** How many addenda came after it. */
  addenda: number
}

/**
 * A submitted opinion as a FHIR R4 DiagnosticReport. Its conclusion is what it comes to, in words; the
 * whole of it, signed, is the PDF whose address is in `presentedForm`. A specialist who knew the
 * patient by a pseudonym only gave their opinion of that one, and so `subject` says.
 */
export function toDiagnosticReport(
  { id, caseId, content, recordId, addenda }: OpenedOpinion,
  publicUrl: string
): DiagnosticReportResource {
  const { patient, specialist, at, opinion } = content
  const reviewer = {
    type: 'Practitioner',
    identifier: { system: ids.account, value: specialist.account },
    display: `${specialist.name}, ${specialist.organisation} (${specialist.country})`
  }
  return {
    resourceType: 'DiagnosticReport',
    id,
    meta: { lastUpdated: at },
    identifier: [{ system: ids.opinion, value: id }],
    basedOn: [{ reference: `ServiceRequest/${caseId}` }],
    status: addenda > 0 ? 'appended' : 'final',
    code: { coding: [SECOND_OPINION], text: 'Second opinion' },
    subject:
      'pseudonym' in patient
        ? { type: 'Patient', display: `Pseudonym ${patient.pseudonym}` }
        : subjectOf(patient),
    effectiveDateTime: at,
    issued: at,
    performer: [reviewer],
    resultsInterpreter: [reviewer],
    conclusion: [
      judgementText('Diagnosis', opinion.diagnosis),
      judgementText('Plan', opinion.plan),
      opinion.recommendations && `Recommendations: ${opinion.recommendations}`
    ]
      .filter(Boolean)
      .join('\n'),
    presentedForm: [
      {
        contentType: 'application/pdf',
        url: `${publicUrl}/v1/records/${recordId}/content`,
        title: 'Second opinion',
        creation: at
      }
    ]
  }
}

function judgementText(of: string, judgement: Judgement | undefined): string | undefined {
  if (judgement === undefined) return undefined
  const { agreement, comment } = judgement
  const said = agreement === 'cannot-say' ? 'cannot say' : agreement
  return `${of}: ${said}${comment === undefined ? '' : `. ${comment}`}`
}
