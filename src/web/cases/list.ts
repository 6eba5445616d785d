import type { FastifyReply, FastifyRequest } from 'fastify'
import { type CaseSummary, NHS_NUMBER_SYSTEM } from '../../../schemas/case.ts'
import { listCases } from '../../cases/read.ts'
import { callerOf } from '../../http/area.ts'
import { formOf } from '../form.ts'
import type { Web } from '../routes.ts'
import { type RefusalsOfForm, tell } from './form.ts'
import { shownPatient } from './patient.ts'

const SEARCH_REFUSED: RefusalsOfForm = {
  'nhs-number-invalid': { field: 'number', text: 'cases.refused-nhs-number' }
}

/** The cases of the caller's organisation, newest first, a page at a time. */
export async function showCases(
  { exchange, pages }: Web,
  request: FastifyRequest,
  reply: FastifyReply
) {
  const { after } = request.query as { after?: string }
  const page = after === undefined ? {} : { cursor: after }
  const { cases, next } = await listCases(exchange, callerOf(request), page)
  return pages.show(request, reply, 'cases/list', {
    cases: cases.map(lineOf),
    next: next && `/cases?after=${next}`,
    isFirst: after === undefined
  })
}

/**
 * The cases of one patient. A form that is answered at once, without an address of its own: an NHS
 * number stays out of every address, and so out of the history of the browser.
 */
export async function searchCases(
  { exchange, pages }: Web,
  request: FastifyRequest,
  reply: FastifyReply
) {
  const form = formOf(request)
  const number = form.text('number')
  const after = form.text('after')
  pages.onRefusal(request, (told, refusal) =>
    pages.show(request, reply, 'cases/list', {
      cases: [],
      number,
      isRefused: true,
      ...tell(told, refusal, [], SEARCH_REFUSED, pages.texts)
    })
  )
  const page = after === '' ? {} : { cursor: after }
  const identifier = { system: NHS_NUMBER_SYSTEM, value: number }
  const { cases, next } = await listCases(exchange, callerOf(request), page, identifier)
  return pages.show(request, reply, 'cases/list', {
    cases: cases.map(lineOf),
    number,
    isSearch: true,
    moreAfter: next
  })
}

/** A case as one line of the list. */
function lineOf(found: CaseSummary) {
  const { id, patient, state, dueDate, lastEventAt, createdAt, warnings } = found
  return {
    id,
    patient: shownPatient(patient),
    state,
    dueDate,
    lastEventAt: lastEventAt ?? createdAt,
    warnings
  }
}
