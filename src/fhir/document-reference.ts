import type { Patient } from '../../schemas/case.ts'
import { timestamp } from '../../schemas/common.ts'
import type { RecordKind } from '../../schemas/record.ts'
import { ids, URI_SYSTEM } from '../audit/fhir/codes.ts'
import type { ObjectRow, RecordDetails, RecordRow } from '../records/record.ts'
import type { Attachment, CodeableConcept, DocumentReferenceResource } from './r4.ts'
import { subjectOf } from './service-request.ts'

const LOINC = 'http://loinc.org'
const ZIP = 'application/zip'

/** Kinds of documents by LOINC, with the displays of FHIR R4's value set c80-doc-typecodes. */
const types: Record<RecordKind, CodeableConcept> = {
  scan: concept('18726-0', 'Radiology studies (set)'),
  'pathology-report': concept('11526-1', 'Pathology study'),
  'pathology-slide': concept('27898-6', 'Pathology studies (set)'),
  letter: concept('51852-2', 'Letter'),
  referral: concept('57133-1', 'Referral note'),
  'lab-result': concept('11502-2', 'Laboratory report'),
  'treatment-plan': concept('18776-5', 'Treatment plan'),
  opinion: concept('47040-1', 'Second opinion'),
  'opinion-addendum': concept('47040-1', 'Addendum to a second opinion'),
  'opinion-attachment': { text: 'Attachment to a second opinion' },
  other: { text: 'Other document' }
}

function concept(code: string, text: string): CodeableConcept {
  return { coding: [{ system: LOINC, code }], text }
}

/** A record with what is sealed of it, and whose it is. */
export interface OpenedRecord {
  row: RecordRow
  details: RecordDetails
  objects: ObjectRow[]
  patient: Patient
}

/**
 * A record as an IHE MHD 4.2 Minimal DocumentReference (ITI-67): one attachment, whose address answers
 * the bytes (ITI-68) to whoever may read the record, never the bytes themselves. A record of several
 * files is one document of type application/zip.
 */
export function toDocumentReference(
  { row, details, objects, patient }: OpenedRecord,
  publicUrl: string
): DocumentReferenceResource {
  const at = timestamp(row.createdAt)
  return {
    resourceType: 'DocumentReference',
    id: row.id,
    meta: { lastUpdated: at },
    masterIdentifier: { system: URI_SYSTEM, value: `urn:uuid:${row.id}` },
    identifier: [{ system: ids.record, value: row.id }],
    status: 'current',
    type: types[row.kind as RecordKind] ?? types.other,
    subject: subjectOf(patient),
    date: at,
    author: [{ type: 'Practitioner', identifier: { system: ids.account, value: row.createdBy } }],
    description: details.title,
    content: [{ attachment: attachmentOf(row, details, objects, publicUrl) }],
    context: { related: [{ reference: `ServiceRequest/${row.caseId}` }] }
  }
}

function attachmentOf(
  row: RecordRow,
  details: RecordDetails,
  objects: ObjectRow[],
  publicUrl: string
): Attachment {
  const [only] = objects.length === 1 ? objects : []
  return {
    contentType: only?.type ?? ZIP,
    url: `${publicUrl}/v1/records/${row.id}/content`,
    // Of an archive nobody knows the size before it is made.
    ...(only && only.bytes <= UNSIGNED_INT_MAX && { size: only.bytes }),
    title: details.title,
    creation: details.date
  }
}

/** The largest unsignedInt of FHIR R4. */
const UNSIGNED_INT_MAX = 2_147_483_647
