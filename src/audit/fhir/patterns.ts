import { type Action, actions, type Outcome, outcomes } from '../../../schemas/audit-event.ts'
import type { ActionCode, Coding, OutcomeCode } from '../../fhir/r4.ts'
import { ACTION_SYSTEM, agents, subtypes, types } from './codes.ts'

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

const create: Pattern = {
  ...write,
  subtype: [subtypes.create],
  action: 'C',
  profile: { patient: `${BALP}PatientCreate` }
}

const update: Pattern = {
  ...write,
  subtype: [subtypes.update],
  action: 'U',
  profile: { patient: `${BALP}PatientUpdate` }
}

/** What was never whole is given up, which is no deletion from a record: no profile is claimed. */
const remove: Pattern = { ...write, subtype: [subtypes.remove], action: 'D', profile: {} }

const read: Pattern = {
  type: types.rest,
  subtype: [subtypes.read],
  action: 'R',
  profile: { patient: `${BALP}PatientRead`, nobody: `${BALP}Read` },
  client: agents.destination,
  server: agents.source,
  user: agents.recipient
}

const query: Pattern = {
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
const patientList: Pattern = { ...query, profile: { patient: `${BALP}PatientQuery` } }

const disclosure: Pattern = {
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

const enrolment: Pattern = {
  ...machine,
  type: types.alert,
  subtype: [subtypes.userChanged],
  action: 'C'
}

/** DICOM PS3.15 has one code for whatever changes how somebody is known. */
const credential: Pattern = { ...enrolment, action: 'U' }

const running = (subtype: Coding): Pattern => ({
  ...machine,
  type: types.application,
  subtype: [subtype],
  action: 'E'
})

const login: Pattern = { ...running(subtypes.login), type: types.authentication }

const logout: Pattern = { ...login, subtype: [subtypes.logout] }

const configured: Pattern = { ...running(subtypes.configured), type: types.alert }

const table: Record<Action, Pattern> = {
  'service.start': running(subtypes.start),
  'service.stop': running(subtypes.stop),
  'service.check': running(subtypes.verify),
  'organisation.create': enrolment,
  'account.create': enrolment,
  'account.read': read,
  'recipient.register': update,
  'recipient.read': read,
  'account.disable': { ...enrolment, action: 'U' },
  'specialist.list': query,
  'client.create': enrolment,
  'token.issue': login,
  'case.create': create,
  'case.list': patientList,
  'case.search': patientList,
  'case.read': read,
  'request.read': read,
  'request.write': update,
  'checklist.read': read,
  'checklist.write': update,
  'case.complete': update,
  'case.close': update,
  'case.reopen': update,
  'record.create': create,
  'record.confirm-patient': update,
  'record.list': patientList,
  'record.read': read,
  'content.read': read,
  'draft.create': create,
  'draft.read': read,
  'draft.discard': remove,
  'draft.expire': { ...running(subtypes.destroy), action: 'D' },
  'upload.create': create,
  'upload.read': read,
  'upload.receive': update,
  'upload.end': remove,
  'object.scan': running(subtypes.verify),
  'record.pseudonymise': { ...create, subtype: [subtypes.pseudonymise, subtypes.create] },
  'copy.remove': { ...running(subtypes.destroy), action: 'D' },
  'share.create': create,
  'share.list': patientList,
  'share.read': disclosure,
  'share.revoke': update,
  'link.open': disclosure,
  'audit.query': query,
  'audit.export': { ...query, subtype: [subtypes.search, subtypes.extract] },
  'audit.report': { ...query, subtype: [subtypes.search, subtypes.extract] },
  'audit.erase': { ...running(subtypes.destroy), type: types.alert, action: 'D' },
  'log.key': { ...running(subtypes.configured), type: types.alert, action: 'U' },
  'keys.rotate': { ...running(subtypes.configured), type: types.alert, action: 'U' },
  'keys.rewrap': { ...running(subtypes.configured), type: types.alert, action: 'U' },
  'keys.retire': { ...running(subtypes.configured), type: types.alert, action: 'D' },
  'data.backup': { ...running(subtypes.archive), type: types.export, action: 'R' },
  'data.restore': { ...running(subtypes.restore), action: 'C' },
  'data.move': { ...running(subtypes.archive), action: 'E' },
  'specialist.create': enrolment,
  'specialist.read': read,
  'specialist.update': { ...enrolment, action: 'U' },
  'specialist.verify': { ...enrolment, action: 'U' },
  'specialist.unverify': { ...enrolment, action: 'U' },
  'specialist.expire': { ...enrolment, action: 'U' },
  'specialist.import': enrolment,
  'register.import': enrolment,
  'invitation.create': enrolment,
  'invitation.list': query,
  'invitation.resend': { ...enrolment, action: 'U' },
  'invitation.withdraw': { ...enrolment, action: 'U' },
  'invitation.accept': enrolment,
  'notice.send': running(subtypes.transmit),
  'notice.list': query,
  'notice.preferences': { ...configured, action: 'U' },
  'webhook.create': { ...configured, action: 'C' },
  'webhook.list': query,
  'webhook.rotate': { ...configured, action: 'U' },
  'webhook.remove': { ...configured, action: 'D' },
  'webhook.disable': { ...configured, action: 'U' },
  'webhook.deliveries': query,
  'consent.record': create,
  'consent.list': patientList,
  'consent.withdraw': update,
  'safeguard.withdraw': { ...configured, action: 'U' },
  'opinion.read': read,
  'opinion.save': update,
  'opinion.submit': create,
  'opinion.addendum': create,
  'opinion.acknowledge': update,
  'opinion.list': patientList,
  'message.create': create,
  'message.list': patientList,
  'case.decline': update,
  'more-time.ask': update,
  'more-time.read': read,
  'more-time.give': update,
  'more-time.decline': update,
  'retention.read': read,
  'hold.create': update,
  'hold.lift': update,
  'case.erase': { ...running(subtypes.destroy), action: 'D' },
  'erasure.files': { ...running(subtypes.destroy), action: 'D' },
  'erasure.read': read,
  'session.begin': login,
  'session.end': logout,
  'session.prove': login,
  'session.list': read,
  'passkey.add': credential,
  'passkey.list': read,
  'passkey.rename': credential,
  'passkey.remove': credential,
  'recovery.make': credential,
  'recovery.use': credential,
  'enrolment.create': enrolment,
  'enrolment.use': enrolment,
  'account.list': query,
  'organisation.list': query,
  'audit.verify': running(subtypes.verify),
  'organisation.operate': { ...enrolment, action: 'U' },
  'account.enable': { ...enrolment, action: 'U' },
  'account.role': { ...enrolment, action: 'U' },
  'enrolment.list': query,
  'enrolment.withdraw': { ...enrolment, action: 'U' }
}

/**
 * FHIR R4, AuditEvent.outcome: 4 is likened to HTTP 400, 8 to 500, and with 12 the system has died.
 * What was granted and what was cut short is a disclosure all the same.
 */
const outcomeCodes: Record<Outcome, OutcomeCode> = {
  success: '0',
  granted: '0',
  complete: '0',
  aborted: '4',
  revoked: '4',
  expired: '4',
  stopped: '4',
  refused: '4',
  failed: '8',
  interrupted: '12'
}

/** What FHIR makes of an event: the codes by which it is found, and the profile it may claim. */
export interface Told extends Pattern {
  outcome: OutcomeCode
}

/**
 * How an event of this action and outcome is told. A refusal is told in the same way whatever it was
 * about, because a share may be hidden from its reader, and a search must not give it away.
 */
export function tell(action: Action, outcome: Outcome, viaShare: boolean): Told {
  const isRefusal = outcome === 'refused'
  const isDisclosure = viaShare && action === 'content.read' && !isRefusal
  const pattern = isDisclosure ? disclosure : table[action]
  const own: Coding = { system: ACTION_SYSTEM, code: action }
  return {
    ...pattern,
    type: isRefusal ? typeOfRefusal(pattern) : pattern.type,
    subtype: [...pattern.subtype, own],
    outcome: outcomeCodes[outcome],
    profile: mayClaim(pattern, outcome) ? pattern.profile : {}
  }
}

/** A login that failed is a login; whatever else was refused concerns security. */
function typeOfRefusal({ type }: Pattern): Coding {
  return type === types.rest || type === types.export ? types.alert : type
}

/** The REST profiles are for success alone; a disclosure may have ended early. */
function mayClaim(pattern: Pattern, outcome: Outcome): boolean {
  if (outcome === 'refused') return false
  return outcomeCodes[outcome] === '0' || pattern === disclosure
}

/** Every kind of event there can be, for searches by code. */
export const kinds = actions.flatMap(action =>
  outcomes.flatMap(outcome =>
    (action === 'content.read' ? [false, true] : [undefined]).map(viaShare => ({
      action,
      outcome,
      viaShare,
      told: tell(action, outcome, viaShare ?? false)
    }))
  )
)

/** Every profile that some event can claim. */
export const profiles = [
  ...new Set(kinds.flatMap(({ told }) => Object.values(told.profile)))
].sort()
