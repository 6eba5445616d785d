import type { AuditEventView } from '../../../schemas/audit-event.ts'
import type { AuditExportSearch } from '../../../schemas/audit-query.ts'
import type { Exchange } from '../../exchange.ts'
import type { Caller } from '../../identity/principal.ts'
import { placeAllPending } from '../tree/pending.ts'
import { filterOf, recordQuestion, viewEvents } from './ask.ts'
import { exportProofs } from './export-proofs.ts'
import { pageOfEvents } from './queries.ts'
import { selectionOf } from './questions.ts'

/** Events read from the database at a time: memory stays the same however long the export is. */
const PAGE_EVENTS = 500

/**
 * The whole answer to a question, newest first, as a stream of text. Events written after it began
 * are not in it. That it was made is on record before its first byte.
 */
export async function exportLog(
  exchange: Exchange,
  caller: Caller,
  asked: AuditExportSearch
): Promise<AsyncGenerator<string>> {
  const { format = 'ndjson', ...question } = asked
  const filter = { ...filterOf(exchange, caller, question), ...selectionOf(question.question) }
  await recordQuestion(exchange, caller, 'audit.export', { ...question }, filter)
  if (format === 'proof') return await exportProofs(exchange, filter, question)
  await placeAllPending(exchange.database)
  const write = format === 'csv' ? csvLine : ndjsonLine

  async function* lines(): AsyncGenerator<string> {
    if (format === 'csv') yield csvHeader
    let before: string | undefined
    for (;;) {
      const { rows, next } = await pageOfEvents(exchange.database, filter, before, PAGE_EVENTS)
      const events = await viewEvents(exchange, rows, filter.organisationId)
      if (events.length > 0) yield events.map(write).join('')
      if (next === undefined) return
      before = next
    }
  }
  return lines()
}

function ndjsonLine(event: AuditEventView): string {
  return `${JSON.stringify(event)}\n`
}

const columns: [name: string, value: (event: AuditEventView) => unknown][] = [
  ['id', event => event.id],
  ['at', event => event.at],
  ['action', event => event.action],
  ['outcome', event => event.outcome],
  ['code', event => event.code],
  ['actor', event => event.actor?.id],
  ['actor_name', event => event.actor?.name],
  ['actor_organisation', event => event.actor?.organisation],
  ['case', event => event.case],
  ['record', event => event.record],
  ['object', event => event.object],
  ['share', event => event.share],
  ['recipient_country', event => event.recipientCountry],
  ['grant', event => event.grant],
  ['bytes_handed_over', event => event.bytesHandedOver],
  ['details', event => JSON.stringify(event.details)]
]

const csvHeader = `${columns.map(([name]) => name).join(',')}\r\n`

function csvLine(event: AuditEventView): string {
  return `${columns.map(([, value]) => csvField(value(event))).join(',')}\r\n`
}

/** Also in the wide forms that East Asian keyboards write, and behind blanks and controls. */
const FORMULA = /^\p{Cc}|^[\s\p{Cc}]*[=+\-@|%＝＋－＠]/u

/**
 * A field as RFC 4180 quotes it. Text that a spreadsheet would run as a formula gets an apostrophe
 * before it (OWASP ASVS 5.0, 1.2.10); a control such as a tab may hide such a beginning.
 */
export function csvField(value: unknown): string {
  const text = value === undefined || value === null ? '' : String(value)
  const safe = FORMULA.test(text) ? `'${text}` : text
  return /[",\r\n\t;']/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe
}
