import type { ActionCode, Coding } from '../../fhir/r4.ts'
import { agents, subtypes, types } from './codes.ts'

const BALP = 'https://profiles.ihe.net/ITI/BALP/StructureDefinition/IHE.BasicAudit.'

/** How an action is told in FHIR: IHE BALP 1.1, and DICOM PS3.15 A.5 for what BALP leaves out. */
export interface Pattern {
  type: Coding
  subtype: Coding[]
  action: ActionCode
  /** The profile to claim when a patient is known, and when none is. */
  profile: { patient?: string; nobody?: string }
  /** The part of each agent. BALP turns client and server round between its patterns. */
  client: Coding
  server: Coding
  user: Coding
  /** What was done is told by the request, in an entity of its own. */
  isQuery?: true
}

const write = {
  type: types.rest,
  client: agents.source,
  server: agents.destination,
  user: agents.author
}

export const create: Pattern = {
  ...write,
  subtype: [subtypes.create],
  action: 'C',
  profile: { patient: `${BALP}PatientCreate` }
}

export const update: Pattern = {
  ...write,
  subtype: [subtypes.update],
  action: 'U',
  profile: { patient: `${BALP}PatientUpdate` }
}

/** What was never whole is given up, which is no deletion from a record: no profile is claimed. */
export const remove: Pattern = { ...write, subtype: [subtypes.remove], action: 'D', profile: {} }

export const read: Pattern = {
  type: types.rest,
  subtype: [subtypes.read],
  action: 'R',
  profile: { patient: `${BALP}PatientRead`, nobody: `${BALP}Read` },
  client: agents.destination,
  server: agents.source,
  user: agents.recipient
}

export const query: Pattern = {
  type: types.rest,
  subtype: [subtypes.search],
  action: 'E',
  profile: { patient: `${BALP}PatientQuery`, nobody: `${BALP}Query` },
  client: agents.source,
  server: agents.destination,
  user: agents.recipient,
  isQuery: true
}

/**
 * One event tells of several patients, where BALP wants one event for each. So it claims no profile
 * unless the list was of one case.
 */
export const patientList: Pattern = { ...query, profile: { patient: `${BALP}PatientQuery` } }

export const disclosure: Pattern = {
  ...read,
  type: types.export,
  subtype: [subtypes.disclose, subtypes.read],
  profile: { patient: `${BALP}PrivacyDisclosure.Source` }
}

const machine = {
  profile: {},
  client: agents.application,
  server: agents.application,
  user: agents.person
}

export const login: Pattern = {
  ...machine,
  type: types.authentication,
  subtype: [subtypes.login],
  action: 'E'
}

export const logout: Pattern = { ...login, subtype: [subtypes.logout] }

export const enrolment: Pattern = {
  ...machine,
  type: types.alert,
  subtype: [subtypes.userChanged],
  action: 'C'
}

/** DICOM PS3.15 has one code for whatever changes how somebody is known. */
export const credential: Pattern = { ...enrolment, action: 'U' }

export const running = (subtype: Coding): Pattern => ({
  ...machine,
  type: types.application,
  subtype: [subtype],
  action: 'E'
})

export const configured: Pattern = { ...running(subtypes.configured), type: types.alert }
