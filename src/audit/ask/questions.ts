import type { AuditEventView } from '../../../schemas/audit-event.ts'
import type { AuditSearch } from '../../../schemas/audit-query.ts'
import type { QuestionList } from '../../../schemas/audit-question.ts'
import type { Exchange } from '../../exchange.ts'
import type { Page } from '../../http/page.ts'
import type { Caller } from '../../identity/principal.ts'
import { answerQuestion, type EventFilter, filterOf } from './ask.ts'

interface Question {
  /** One sentence for who has to choose. */
  answers: string
  required: string[]
  optional: string[]
  /** What it asks for beside its parameters. */
  filter?: Partial<EventFilter>
}

const page = ['cursor', 'limit']
const period = ['from', 'to', ...page]

/** What an information-governance lead asks, by name. */
export const questions = {
  patient: {
    answers: 'Everything about one patient: who did what, and who asked about them.',
    required: ['patient'],
    optional: period
  },
  person: {
    answers: 'Everything one person did, or tried to do.',
    required: ['actor'],
    optional: period
  },
  'disclosures-abroad': {
    answers: 'Every time your data went to somebody who works outside the United Kingdom.',
    required: [],
    optional: period,
    filter: { rare: 'disclosed-abroad', ownDataOnly: true }
  },
  refused: {
    answers: 'Every attempt that was refused, and why.',
    required: [],
    optional: period,
    filter: { rare: 'refused' }
  },
  'live-shares': {
    answers: 'Every share that is live now, with whom, until when, and when it was last used.',
    required: [],
    optional: page
  },
  'log-readers': {
    answers: 'Everybody who read this log, or tried to, and what they asked.',
    required: [],
    optional: period,
    filter: { rare: 'log-read' }
  }
} as const satisfies Record<string, Question>

export type QuestionName = keyof typeof questions

export const QUESTIONS_PATH = '/v1/audit/questions'

/** What a saved question asks for beside its parameters. */
export function selectionOf(name: QuestionName | undefined): Partial<EventFilter> {
  const question: Question | undefined = name && questions[name]
  return question?.filter ?? {}
}

/** A patient is named in a body, never in a URL. */
const methodOf = (question: Question) => (question.required.includes('patient') ? 'POST' : 'GET')

/** What can be asked, for clients that offer a choice. */
export function listQuestions(): QuestionList {
  return {
    questions: Object.entries<Question>(questions).map(([name, question]) => ({
      name,
      answers: question.answers,
      method: methodOf(question),
      path: `${QUESTIONS_PATH}/${name}`,
      required: question.required,
      optional: question.optional
    }))
  }
}

/** One page of the answer, newest first. The asking is an event, with the name of the question. */
export function askQuestion(
  exchange: Exchange,
  caller: Caller,
  name: Exclude<QuestionName, 'live-shares'>,
  asked: Pick<AuditSearch, 'from' | 'to' | 'actor' | 'patient'> & Page
): Promise<{ events: AuditEventView[]; next?: string }> {
  return answerQuestion(
    exchange,
    caller,
    { ...filterOf(exchange, caller, asked), ...selectionOf(name) },
    asked,
    { question: name, ...asked }
  )
}
