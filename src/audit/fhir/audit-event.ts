import type { AuditEventView } from '../../../schemas/audit-event.ts'
import type {
  Agent,
  AuditEventResource,
  Coding,
  Entity,
  EntityDetail,
  Reference
} from '../../fhir/r4.ts'
import { agents, applicationServer, entities, ids, ODS_CODE, roles, URI_SYSTEM } from './codes.ts'
import { type Told, tell } from './patterns.ts'

/** An organisation as the feed names it. */
export interface OrganisationName {
  name: string
  odsCode: string | null
}

/** What the feed knows beside the event itself. */
export interface Setting {
  publicUrl: string
  /** By id: the organisations of the people in the events. */
  organisations: Map<string, OrganisationName>
}

/**
 * An event as a FHIR R4 AuditEvent, with the content that IHE BALP 1.1 asks for. It claims a profile
 * only when it fills every part of it: an event whose details were erased claims none.
 */
export function toAuditEvent(event: AuditEventView, setting: Setting): AuditEventResource {
  const told = tell(event.action, event.outcome, event.share !== undefined)
  const observer: Reference = {
    type: 'Device',
    identifier: { system: URI_SYSTEM, value: setting.publicUrl },
    display: 'Consilium'
  }
  const agent = agentsOf(event, told, observer, setting)
  const entity = entitiesOf(event, told)
  const profile = claimedProfile(told, agent, entity)
  return {
    resourceType: 'AuditEvent',
    id: event.id,
    meta: { lastUpdated: event.at, ...(profile !== undefined && { profile: [profile] }) },
    type: told.type,
    subtype: told.subtype,
    action: told.action,
    recorded: event.at,
    outcome: told.outcome,
    outcomeDesc: event.code === undefined ? event.outcome : `${event.outcome} ${event.code}`,
    agent,
    source: { observer, type: [applicationServer] },
    ...(entity.length > 0 && { entity })
  }
}

function agentsOf(
  event: AuditEventView,
  told: Told,
  observer: Reference,
  { publicUrl, organisations }: Setting
): Agent[] {
  const { actor, details } = event
  // Whoever did not prove which client they are, only said so.
  const client = details.proven === false ? undefined : text(details.client)
  const [address, by] = [text(details.address), text(details.by)]
  const found: Agent[] = []
  if (address !== undefined) {
    found.push({
      type: concept(told.client),
      ...(client !== undefined && { who: { type: 'Device', identifier: id('client', client) } }),
      requestor: false,
      network: { address, type: '2' }
    })
  }
  found.push({
    type: concept(told.server),
    who: observer,
    requestor: false,
    network: { address: publicUrl, type: '5' }
  })
  if (actor !== undefined) {
    const { name } = actor
    found.push({
      type: concept(told.user),
      who: { identifier: id('account', actor.id), ...(name !== undefined && { display: name }) },
      ...(name !== undefined && { name }),
      requestor: true
    })
  } else if (by !== undefined) {
    // Whoever ran a script at the machine itself; it does not know them by name.
    found.push({ type: concept(agents.person), name: by, requestor: true })
  }
  if (actor?.organisation !== undefined) {
    found.push(organisationAgent(actor.organisation, organisations.get(actor.organisation)))
  }
  return found
}

function organisationAgent(organisationId: string, known: OrganisationName | undefined): Agent {
  const odsCode = known?.odsCode ?? undefined
  const identifier =
    odsCode === undefined
      ? id('organisation', organisationId)
      : { system: ODS_CODE, value: odsCode }
  return {
    type: concept(agents.organisation),
    who: { type: 'Organization', identifier, ...(known && { display: known.name }) },
    requestor: false
  }
}

/**
 * What the event is about. BALP allows exactly one entity of the type System Object: the query, or
 * else the narrowest thing that is named. What lies around it has other types.
 */
