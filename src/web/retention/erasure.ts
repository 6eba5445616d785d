import type { FastifyReply, FastifyRequest } from 'fastify'
import { caseOf } from '../../cases/case.ts'
import { Refusal } from '../../errors.ts'
import { callerOf } from '../../http/area.ts'
import { namesOf } from '../../identity/people.ts'
import { eraseOnRequest } from '../../retention/erase.ts'
import { readErasure, readRetention } from '../../retention/read.ts'
import { formOf } from '../form.ts'
import type { Model } from '../pages.ts'
import type { Web } from '../routes.ts'
import { isErased, reasonIn } from './retention.ts'

/** So many of the last characters of a case's id are typed before it is erased: those before them tell a time, and are alike. */
const TYPED_CHARACTERS = 6

const confirmationOf = (caseId: string): string => caseId.slice(-TYPED_CHARACTERS)

/** What an erasure would take and what it would leave, or what stands in its way. */
export async function erasurePage(
  web: Web,
  request: FastifyRequest<{ Params: { case: string } }>,
  reply: FastifyReply,
  more: Model = {}
) {
  const kept = await readRetention(web.exchange, callerOf(request), request.params.case)
  return web.pages.show(request, reply, 'retention/erasure', {
    kept,
    takes: kept.onRequest,
    holds: kept.holds.filter(({ liftedAt }) => liftedAt === undefined).length,
    isErased: isErased(kept),
    confirmation: confirmationOf(kept.case),
    typed: {},
    ...more
  })
}

/** Erases a case for good, and leads to the receipt. Pressed twice, the second is told it has gone. */
export async function eraseCase(
  web: Web,
  request: FastifyRequest<{ Params: { case: string } }>,
  reply: FastifyReply
) {
  const { exchange, pages } = web
  const { texts: t } = pages
  const caller = callerOf(request)
  const { id } = await caseOf(exchange.database.read, caller, request.params.case)
  const form = formOf(request)
  const typed = { reason: form.text('reason'), confirmation: form.text('confirmation') }
  const errors: Record<string, { text: string }> = {}
  pages.onRefusal(request, (problems, { code }) => {
    const named = Object.entries(errors).map(([name, { text }]) => ({ text, href: `#${name}` }))
    const isForm = code === 'request-invalid'
    return erasurePage(web, request, reply, { typed, errors, problems: isForm ? named : problems })
  })
  const reason = requireConfirmed()
  const erasure = await eraseOnRequest(exchange, caller, id, { reason })
  return reply.redirect(`/erasures/${erasure.id}`, 303)

  function requireConfirmed(): string {
    const isFit = typed.confirmation.toLowerCase() === confirmationOf(id)
    if (!isFit) errors.confirmation = { text: t('retention.confirmation-wrong') }
    if (typed.reason === '') errors.reason = { text: t('common.reason-missing') }
    if (isFit && typed.reason !== '') return reasonIn(web, request)
    throw new Refusal('request-invalid', 'erasure', {
      problems: Object.values(errors).map(({ text }) => text),
      about: { caseId: id }
    })
  }
}

/** What was erased, when, by whom, and the proof of it, which is made when it is asked for. */
export async function receiptPage(
  { exchange, pages }: Web,
  request: FastifyRequest<{ Params: { erasure: string } }>,
  reply: FastifyReply
) {
  const caller = callerOf(request)
  const { erasure, receipt } = await readErasure(exchange, caller, request.params.erasure)
  const { orderedBy } = erasure
  const ids = orderedBy === undefined ? [] : [orderedBy]
  const names = await namesOf(exchange.database.read, exchange.serviceKeys, ids)
  return pages.show(request, reply, 'retention/receipt', {
    erasure,
    receipt,
    by: orderedBy === undefined ? undefined : (names.get(orderedBy) ?? orderedBy),
    readsLog: caller.role === 'auditor'
  })
}
