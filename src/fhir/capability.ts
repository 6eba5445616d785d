import { profiles } from '../audit/fhir/patterns.ts'

/** When what this service can do in FHIR was last changed. */
const CHANGED = '2026-11-23'
const AUDIT_EVENT = 'http://hl7.org/fhir/SearchParameter/AuditEvent-'

type Parameter = readonly [name: string, type: string, definition?: string]

/** Every parameter of audit/fhir/search.ts, with the definition it follows. */
const auditParameters: readonly Parameter[] = [
  ['_id', 'token', 'http://hl7.org/fhir/SearchParameter/Resource-id'],
  ['_lastUpdated', 'date', 'http://hl7.org/fhir/SearchParameter/Resource-lastUpdated'],
  ['date', 'date', `${AUDIT_EVENT}date`],
  ['agent', 'reference', `${AUDIT_EVENT}agent`],
  ['agent.identifier', 'token'],
  ['patient', 'reference', `${AUDIT_EVENT}patient`],
  ['patient.identifier', 'token'],
  ['entity', 'reference', `${AUDIT_EVENT}entity`],
  ['entity.identifier', 'token'],
  ['type', 'token', `${AUDIT_EVENT}type`],
  ['subtype', 'token', `${AUDIT_EVENT}subtype`],
  ['action', 'token', `${AUDIT_EVENT}action`],
  ['outcome', 'token', `${AUDIT_EVENT}outcome`]
]

/** Of case-search.ts, for what belongs to cases. */
const ofCases: readonly Parameter[] = [
  ['_id', 'token', 'http://hl7.org/fhir/SearchParameter/Resource-id'],
  ['patient', 'reference', 'http://hl7.org/fhir/SearchParameter/clinical-patient'],
  ['patient.identifier', 'token']
]
const requestParameters: readonly Parameter[] = [
  ...ofCases,
  ['identifier', 'token', 'http://hl7.org/fhir/SearchParameter/clinical-identifier']
]
const reportParameters: readonly Parameter[] = [
  ...ofCases,
  ['based-on', 'reference', 'http://hl7.org/fhir/SearchParameter/DiagnosticReport-based-on'],
  ['based-on.identifier', 'token']
]
const consentParameters: readonly Parameter[] = [
  ...ofCases,
  ['data', 'reference', 'http://hl7.org/fhir/SearchParameter/Consent-data'],
  ['data.identifier', 'token']
]
const documentParameters: readonly Parameter[] = [
  ...ofCases,
  ['related', 'reference', 'http://hl7.org/fhir/SearchParameter/DocumentReference-related'],
  ['related.identifier', 'token'],
  ['status', 'token', 'http://hl7.org/fhir/SearchParameter/DocumentReference-status']
]

const notes: Record<string, string> = {
  agent: 'system|value, the system being urn:consilium:account',
  patient: 'system|value, by POST _search only',
  'patient.identifier': 'By POST _search only; a URL that names a patient is refused',
  identifier: 'urn:consilium:case|value',
  'based-on': 'ServiceRequest/id, or urn:consilium:case|value',
  data: 'ServiceRequest/id, or urn:consilium:case|value',
  related: 'ServiceRequest/id, or urn:consilium:case|value',
  entity: 'system|value: urn:consilium:case, :record, :object or :share'
}

/** What this service can do in FHIR, as a CapabilityStatement (R4). */
export function capabilityStatement(publicUrl: string) {
  return {
    resourceType: 'CapabilityStatement',
    status: 'active',
    date: CHANGED,
    kind: 'instance',
    software: { name: 'Consilium' },
    implementation: {
      description:
        'A secure exchange of medical records for second opinions: cases, records and the access log',
      url: `${publicUrl}/fhir`
    },
    fhirVersion: '4.0.1',
    format: ['application/fhir+json'],
    rest: [
      {
        mode: 'server',
        documentation:
          'Read only. An auditor sees the log of their own organisation, a clinician its cases and records, newest first; every search is itself an event. Pages are followed by GET of their links. _count is at most 200, and 0 is refused. Unknown parameters are passed over unless the request says Prefer: handling=strict.',
        security: {
          service: [
            {
              coding: [
                {
                  system: 'http://terminology.hl7.org/CodeSystem/restful-security-service',
                  code: 'OAuth'
                }
              ]
            }
          ],
          description: `Client credentials with a signed assertion, at ${publicUrl}/oidc/token`
        },
        resource: [
          {
            type: 'AuditEvent',
            supportedProfile: profiles,
            ...readAndSearch,
            searchParam: toldOf(auditParameters)
          },
          { type: 'ServiceRequest', ...readAndSearch, searchParam: toldOf(requestParameters) },
          { type: 'DiagnosticReport', ...readAndSearch, searchParam: toldOf(reportParameters) },
          { type: 'Consent', ...readAndSearch, searchParam: toldOf(consentParameters) },
          { type: 'DocumentReference', ...readAndSearch, searchParam: toldOf(documentParameters) }
        ]
      }
    ]
  }
}

const readAndSearch = {
  interaction: [{ code: 'read' }, { code: 'search-type' }],
  versioning: 'no-version'
}

function toldOf(parameters: readonly Parameter[]) {
  return parameters.map(([name, type, definition]) => ({
    name,
    type,
    ...(definition !== undefined && { definition }),
    ...(notes[name] !== undefined && { documentation: notes[name] })
  }))
}
