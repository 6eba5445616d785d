import type { AuditEventView } from '../../../schemas/audit-event.ts'
import { timestamp } from '../../../schemas/common.ts'
import type { Exchange } from '../../exchange.ts'
import { type Cursor, openCursor, sealCursor } from '../../fhir/cursor.ts'
import type { AuditEventResource, Bundle } from '../../fhir/r4.ts'
import { organisationsById } from '../../identity/people.ts'
import type { Caller } from '../../identity/principal.ts'
import { answerQuestion, askForEvent, type EventFilter, filterOf } from '../ask/ask.ts'
import { toAuditEvent } from './audit-event.ts'
import type { Search } from './search.ts'

/**
 * One page of the access log of the auditor's organisation as a searchset, newest first. It is the
 * same log, read in the same way and recorded in the same way, as /v1/audit/events.
 */
export async function searchEvents(
  exchange: Exchange,
  caller: Caller,
  search: Search
): Promise<Bundle> {
  const { organisationId } = caller
  const cursor =
    search.cursor === undefined
      ? {}
      : openCursor(exchange.serviceKeys, organisationId, search.cursor)
  const filter = eventFilter(exchange, caller, search, cursor)
  const { events, next } = await answerQuestion(
    exchange,
    caller,
    filter,
    {
      ...(cursor.before !== undefined && { cursor: cursor.before }),
      ...(search.count !== undefined && { limit: search.count })
    },
    askedOf(search)
  )

  const { patientRef } = filter
  const linkFrom = (before: string | undefined) =>
    linkTo(exchange, organisationId, search, {
      ...(before !== undefined && { before }),
      ...(patientRef !== undefined && { patientRef })
    })
  const resources = await toResources(exchange, events)
  return {
    resourceType: 'Bundle',
    type: 'searchset',
    link: [
      { relation: 'self', url: linkFrom(cursor.before) },
      ...(next === undefined ? [] : [{ relation: 'next' as const, url: linkFrom(next) }])
    ],
    ...(resources.length > 0 && {
      entry: resources.map(resource => ({
        fullUrl: `${exchange.publicUrl}/fhir/AuditEvent/${resource.id}`,
        resource,
        search: { mode: 'match' as const }
      }))
    })
  }
}

/** One event. Throws Refusal `event-not-found`. */
export async function readEvent(
  exchange: Exchange,
  caller: Caller,
  id: string
): Promise<AuditEventResource> {
  const [resource] = await toResources(exchange, [await askForEvent(exchange, caller, id)])
  if (resource === undefined) throw new Error('An event became no resource.')
  return resource
}

async function toResources(
  exchange: Exchange,
  events: AuditEventView[]
): Promise<AuditEventResource[]> {
  const ids = new Set(events.flatMap(({ actor }) => actor?.organisation ?? []))
  const organisations = await organisationsById(exchange.database.read, [...ids])
  const setting = { publicUrl: exchange.publicUrl, organisations }
  return events.map(event => toAuditEvent(event, setting))
}

function eventFilter(
  exchange: Exchange,
  caller: Caller,
  search: Search,
  cursor: Cursor
): EventFilter {
  const { id, from, to, object, kinds, isContradiction, patient } = search
  if (isContradiction) return { organisationId: caller.organisationId, kinds: [] }
  const { actor, case: caseId, record, share } = search
  const filter = filterOf(exchange, caller, {
    ...(actor !== undefined && { actor }),
    ...(caseId !== undefined && { case: caseId }),
    ...(record !== undefined && { record }),
    ...(share !== undefined && { share }),
    ...(patient !== undefined && { patient }),
    ...(from !== undefined && { from: timestamp(from) }),
    ...(to !== undefined && { to: timestamp(to) })
  })
  return {
    ...(cursor.patientRef !== undefined && { patientRef: cursor.patientRef }),
    ...filter,
    ...(id !== undefined && { id }),
    ...(object !== undefined && { objectId: object }),
    ...(kinds !== undefined && { kinds: kindsByAction(kinds) })
  }
}

/** One condition for each action, whatever number of outcomes it has. */
function kindsByAction(kinds: NonNullable<Search['kinds']>): NonNullable<EventFilter['kinds']> {
  const groups = Map.groupBy(kinds, ({ action, viaShare }) => `${action} ${viaShare}`)
  return [...groups.values()].flatMap(group => {
    const [first] = group
    if (first === undefined) return []
    const { action, viaShare } = first
    return [{ action, viaShare, outcomes: group.map(kind => kind.outcome) }]
  })
}

/** What the log keeps of the question: each parameter once, with all its values. */
function askedOf({ understood }: Search): Record<string, string[]> {
  const groups = Map.groupBy(understood, ([name]) => name)
  return Object.fromEntries(
    [...groups].map(([name, group]) => [name, group.map(([, value]) => value)])
  )
}

/** The search again, from this cursor on. A patient is in it only as the cursor seals them. */
function linkTo(
  { publicUrl, serviceKeys }: Exchange,
  organisationId: string,
  search: Search,
  cursor: Cursor
): string {
  const parameters = new URLSearchParams(search.understood)
  if (cursor.before !== undefined || cursor.patientRef !== undefined) {
    parameters.set('_cursor', sealCursor(serviceKeys, organisationId, cursor))
  }
  return `${publicUrl}/fhir/AuditEvent${parameters.size > 0 ? `?${parameters}` : ''}`
}
