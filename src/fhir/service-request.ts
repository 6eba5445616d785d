import type { Patient } from '../../schemas/case.ts'
import { timestamp } from '../../schemas/common.ts'
import { ids } from '../audit/fhir/codes.ts'
import type { CaseRow } from '../cases/case.ts'
import { standingOf } from '../cases/moves.ts'
import type { RequestDetails, RequestRow } from '../cases/request.ts'
import type { CodeableConcept, Reference, ServiceRequestResource } from './r4.ts'

const SNOMED = 'http://snomed.info/sct'
const ICD10 = 'http://hl7.org/fhir/sid/icd-10'

/** http://hl7.org/fhir/request-priority, where asap comes after urgent. */
const priorities = { routine: 'routine', soon: 'urgent', urgent: 'asap' } as const

/** A case as FHIR tells it: its row, what is sealed of it, and what is asked. */
export interface OpenedCase {
  row: CaseRow
  request: RequestRow
  patient: Patient
  question: string
  /** Undefined until somebody has written the request. */
  details: RequestDetails | undefined
}

/** Who a patient is, by the identifier that the sending organisation knows. There is no Patient to read. */
export const subjectOf = ({ identifier, name }: Patient): Reference => ({
  type: 'Patient',
  identifier,
  display: name
})

/**
 * A case as a FHIR R4 ServiceRequest. Questions, diagnosis, plan and reason are notes, because the
 * resource has no elements for them; each note says which it is.
 */
export function toServiceRequest(opened: OpenedCase): ServiceRequestResource {
  const { row, request, patient, question, details } = opened
  const questions = details?.questions ?? [{ number: 1, text: question }]
  const told: [string, string | undefined][] = [
    ['Diagnosis', details?.diagnosis],
    ['Proposed treatment', details?.proposedTreatment],
    ['Reason for a second opinion', details?.reason]
  ]
  const insurance = insuranceOf(details)
  return {
    resourceType: 'ServiceRequest',
    id: row.id,
    meta: {
      versionId: String(request.version),
      lastUpdated: timestamp(Math.max(row.createdAt, request.changedAt ?? 0))
    },
    identifier: [{ system: ids.case, value: row.id }],
    status: statusOf(request),
    intent: 'order',
    ...(details?.urgency && { priority: priorities[details.urgency] }),
    code: { text: 'Second opinion' },
    subject: subjectOf(patient),
    ...(details?.dueDate !== undefined && { occurrencePeriod: { end: details.dueDate } }),
    authoredOn: timestamp(request.completedAt ?? row.createdAt),
    requester: requesterOf(opened),
    ...(details?.condition && { reasonCode: [conditionOf(details.condition)] }),
    ...(insurance.length > 0 && { insurance }),
    ...(details?.referralLetter !== undefined && {
      supportingInfo: [{ reference: `DocumentReference/${details.referralLetter}` }]
    }),
    note: [
      ...questions.map(({ number, text }) => ({ text: `Question ${number}: ${text}` })),
      ...told.flatMap(([label, text]) =>
        text === undefined ? [] : [{ text: `${label}: ${text}` }]
      )
    ]
  }
}

function statusOf(request: RequestRow): ServiceRequestResource['status'] {
  const standing = standingOf(request)
  if (standing === 'draft') return 'draft'
  if (request.opinionAt !== null) return 'completed'
  return standing === 'closed' ? 'revoked' : 'active'
}

function requesterOf({ row, details }: OpenedCase): Reference {
  const by = details?.referringClinician
  return {
    type: 'Practitioner',
    identifier: { system: ids.account, value: row.createdBy },
    ...(by && { display: [by.name, by.organisation].filter(Boolean).join(', ') })
  }
}

function conditionOf({
  text,
  snomed,
  icd10
}: NonNullable<RequestDetails['condition']>): CodeableConcept {
  const coding = [
    ...(snomed === undefined ? [] : [{ system: SNOMED, code: snomed }]),
    ...(icd10 === undefined ? [] : [{ system: ICD10, code: icd10 }])
  ]
  return { ...(coding.length > 0 && { coding }), text }
}

/** The policy, and the insurer's answer with its authorisation code. */
function insuranceOf(details: RequestDetails | undefined): Reference[] {
  const insurance = details?.insurance
  if (insurance === undefined) return []
  const { insurer, policyReference, authorisation } = insurance
  return [
    {
      type: 'Coverage',
      ...(policyReference !== undefined && { identifier: { value: policyReference } }),
      display: insurer
    },
    ...(authorisation === undefined
      ? []
      : [{ type: 'ClaimResponse', identifier: { value: authorisation.code }, display: insurer }])
  ]
}
