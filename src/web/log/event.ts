import type { FastifyReply, FastifyRequest } from 'fastify'
import type { AuditEventView } from '../../../schemas/audit-event.ts'
import { askForEvent } from '../../audit/ask/ask.ts'
import { kindsOfRecords } from '../../audit/ask/record-kinds.ts'
import { countryName } from '../../audit/report/wording.ts'
import { callerOf } from '../../http/area.ts'
import { bytesText } from '../moments.ts'
import type { Web } from '../routes.ts'
import type { Texts } from '../texts.ts'
import { reasonOf, sentenceOf } from './sentences.ts'

interface Row {
  key: string
  value: string
  at?: string
  link?: { href: string; text: string; hidden?: string }
}

/** One event, everything that is known of it, and the way to prove it. */
export async function eventPage(
  { exchange, pages }: Web,
  request: FastifyRequest<{ Params: { event: string } }>,
  reply: FastifyReply
) {
  const event = await askForEvent(exchange, callerOf(request), request.params.event)
  const kinds = await kindsOfRecords(exchange, [event])
  const { texts: t } = pages
  return pages.show(request, reply, 'log/event', {
    sentence: sentenceOf(t, event, kinds.get(event.record ?? '')),
    rows: rowsOf(t, event),
    details: Object.entries(event.details).map(([name, value]) => ({
      name,
      value: plainValue(value)
    })),
    isErased: event.erased === true,
    isDamaged: event.damaged === true,
    caseId: event.case,
    proof: `/v1/audit/events/${event.id}/proof`,
    fileName: `${event.id}.tlog-proof`,
    vkey: exchange.tree.keys.keys.at(-1)?.vkey ?? ''
  })
}

function rowsOf(t: Texts, event: AuditEventView): Row[] {
  const { id, at, action, outcome, code, actor, bytesHandedOver, recipientCountry, grant } = event
  const rows: (Row | undefined)[] = [
    { key: 'at', value: '', at },
    actor && {
      key: 'who',
      value: actor.name ?? actor.id,
      link: { href: `/log/answer?actor=${actor.id}`, text: t('log.event-all-by') }
    },
    { key: 'outcome', value: t(`actions.state.${outcome}`) },
    code === undefined ? undefined : { key: 'code', value: reasonOf(code) ?? code },
    bytesHandedOver === undefined ? undefined : { key: 'bytes', value: bytesText(bytesHandedOver) },
    recipientCountry === undefined
      ? undefined
      : { key: 'country', value: countryName(recipientCountry) },
    about(t, 'case', event.case),
    about(t, 'record', event.record),
    event.object === undefined ? undefined : { key: 'object', value: event.object },
    about(t, 'share', event.share),
    grant === undefined
      ? undefined
      : {
          key: 'grant',
          value: grant,
          link: { href: `/log/events/${grant}`, text: t('log.event-grant-text') }
        },
    { key: 'action', value: `${action} · ${outcome}` },
    { key: 'id', value: id }
  ]
  return rows.filter(row => row !== undefined)
}

function about(t: Texts, key: 'case' | 'record' | 'share', id: string | undefined) {
  if (id === undefined) return undefined
  const link = { href: `/log/answer?${key}=${id}`, text: t('log.event-all-of') }
  return { key, value: id, link }
}

/** What is not a text is shown as the JSON that the log commits to. */
const plainValue = (value: unknown): string =>
  typeof value === 'string' ? value : JSON.stringify(value)
