// The parts of FHIR R4 (4.0.1) that are written here. In R4 the types of an AuditEvent are Coding,
// but for those of its agents, and the network is an element of its own: R5 differs in all of it.

export interface Coding {
  system: string
  code: string
  display?: string
}

export interface Identifier {
  system: string
  value: string
}

export interface Reference {
  reference?: string
  type?: string
  /** Without a system where only its giver knows one. */
  identifier?: Identifier | { value: string }
  display?: string
}

export interface Agent {
  type: { coding: Coding[] }
  who?: Reference
  name?: string
  requestor: boolean
  /** `2` is an IP address, `5` a URI. */
  network?: { address: string; type: '2' | '5' }
}

export interface EntityDetail {
  type: string
  valueString: string
}

export interface Entity {
  what?: Reference
  type: Coding
  role?: Coding
  /** Base64 of the request. */
  query?: string
  detail?: EntityDetail[]
}

export type ActionCode = 'C' | 'R' | 'U' | 'D' | 'E'
export type OutcomeCode = '0' | '4' | '8' | '12'

export interface AuditEventResource {
  resourceType: 'AuditEvent'
  id: string
  meta: { lastUpdated: string; profile?: string[] }
  type: Coding
  subtype: Coding[]
  action: ActionCode
  recorded: string
  outcome: OutcomeCode
  outcomeDesc: string
  agent: Agent[]
  source: { observer: Reference; type: Coding[] }
  entity?: Entity[]
}

export interface Bundle<Resource = AuditEventResource> {
  resourceType: 'Bundle'
  type: 'searchset'
  link: { relation: 'self' | 'next'; url: string }[]
  /** Absent when nothing was found: FHIR knows no empty list. */
  entry?: { fullUrl: string; resource: Resource; search: { mode: 'match' } }[]
}

export interface CodeableConcept {
  coding?: Coding[]
  text?: string
}

/** A case: what is asked, of whom it is, by when. */
export interface ServiceRequestResource {
  resourceType: 'ServiceRequest'
  id: string
  meta: { versionId: string; lastUpdated: string }
  identifier: Identifier[]
  status: 'draft' | 'active' | 'completed' | 'revoked'
  intent: 'order'
  priority?: 'routine' | 'urgent' | 'asap'
  code: CodeableConcept
  subject: Reference
  occurrencePeriod?: { end: string }
  authoredOn: string
  requester: Reference
  reasonCode?: CodeableConcept[]
  insurance?: Reference[]
  supportingInfo?: Reference[]
  note: { text: string }[]
}

/** A record, as IHE MHD's Minimal DocumentReference (ITI-67, comprehensive metadata left out). */
export interface DocumentReferenceResource {
  resourceType: 'DocumentReference'
  id: string
  meta: { lastUpdated: string }
  masterIdentifier: Identifier
  identifier: Identifier[]
  status: 'current'
  type: CodeableConcept
  subject: Reference
  date: string
  author: Reference[]
  description: string
  content: [{ attachment: Attachment }]
  context: { related: Reference[] }
}

/** An opinion that came back. */
export interface DiagnosticReportResource {
  resourceType: 'DiagnosticReport'
  id: string
  meta: { lastUpdated: string }
  identifier: Identifier[]
  basedOn: Reference[]
  status: 'final' | 'appended'
  code: CodeableConcept
  subject: Reference
  effectiveDateTime: string
  issued: string
  performer: Reference[]
  resultsInterpreter: Reference[]
  conclusion: string
  presentedForm: Attachment[]
}

/** What a patient agreed to. */
export interface ConsentResource {
  resourceType: 'Consent'
  id: string
  meta: { lastUpdated: string }
  identifier: Identifier[]
  status: 'active' | 'inactive'
  scope: CodeableConcept
  category: CodeableConcept[]
  patient: Reference
  dateTime: string
  organization: Reference[]
  policyRule: CodeableConcept
  provision: {
    type: 'permit'
    period: { start: string; end?: string }
    actor?: { role: CodeableConcept; reference: Reference }[]
    data: { meaning: 'related'; reference: Reference }[]
  }
}

export interface Attachment {
  contentType: string
  url: string
  size?: number
  title: string
  creation: string
}

export interface OperationOutcome {
  resourceType: 'OperationOutcome'
  issue: {
    severity: 'error'
    code: string
    details: { coding: Coding[]; text: string }
    diagnostics: string
  }[]
}
