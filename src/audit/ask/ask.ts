import { actionGroups } from '../../../schemas/action-groups.ts'
import { type AuditEventView, outcomes } from '../../../schemas/audit-event.ts'
import type { AuditSearch } from '../../../schemas/audit-query.ts'
import { timestamp } from '../../../schemas/common.ts'
import { patientRef } from '../../cases/patient.ts'
import { Refusal } from '../../errors.ts'
import type { Exchange } from '../../exchange.ts'
import { isId, type Page, readPage } from '../../http/page.ts'
import { namesOf } from '../../identity/people.ts'
import type { Caller } from '../../identity/principal.ts'
import { actedBy } from '../acted-by.ts'
import { placeAllPending } from '../tree/pending.ts'
import {
  type EventFilter,
  type EventRow,
  ownerOfEvent,
  pageOfEvents,
  wasHidden
} from './queries.ts'

export type { EventFilter } from './queries.ts'

/**
 * One page of the access log of the auditor's organisation, newest first. The question itself is
 * an event, written before the answer is given.
 */
export async function askLog(
  exchange: Exchange,
  caller: Caller,
  asked: Omit<AuditSearch, 'limit'> & Page
): Promise<{ events: AuditEventView[]; next?: string }> {
  return answerQuestion(exchange, caller, filterOf(exchange, caller, asked), asked, {
    ...asked
  })
}

/** The same for a question that has been put into a filter already. `asked` goes on the log. */
export async function answerQuestion(
  exchange: Exchange,
  caller: Caller,
  filter: EventFilter,
  page: Page,
  asked: Record<string, unknown>
): Promise<{ events: AuditEventView[]; next?: string }> {
  await placeAllPending(exchange.database)
  const { before, limit } = readPage(page, exchange.limits)
  const { rows, next } = await pageOfEvents(exchange.database, filter, before, limit)
  const events = await viewEvents(exchange, rows, caller.organisationId)
  await recordQuestion(exchange, caller, 'audit.query', asked, filter)
  return { events, ...(next && { next }) }
}

/**
 * One event of the log of the auditor's organisation. Throws Refusal `event-not-found`; the log of
 * the organisation whose event it is then shows who asked for it.
 */
export async function askForEvent(
  exchange: Exchange,
  caller: Caller,
  id: string
): Promise<AuditEventView> {
  if (!isId(id)) throw new Refusal('event-not-found')
  const filter = { organisationId: caller.organisationId, id }
  await placeAllPending(exchange.database)
  const { rows } = await pageOfEvents(exchange.database, filter, undefined, 1)
  const [event] = await viewEvents(exchange, rows, caller.organisationId)
  if (event === undefined) {
    const owner = await ownerOfEvent(exchange.database.read, id)
    const organisationId = owner?.organisationId ?? undefined
    throw new Refusal('event-not-found', undefined, {
      ...(organisationId !== undefined && { about: { organisationId } })
    })
  }
  await recordQuestion(exchange, caller, 'audit.query', { event: id }, filter)
  return event
}

/** The filter a question amounts to. Refusal `request-invalid` when its times are the wrong way round. */
export function filterOf(
  exchange: Exchange,
  caller: Caller,
  asked: Omit<AuditSearch, 'cursor' | 'limit'>
): EventFilter {
  const { from, to, actor, record, share, action, outcome, country, patient } = asked
  if (from !== undefined && to !== undefined && Date.parse(from) >= Date.parse(to)) {
    throw new Refusal('request-invalid', 'times', { problems: ['from must be before to'] })
  }
  const filter = {
    organisationId: caller.organisationId,
    from: from && Date.parse(from),
    to: to && Date.parse(to),
    actorId: actor,
    caseId: asked.case,
    recordId: record,
    shareId: share,
    action,
    kinds: asked.group && actionGroups[asked.group].map(anyOutcome),
    outcome,
    recipientCountry: country,
    patientRef: patient && patientRef(exchange.serviceKeys.lookup, patient)
  }
  return Object.fromEntries(
    Object.entries(filter).filter(([, value]) => value !== undefined)
  ) as unknown as EventFilter
}

/** Everything that is called this, however it went. */
const anyOutcome = (action: string) => ({ action, outcomes: [...outcomes], viaShare: undefined })

/** Puts a question to the log on the log. What was asked about a patient is kept by reference. */
export async function recordQuestion(
  exchange: Exchange,
  caller: Caller,
  action: 'audit.query' | 'audit.export',
  asked: Record<string, unknown>,
  filter: EventFilter
): Promise<void> {
  const { patient, ...rest } = asked
  await exchange.audit.add({
    action,
    outcome: 'success',
    ...actedBy(caller, { asked: rest }),
    patientRef: filter.patientRef
  })
}

/** Events as an auditor of this organisation reads them, with the names of the people in them. */
export async function viewEvents(
  exchange: Exchange,
  rows: EventRow[],
  organisationId: string
): Promise<AuditEventView[]> {
  const actors = new Set(rows.flatMap(row => row.actorId ?? []))
  const names = await namesOf(exchange.database.read, exchange.serviceKeys, [...actors])
  return rows.map(row => {
    const optional = {
      code: row.code,
      ...(!wasHidden(row, organisationId) && {
        case: row.caseId,
        record: row.recordId,
        object: row.objectId,
        share: row.shareId,
        recipientCountry: row.recipientCountry
      }),
      grant: row.grantId,
      bytesHandedOver: row.bytesHandedOver
    }
    const name = row.actorId === null ? undefined : names.get(row.actorId)
    return {
      id: row.id,
      at: timestamp(row.at),
      action: row.action as AuditEventView['action'],
      outcome: row.outcome as AuditEventView['outcome'],
      ...(row.actorId !== null && {
        actor: {
          id: row.actorId,
          ...(name !== undefined && { name }),
          ...(row.actorOrganisationId !== null && { organisation: row.actorOrganisationId })
        }
      }),
      ...(Object.fromEntries(
        Object.entries(optional).filter(([, value]) => value !== null)
      ) as Partial<AuditEventView>),
      ...exchange.audit.readDetails(row.id, row.detailsSealed)
    }
  })
}