function entitiesOf(event: AuditEventView, told: Told): Entity[] {
  const found: Entity[] = []
  if (told.isQuery) {
    found.push({ type: entities.system, role: roles.query, query: requestOf(event.details) })
  }
  for (const [index, thing] of thingsOf(event).entries()) {
    const { what, type, role } = thing
    const isData = index === 0 && !told.isQuery
    const detail = isData ? detailsOf(event) : []
    found.push({
      what,
      type: isData ? entities.system : type,
      role,
      ...(detail.length > 0 && { detail })
    })
  }
  if (event.case !== undefined) {
    found.push({
      what: { type: 'Patient', identifier: id('patient', event.case) },
      type: entities.person,
      role: roles.patient
    })
  }
  const requestId = text(event.details.requestId)
  if (requestId !== undefined) {
    // BALP wants the value of X-Request-Id and no system with it.
    found.push({
      what: { identifier: { system: 'urn:consilium:request', value: requestId } },
      type: entities.requestId
    })
  }
  if (event.grant !== undefined) {
    found.push({
      what: { reference: `AuditEvent/${event.grant}`, type: 'AuditEvent' },
      type: entities.auditEvent
    })
  }
  return found
}

interface Thing {
  what: Reference
  /** Its type when another thing is the one the event is about. */
  type: Coding
  role: Coding
}

/** What the event names, the narrowest first. */
function thingsOf(event: AuditEventView): Thing[] {
  const { object, record, share, details } = event
  const found: Thing[] = []
  const add = (
    kind: keyof typeof ids,
    value: string | undefined,
    type: Coding,
    role: Coding,
    fhirType?: string
  ) => {
    if (value === undefined) return
    const what = { ...(fhirType && { type: fhirType }), identifier: id(kind, value) }
    found.push({ what, type, role })
  }
  add('object', object, entities.binary, roles.report, 'Binary')
  add('record', record, entities.document, roles.report, 'DocumentReference')
  add('share', share, entities.other, roles.resource)
  add('case', event.case, entities.other, roles.resource)
  if (event.action === 'account.read') {
    add('account', event.actor?.id, entities.other, roles.resource)
  }
  // Enrolment: whom it is about. Of a request, `client` is the one that made it.
  add('account', text(details.account), entities.other, roles.user)
  if (event.action === 'client.create') {
    add('client', text(details.client), entities.other, roles.user)
  }
  return found
}

function detailsOf(event: AuditEventView): EntityDetail[] {
  const known = {
    'bytes-handed-over': event.bytesHandedOver,
    'recipient-country': event.recipientCountry
  }
  return Object.entries(known).flatMap(([type, value]) =>
    value === undefined ? [] : [{ type, valueString: String(value) }]
  )
}

/**
 * The request as the log kept it: method, route and what was asked, in base64 as BALP has it. The log
 * keeps no query string, and of a patient who was asked about only a reference.
 */
function requestOf(details: AuditEventView['details']): string {
  const asked = new URLSearchParams(
    Object.entries({ ...Object(details.asked) }).flatMap(([name, value]) =>
      [value].flat().map((one): [string, string] => [name, String(one)])
    )
  )
  const parameters = asked.size > 0 ? `?${asked}` : ''
  const request = `${text(details.method) ?? 'GET'} ${text(details.route) ?? ''}${parameters}`
  return Buffer.from(request).toString('base64')
}

/** BALP: client and server need an identity and a network, and the event something it is about. */
function claimedProfile(told: Told, agent: Agent[], entity: Entity[]): string | undefined {
  const isWhole = [told.client, told.server].every(part =>
    agent.some(({ type, who, network }) => type.coding[0] === part && who && network)
  )
  const isAboutSomething = entity.some(({ type }) => type === entities.system)
  if (!isWhole || !isAboutSomething) return undefined
  const hasPatient = entity.some(({ role }) => role === roles.patient)
  return hasPatient ? told.profile.patient : told.profile.nobody
}

const concept = (coding: Coding) => ({ coding: [coding] })

const id = (kind: keyof typeof ids, value: string) => ({ system: ids[kind], value })

/** Details are free: what is not a text there is not taken for one. */
const text = (value: unknown): string | undefined =>
  typeof value === 'string' && value !== '' ? value : undefined
