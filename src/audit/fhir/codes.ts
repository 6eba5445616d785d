import { NHS_NUMBER_SYSTEM } from '../../../schemas/case.ts'
import type { Coding } from '../../fhir/r4.ts'

export const NHS_NUMBER = NHS_NUMBER_SYSTEM
export const ODS_CODE = 'https://fhir.nhs.uk/Id/ods-organization-code'
/** The system of an identifier that is itself a URI (FHIR R4, Identifier.system). */
export const URI_SYSTEM = 'urn:ietf:rfc:3986'

/**
 * What is identified by an id of ours. Names and not addresses, so that what an auditor has stored
 * still matches when the service has moved.
 */
export const ids = {
  account: 'urn:consilium:account',
  client: 'urn:consilium:client',
  organisation: 'urn:consilium:organisation',
  case: 'urn:consilium:case',
  record: 'urn:consilium:record',
  object: 'urn:consilium:object',
  share: 'urn:consilium:share',
  consent: 'urn:consilium:consent',
  opinion: 'urn:consilium:opinion',
  /**
   * The patient of a case, by the id of the case. The feed goes on to systems that collect the logs
   * of a whole trust, so it names patients without their NHS number; whoever has one finds their
   * events with it, by POST. And no case needs to be opened to write an event down.
   */
  patient: 'urn:consilium:patient-of-case'
} as const

export const ACTION_SYSTEM = 'urn:consilium:action'
export const PROBLEM_SYSTEM = 'urn:consilium:problem'
export const OUTCOME_SYSTEM = 'http://terminology.hl7.org/CodeSystem/audit-event-outcome'
export const ACTION_CODE_SYSTEM = 'http://hl7.org/fhir/audit-event-action'

const coding =
  (system: string) =>
  (code: string, display: string): Coding => ({ system, code, display })

/** DICOM PS3.16, the controlled terms of audit messages (PS3.15, A.5). */
const dcm = coding('http://dicom.nema.org/resources/ontology/DCM')
const interaction = coding('http://hl7.org/fhir/restful-interaction')
const lifecycle = coding('http://terminology.hl7.org/CodeSystem/iso-21089-lifecycle')
const participation = coding('http://terminology.hl7.org/CodeSystem/v3-ParticipationType')
const entityType = coding('http://terminology.hl7.org/CodeSystem/audit-entity-type')
const objectRole = coding('http://terminology.hl7.org/CodeSystem/object-role')
const resourceType = coding('http://hl7.org/fhir/resource-types')

export const types = {
  rest: coding('http://terminology.hl7.org/CodeSystem/audit-event-type')(
    'rest',
    'RESTful Operation'
  ),
  application: dcm('110100', 'Application Activity'),
  export: dcm('110106', 'Export'),
  alert: dcm('110113', 'Security Alert'),
  authentication: dcm('110114', 'User Authentication')
}

export const subtypes = {
  start: dcm('110120', 'Application Start'),
  stop: dcm('110121', 'Application Stop'),
  login: dcm('110122', 'Login'),
  logout: dcm('110123', 'Logout'),
  userChanged: dcm('110137', 'User Security Attributes Changed'),
  configured: dcm('110129', 'Security Configuration'),
  create: interaction('create', 'create'),
  read: interaction('read', 'read'),
  update: interaction('update', 'update'),
  remove: interaction('delete', 'delete'),
  search: interaction('search-type', 'search-type'),
  disclose: lifecycle('disclose', 'Disclose Record Lifecycle Event'),
  extract: lifecycle('extract', 'Extract Record Lifecycle Event'),
  pseudonymise: lifecycle('pseudonymize', 'Pseudonymize Record Lifecycle Event'),
  destroy: lifecycle('destroy', 'Destroy/Delete Record Lifecycle Event'),
  transmit: lifecycle('transmit', 'Transmit Record Lifecycle Event'),
  archive: lifecycle('archive', 'Archive Record Lifecycle Event'),
  restore: lifecycle('restore', 'Restore Record Lifecycle Event'),
  verify: lifecycle('verify', 'Verify Record Lifecycle Event')
}

export const agents = {
  application: dcm('110150', 'Application'),
  destination: dcm('110152', 'Destination Role ID'),
  source: dcm('110153', 'Source Role ID'),
  author: participation('AUT', 'author (originator)'),
  recipient: participation('IRCP', 'information recipient'),
  person: coding('http://terminology.hl7.org/CodeSystem/extra-security-role-type')(
    'humanuser',
    'human user'
  ),
  organisation: coding('http://terminology.hl7.org/CodeSystem/v3-RoleClass')(
    'PROV',
    'healthcare provider'
  )
}

export const entities = {
  person: entityType('1', 'Person'),
  system: entityType('2', 'System Object'),
  other: entityType('4', 'Other'),
  document: resourceType('DocumentReference', 'DocumentReference'),
  binary: resourceType('Binary', 'Binary'),
  auditEvent: resourceType('AuditEvent', 'AuditEvent'),
  requestId: coding('https://profiles.ihe.net/ITI/BALP/CodeSystem/BasicAuditEntityType')(
    'XrequestId',
    'X-Request-Id'
  )
}

export const roles = {
  patient: objectRole('1', 'Patient'),
  report: objectRole('3', 'Report'),
  resource: objectRole('4', 'Domain Resource'),
  user: objectRole('6', 'User'),
  query: objectRole('24', 'Query')
}

export const applicationServer = coding(
  'http://terminology.hl7.org/CodeSystem/security-source-type'
)('4', 'Application Server')
