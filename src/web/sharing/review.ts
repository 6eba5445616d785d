import type { FastifyReply } from 'fastify'
import { transferText } from '../../audit/report/wording.ts'
import { readCase } from '../../cases/read.ts'
import { callerOf } from '../../http/area.ts'
import { listRecords } from '../../records/read.ts'
import { considerShare } from '../../shares/consider.ts'
import { createShare } from '../../shares/create.ts'
import { shownPatient } from '../cases/patient.ts'
import { formOf } from '../form.ts'
import type { Web } from '../routes.ts'
import { readChoice } from './grounds.ts'
import { onceCookie } from './once.ts'
import { showSpecialist } from './people.ts'
import { carried, lifeText, type OfChoicePage, showTerms, wantedOf } from './terms.ts'

const HOUR_MILLISECONDS = 3_600_000

/** The last step before sharing: exactly what will be seen, by whom, where, until when. */
export async function reviewPage(web: Web, request: OfChoicePage, reply: FastifyReply) {
  const { exchange, pages } = web
  const caller = callerOf(request)
  pages.onRefusal(request, (problems, refusal) =>
    showTerms(web, request, reply, { problems, refusal })
  )
  const { view } = await readChoice(exchange, caller, request.params)
  const form = formOf(request)
  const wanted = wantedOf(web, form, view)
  const { grounds, shareable } = await considerShare(exchange, caller, request.params.case, wanted)
  const found = await readCase(exchange, caller, request.params.case)
  const { records } = await listRecords(exchange, caller, request.params.case)
  const { lifeHours = exchange.limits.shareHoursDefault } = wanted
  const chosen = records.filter(({ id }) => wanted.records.includes(id))
  const { request: asked, override } = shareable.terms
  const instead = wanted.question === undefined ? undefined : [{ number: 1, text: wanted.question }]
  return pages.show(request, reply, 'sharing/review', {
    caseId: found.id,
    specialist: showSpecialist(pages.texts, view, exchange.clock()),
    patient: shownPatient(found.patient),
    questions: instead ?? asked?.questions ?? [{ number: 1, text: found.question }],
    asked,
    wanted,
    records: chosen,
    bytes: chosen.reduce((sum, { bytes }) => sum + bytes, 0),
    life: lifeText(web, lifeHours),
    until: exchange.clock() + lifeHours * HOUR_MILLISECONDS,
    basis: transferText(grounds.transfer),
    hasConsent: grounds.consentId !== undefined,
    override,
    carried: carried(form)
  })
}

/** The one act of all these steps. The link is told on the page after it, once. */
export async function confirmShare(web: Web, request: OfChoicePage, reply: FastifyReply) {
  const { exchange, pages } = web
  const caller = callerOf(request)
  pages.onRefusal(request, (problems, refusal) =>
    showTerms(web, request, reply, { problems, refusal })
  )
  const { view } = await readChoice(exchange, caller, request.params)
  const wanted = wantedOf(web, formOf(request), view)
  const { id, link } = await createShare(exchange, caller, request.params.case, wanted)
  return reply.header('set-cookie', onceCookie(id, link)).redirect(`/shares/${id}/link`, 303)
}
