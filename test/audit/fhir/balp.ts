import type { Agent, AuditEventResource, Coding, Entity } from '../../../src/fhir/r4.ts'

// The rules of IHE BALP 1.1 as its profiles state them, apart from how the service makes events.

const BALP = 'https://profiles.ihe.net/ITI/BALP/StructureDefinition/IHE.BasicAudit.'
const DCM = 'http://dicom.nema.org/resources/ontology/DCM'
const REST = 'http://terminology.hl7.org/CodeSystem/audit-event-type#rest'
const INTERACTION = 'http://hl7.org/fhir/restful-interaction'
const PARTICIPATION = 'http://terminology.hl7.org/CodeSystem/v3-ParticipationType'
const ENTITY = 'http://terminology.hl7.org/CodeSystem/audit-entity-type'
const ROLE = 'http://terminology.hl7.org/CodeSystem/object-role'

interface Rules {
  type: string
  subtypes: string[]
  action: string
  mustSucceed: boolean
  client: string
  server: string
  users: string[]
  hasPatient: boolean
  data: 'data' | 'query' | 'any'
}

const restful = (
  action: string,
  subtypes: string[],
  users: string[],
  isRead: boolean,
  data: Rules['data']
) => {
  const rules = (hasPatient: boolean): Rules => ({
    type: REST,
    subtypes: subtypes.map(code => `${INTERACTION}#${code}`),
    action,
    mustSucceed: true,
    client: `${DCM}#${isRead ? 110152 : 110153}`,
    server: `${DCM}#${isRead ? 110153 : 110152}`,
    users: users.map(code => `${PARTICIPATION}#${code}`),
    hasPatient,
    data
  })
  return { nobody: rules(false), patient: rules(true) }
}

const authors = ['AUT', 'INF', 'CST']
const create = restful('C', ['create'], authors, false, 'data')
const update = restful('U', ['update', 'patch'], authors, false, 'data')
const read = restful('R', ['read', 'vread'], ['IRCP'], true, 'data')
const query = restful('E', ['search', 'search-type', 'search-system'], ['IRCP'], false, 'query')

const profiles: Record<string, Rules> = {
  [`${BALP}Create`]: create.nobody,
  [`${BALP}PatientCreate`]: create.patient,
  [`${BALP}Update`]: update.nobody,
  [`${BALP}PatientUpdate`]: update.patient,
  [`${BALP}Read`]: read.nobody,
  [`${BALP}PatientRead`]: read.patient,
  [`${BALP}Query`]: query.nobody,
  [`${BALP}PatientQuery`]: query.patient,
  [`${BALP}PrivacyDisclosure.Source`]: {
    ...read.patient,
    type: `${DCM}#110106`,
    subtypes: ['http://terminology.hl7.org/CodeSystem/iso-21089-lifecycle#disclose'],
    mustSucceed: false,
    data: 'any'
  }
}

const name = ({ system, code }: Coding): string => `${system}#${code}`

const codingOf = ({ type }: Agent): Coding => type.coding[0] ?? { system: 'none', code: 'none' }

/** What of a resource breaks the profile it claims, or may not be there without one. */
export function breachesOf(event: AuditEventResource): string[] {
  const breaches = networkBreaches(event)
  const [profile, ...more] = event.meta.profile ?? []
  if (profile === undefined) return breaches
  const rules = profiles[profile]
  if (rules === undefined || more.length > 0) return [...breaches, `claims ${event.meta.profile}`]
  const must = (isSo: boolean, what: string) => void (isSo || breaches.push(what))

  must(name(event.type) === rules.type, 'type')
  must(
    event.subtype.some(coding => rules.subtypes.includes(name(coding))),
    'subtype'
  )
  must(event.action === rules.action, 'action')
  must(!rules.mustSucceed || event.outcome === '0', 'a failure claims a profile for success')
  agentBreaches(event, rules).forEach(breach => void breaches.push(breach))
  entityBreaches(event.entity ?? [], rules).forEach(breach => void breaches.push(breach))
  return breaches
}

/** Machines have a network and people have none; somebody recorded it. */
function networkBreaches({ agent, source }: AuditEventResource): string[] {
  const breaches = agent
    .filter(({ requestor, network }) => requestor && network !== undefined)
    .map(() => 'a requesting person has a network')
  return source.observer.identifier ? breaches : [...breaches, 'nobody recorded it']
}

function agentBreaches({ agent, source }: AuditEventResource, rules: Rules): string[] {
  const of = (type: string): Agent[] => agent.filter(one => name(codingOf(one)) === type)
  const breaches: string[] = []
  for (const [part, type] of [
    ['client', rules.client],
    ['server', rules.server]
  ] as const) {
    const [one, ...others] = of(type)
    if (!one || others.length > 0) breaches.push(`${part} is not there once`)
    if (!one?.who || !one.network) breaches.push(`${part} has no identity or no network`)
  }
  const [server] = of(rules.server)
  if (JSON.stringify(server?.who) !== JSON.stringify(source.observer)) {
    breaches.push('the server did not record it')
  }
  const users = agent.filter(one => codingOf(one).system === PARTICIPATION)
  if (users.length > 1 || users.some(({ who, requestor }) => !who || !requestor)) {
    breaches.push('user')
  }
  if (!users.every(user => rules.users.includes(name(codingOf(user)))))
    breaches.push('type of user')
  return breaches
}

function entityBreaches(entity: Entity[], rules: Rules): string[] {
  const breaches: string[] = []
  const of = (type: string): Entity[] => entity.filter(one => name(one.type) === type)
  const people = of(`${ENTITY}#1`)
  const [patient] = people
  if (people.length !== (rules.hasPatient ? 1 : 0)) breaches.push('patient')
  if (patient && (patient.role === undefined || name(patient.role) !== `${ROLE}#1`)) {
    breaches.push('role of the patient')
  }
  if (patient && (patient.what?.type ?? 'Patient') !== 'Patient')
    breaches.push('type of the patient')
  if (rules.data === 'any') return entity.length < 2 ? [...breaches, 'nothing disclosed'] : breaches

  const [system, ...others] = of(`${ENTITY}#2`)
  if (!system || others.length > 0) return [...breaches, 'not one system object']
  const role = system.role === undefined ? 'none' : name(system.role)
  if (rules.data === 'query') {
    const isQuery = role === `${ROLE}#24` && system.query && !system.what && !system.detail
    return isQuery ? breaches : [...breaches, 'query']
  }
  const isData = [3, 4, 20].some(code => role === `${ROLE}#${code}`) && system.what
  return isData ? breaches : [...breaches, 'data']
}
