import type { FastifyReply, FastifyRequest } from 'fastify'
import {
  type OwnQuestion,
  ownQuestions,
  removeQuestion,
  saveQuestion
} from '../../audit/ask/own-questions.ts'
import { Refusal } from '../../errors.ts'
import { callerOf } from '../../http/area.ts'
import { homeOf } from '../../identity/accounts.ts'
import { filled, formOf } from '../form.ts'
import type { Model } from '../pages.ts'
import type { Web } from '../routes.ts'
import { emptyQuestion, formModel, questionIn } from './answer.ts'
import { inBodyOnly, readQuestion } from './question.ts'

const NAME_CHARACTERS_MAX = 80

/** The form of a question, with those of the product and those that this person saved. */
export async function askPage(
  { exchange, pages }: Web,
  request: FastifyRequest,
  reply: FastifyReply,
  more: Model = {}
) {
  const own = await ownQuestions(exchange, callerOf(request))
  return pages.show(request, reply, 'log/ask', {
    ...formModel(pages.texts, emptyQuestion()),
    own: own.map(({ id, name, question }) => ({ id, name, href: addressFor(question) })),
    ...more
  })
}

/** All that is kept of a question may be in an address. */
const addressFor = (question: OwnQuestion['question']): string =>
  `/log/answer?${new URLSearchParams(question)}`

/** Keeps a question under a name. What names a patient is asked for anew each time, and never kept. */
export async function saveOwn(web: Web, request: FastifyRequest, reply: FastifyReply) {
  const { exchange, pages } = web
  const { texts: t } = pages
  const caller = callerOf(request)
  pages.onRefusal(request, problems => askPage(web, request, reply, { problems }))
  const question = questionIn(request)
  const name = formOf(request).text('name')
  const problems = [
    ...(name === '' || name.length > NAME_CHARACTERS_MAX ? [t('log.own-name-missing')] : []),
    ...(inBodyOnly.some(field => question[field] !== '') ? [t('log.own-patient')] : [])
  ]
  if (problems.length > 0) throw new Refusal('request-invalid', 'saved question', { problems })
  // Only what can be asked is kept.
  const { timeZone } = await homeOf(exchange.database.read, caller.organisationId)
  const zone = { timeZone, now: exchange.clock() }
  readQuestion(question, zone, problem => t(`log.wrong-${problem}`), {})
  await saveQuestion(exchange, caller, { name, question: filled(question) })
  return reply.redirect('/log', 303)
}

export async function removeOwn(
  web: Web,
  request: FastifyRequest<{ Params: { question: string } }>,
  reply: FastifyReply
) {
  await removeQuestion(web.exchange, callerOf(request), request.params.question)
  return reply.redirect('/log', 303)
}
