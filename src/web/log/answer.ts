import type { FastifyReply, FastifyRequest } from 'fastify'
import { actionGroupNames } from '../../../schemas/action-groups.ts'
import { type AuditEventView, outcomes } from '../../../schemas/audit-event.ts'
import { selections } from '../../../schemas/audit-query.ts'
import { askLog } from '../../audit/ask/ask.ts'
import { peopleNamed } from '../../audit/ask/people-named.ts'
import { askQuestion } from '../../audit/ask/questions.ts'
import { kindsOfRecords } from '../../audit/ask/record-kinds.ts'
import { countryName } from '../../audit/report/wording.ts'
import { Refusal } from '../../errors.ts'
import { callerOf } from '../../http/area.ts'
import { homeOf } from '../../identity/accounts.ts'
import type { Caller } from '../../identity/principal.ts'
import { addressOf, formOf } from '../form.ts'
import type { Web } from '../routes.ts'
import type { Texts } from '../texts.ts'
import {
  type Asked,
  type FieldErrors,
  fields,
  inBodyOnly,
  periods,
  type Question,
  readQuestion
} from './question.ts'
import { sentenceOf } from './sentences.ts'

/** What the form of a question is made of, with what was asked before. */
export function formModel(t: Texts, question: Question, errors: FieldErrors = {}) {
  const optionsOf = (names: readonly string[], text: (name: string) => string, chosen: string) => [
    { value: '', text: t('log.any') },
    ...names.map(name => ({ value: name, text: text(name), selected: name === chosen }))
  ]
  const period = question.period === '' ? 'all' : question.period
  return {
    question,
    errors: Object.fromEntries(Object.entries(errors).map(([name, text]) => [name, { text }])),
    periods: periods.map(name => ({
      value: name,
      text: t(`log.period-${name}`),
      selected: name === period
    })),
    groups: optionsOf(actionGroupNames, name => t(`actions.group.${name}`), question.group),
    outcomes: optionsOf(outcomes, name => t(`actions.state.${name}`), question.outcome)
  }
}

export const emptyQuestion = (): Question =>
  Object.fromEntries(fields.map(name => [name, ''])) as Question

/** The question of a form; of an address, without what no address may hold. */
export function questionIn(request: FastifyRequest): Question {
  const isForm = request.method === 'POST'
  return Object.fromEntries(
    fields.map(name => {
      if (isForm) return [name, formOf(request).text(name)]
      return [name, inBodyOnly.includes(name) ? '' : addressOf(request).text(name)]
    })
  ) as Question
}

/**
 * Reads the question of a request and has it shown again should it be refused. A name that several
 * people have is answered with them to choose from, and undefined.
 */
export async function askedBy(
  { exchange, pages }: Web,
  request: FastifyRequest,
  reply: FastifyReply
): Promise<{ question: Question; asked: Asked } | undefined> {
  const { texts: t } = pages
  const caller = callerOf(request)
  const question = questionIn(request)
  const errors: FieldErrors = {}
  const again = (problems: { text: string }[], people: { id: string; name: string }[] = []) =>
    pages.show(request, reply, 'log/ask', { ...formModel(t, question, errors), problems, people })
  pages.onRefusal(request, (problems, { code }) => {
    if (code === 'nhs-number-invalid') errors['nhs-number'] = t('log.wrong-nhs-number')
    return again(linked(errors, problems))
  })
  const { timeZone } = await homeOf(exchange.database.read, caller.organisationId)
  const zone = { timeZone, now: exchange.clock() }
  const asked = readQuestion(question, zone, problem => t(`log.wrong-${problem}`), errors)
  if (question.person === '' || asked.actor !== undefined) return { question, asked }

  const people = await peopleNamed(exchange, caller, question.person)
  const [only] = people
  if (only === undefined) {
    errors.person = t('log.wrong-person')
    throw new Refusal('request-invalid', 'person', { problems: [errors.person] })
  }
  if (people.length === 1) {
    const named = { ...question, actor: only.id }
    return { question: named, asked: { ...asked, actor: only.id } }
  }
  await again([], people)
  return undefined
}

/** Answers with one page of what was asked, newest first. */
export async function answerPage(web: Web, request: FastifyRequest, reply: FastifyReply) {
  const found = await askedBy(web, request, reply)
  if (found === undefined) return reply
  const { exchange, pages } = web
  const { texts: t } = pages
  const caller = callerOf(request)
  const cursor =
    request.method === 'POST' ? formOf(request).text('cursor') : addressOf(request).text('cursor')
  const { events, next } = await answerTo(web, caller, found.asked, cursor)
  const kinds = await kindsOfRecords(exchange, events)
  const question = { ...found.question, person: found.question.actor ? '' : found.question.person }
  return pages.show(request, reply, 'log/answer', {
    ...formModel(t, found.question),
    lines: events.map(event => lineOf(t, event, kinds.get(event.record ?? ''))),
    hidden: Object.entries(question).filter(([, value]) => value !== ''),
    about: aboutOf(t, found, events),
    next,
    isFirst: cursor === ''
  })
}

/** A question in the form that the flows have for it. */
function answerTo({ exchange }: Web, caller: Caller, asked: Asked, cursor: string) {
  const page = cursor === '' ? {} : { cursor }
  const { question, ...search } = asked
  if (question === undefined) return askLog(exchange, caller, { ...search, ...page })
  return askQuestion(exchange, caller, question, { ...search, ...page })
}

function lineOf(t: Texts, event: AuditEventView, kind: string | undefined) {
  const { id, at, outcome, recipientCountry, details } = event
  const { address } = details
  return {
    id,
    at,
    sentence: sentenceOf(t, event, kind),
    outcome,
    where: typeof address === 'string' ? address : '',
    country: recipientCountry === undefined ? '' : countryName(recipientCountry)
  }
}

/** In words, what the answer is about. Of the patient it says only that there is one. */
function aboutOf(t: Texts, { question }: { question: Question }, events: AuditEventView[]) {
  const { period, from, to, group, outcome, country, actor } = question
  const isSaved = selections.some(name => name === question.question)
  const name = events.find(event => event.actor?.id === actor)?.actor?.name
  return [
    isSaved && t(`log.saved-${question.question}`),
    actor !== '' && t('log.about-person', { name: name ?? question.person ?? actor }),
    question['nhs-number'] !== '' && t('log.about-patient'),
    question.case !== '' && t('log.about-case'),
    question.record !== '' && t('log.about-record'),
    question.share !== '' && t('log.about-share'),
    group !== '' && t(`actions.group.${group}`),
    outcome !== '' && t('log.about-outcome', { outcome: t(`actions.state.${outcome}`) }),
    country !== '' && t('log.about-country', { country: countryName(country.toUpperCase()) }),
    from !== '' && t('log.about-from', { day: from }),
    to !== '' && t('log.about-to', { day: to }),
    from + to === '' && period !== '' && period !== 'all' && t(`log.period-${period}`)
  ].filter(text => text !== false)
}

/** The problems of fields lead to them; others stay as they are. */
export function linked(errors: FieldErrors, problems: { text: string }[]) {
  const found = Object.entries(errors)
  if (found.length === 0) return problems
  return found.map(([name, text]) => ({ text, href: `#${name}` }))
}
