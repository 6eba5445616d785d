import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { AuditPage } from '../../../schemas/audit-query.ts'
import {
  LiveSharePage,
  PatientQuestion,
  PeriodQuestion,
  PersonQuestion,
  PresentQuestion,
  QuestionList
} from '../../../schemas/audit-question.ts'
import type { Exchange } from '../../exchange.ts'
import { callerOf, type Guarded, open } from '../../http/area.ts'
import { askForLiveShares } from './live-shares.ts'
import {
  askQuestion,
  listQuestions,
  QUESTIONS_PATH,
  type QuestionName,
  questions
} from './questions.ts'

/** The questions of which the period is the only parameter. */
const ofPeriods = ['disclosures-abroad', 'refused', 'log-readers'] as const

export function questionRoutes(exchange: Exchange, guarded: Guarded): FastifyPluginAsyncTypebox {
  const rule = guarded('audit.query', 'auditor')
  const pathOf = (name: QuestionName) => `${QUESTIONS_PATH}/${name}`
  const about = (name: QuestionName) => ({ tags: ['audit'], summary: questions[name].answers })

  return async app => {
    app.get(
      QUESTIONS_PATH,
      {
        ...open,
        schema: {
          tags: ['audit'],
          summary: 'The questions that have an address of their own, for anybody',
          response: { 200: QuestionList }
        }
      },
      async () => listQuestions()
    )
    app.post(
      pathOf('patient'),
      {
        ...rule,
        schema: { ...about('patient'), body: PatientQuestion, response: { 200: AuditPage } }
      },
      request => askQuestion(exchange, callerOf(request), 'patient', request.body)
    )
    app.get(
      pathOf('person'),
      {
        ...rule,
        schema: { ...about('person'), querystring: PersonQuestion, response: { 200: AuditPage } }
      },
      request => askQuestion(exchange, callerOf(request), 'person', request.query)
    )
    for (const name of ofPeriods) {
      app.get(
        pathOf(name),
        {
          ...rule,
          schema: { ...about(name), querystring: PeriodQuestion, response: { 200: AuditPage } }
        },
        request => askQuestion(exchange, callerOf(request), name, request.query)
      )
    }
    app.get(
      pathOf('live-shares'),
      {
        ...rule,
        schema: {
          ...about('live-shares'),
          querystring: PresentQuestion,
          response: { 200: LiveSharePage }
        }
      },
      request => askForLiveShares(exchange, callerOf(request), request.query)
    )
  }
}
