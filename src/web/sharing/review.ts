import type { FastifyReply } from 'fastify'
import { v7 as uuidv7 } from 'uuid'
import type { SpecialistView } from '../../../schemas/specialist.ts'
import { transferText } from '../../audit/report/wording.ts'
import { readCase } from '../../cases/read.ts'
import { callerOf } from '../../http/area.ts'
import { listRecords } from '../../records/read.ts'
import { considerShare } from '../../shares/consider.ts'
import { createShare } from '../../shares/create.ts'
import { shownPatient } from '../cases/patient.ts'
import { formOf } from '../form.ts'
import type { ShowAgain } from '../pages.ts'
import type { Web } from '../routes.ts'
import { earlyEnds } from './ends.ts'
import { readChoice } from './grounds.ts'
import { onceCookie } from './once.ts'
import { showSpecialist } from './people.ts'
import { carried, lifeText, type OfChoicePage, showTerms, wantedOf } from './terms.ts'

/** The request that is shown, so that no other one is shared. */
const VERSION_SEEN = 'request-version'

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
  const considered = await considerShare(exchange, caller, request.params.case, wanted)
  const { grounds, shareable, life } = considered
  const found = await readCase(exchange, caller, request.params.case)
  const { records } = await listRecords(exchange, caller, request.params.case)
  const { lifeHours = exchange.limits.shareHoursDefault } = wanted
  const chosen = records.filter(({ id }) => wanted.records.includes(id))
  const { request: asked, override } = shareable.terms
  const hasConsent = grounds.consentId !== undefined
  // As the specialist is asked: what was typed stands for the question of the case, not for the request.
  const plain = [{ number: 1, text: wanted.question ?? found.question }]
  return pages.show(request, reply, 'sharing/review', {
    caseId: found.id,
    specialist: showSpecialist(pages.texts, view, exchange.clock()),
    patient: shownPatient(found.patient),
    questions: asked !== undefined && asked.questions.length > 0 ? asked.questions : plain,
    asked,
    wanted,
    records: chosen,
    bytes: chosen.reduce((sum, { bytes }) => sum + bytes, 0),
    life: lifeText(web, lifeHours),
    until: life.expiresAt,
    endsWith: life.endsWith,
    verifiedUntil: verifiedSooner(view, life.expiresAt),
    earlyEnds: earlyEnds(pages.texts, { hasConsent, transfer: grounds.transfer }),
    basis: transferText(grounds.transfer),
    hasConsent,
    override,
    carried: [...carried(form), { name: VERSION_SEEN, value: shareable.row.version }],
    attempt: uuidv7({ msecs: exchange.clock() })
  })
}

/** The end of a verification, should it come before that of the share. */
function verifiedSooner({ verification }: SpecialistView, expiresAt: number): string | undefined {
  const until = verification?.until
  return until !== undefined && Date.parse(until) < expiresAt ? until : undefined
}

/** The one act of all these steps. The link is told on the page after it, once. */
export async function confirmShare(web: Web, request: OfChoicePage, reply: FastifyReply) {
  const { exchange, pages } = web
  const caller = callerOf(request)
  const again: ShowAgain = (problems, refusal) =>
    showTerms(web, request, reply, { problems, refusal })
  pages.onRefusal(request, again, true)
  const { view } = await readChoice(exchange, caller, request.params)
  const form = formOf(request)
  const wanted = wantedOf(web, form, view)
  const seen = form.text(VERSION_SEEN)
  const { view: made } = await createShare(
    exchange,
    caller,
    request.params.case,
    wanted,
    undefined,
    seen === '' ? undefined : Number(seen)
  )
  const { id, link } = made
  return reply.header('set-cookie', onceCookie(id, link)).redirect(`/shares/${id}/link`, 303)
}
