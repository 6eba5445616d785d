import type { FastifyReply, FastifyRequest } from 'fastify'
import type { RecordSummary } from '../../../schemas/record.ts'
import { callerOf } from '../../http/area.ts'
import { listRecords } from '../../records/read.ts'
import { formOf } from '../form.ts'
import type { Web } from '../routes.ts'
import type { Texts } from '../texts.ts'
import { type OfChoice, readChoice } from './grounds.ts'
import { showSpecialist } from './people.ts'

/** A record as it is offered; `cannot` says why it cannot go. */
export interface OfferedRecord extends RecordSummary {
  cannot?: string
}

/** The third step: which records. None is chosen for anybody. */
export async function recordsPage(
  web: Web,
  request: FastifyRequest<{ Params: OfChoice }>,
  reply: FastifyReply,
  model: { chosen?: string[]; problems?: { text: string }[] } = {}
): Promise<FastifyReply> {
  const { exchange, pages } = web
  const caller = callerOf(request)
  const { view } = await readChoice(exchange, caller, request.params)
  const { records } = await listRecords(exchange, caller, request.params.case)
  return pages.show(request, reply, 'sharing/records', {
    caseId: request.params.case,
    specialist: showSpecialist(pages.texts, view, exchange.clock()),
    records: records.map(record => offer(pages.texts, record)),
    chosen: [],
    basis: basisOf(request),
    ...model
  })
}

/** Chosen on the page before: in the address of this one, or sent with it when it is shown again. */
function basisOf(request: FastifyRequest): string {
  const { basis } = request.query as Record<string, unknown>
  return typeof basis === 'string' ? basis : formOf(request).text('basis')
}

function offer(t: Texts, record: RecordSummary): OfferedRecord {
  const { quarantine, patientMatch, patientConfirmation } = record
  if (quarantine !== 'none') return { ...record, cannot: t(`sharing.cannot-${quarantine}`) }
  if (patientMatch === 'mismatch' && patientConfirmation === undefined) {
    return { ...record, cannot: t('sharing.cannot-mismatch') }
  }
  return record
}
