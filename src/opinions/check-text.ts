import type { Answer, OpinionWrite } from '../../schemas/opinion.ts'
import type { Question } from '../../schemas/request.ts'
import { plainText } from '../cases/check-request.ts'
import { Refusal } from '../errors.ts'
import type { OpinionText } from './opinion.ts'

/**
 * An opinion in its one spelling. Throws the Refusal of what is wrong: `text-invalid`,
 * `opinion-question-unknown`, `opinion-question-twice`, `opinion-answer-mixed`.
 */
export function checkText(wanted: OpinionWrite, questions: Question[]): OpinionText {
  const { diagnosis, plan, recommendations, furtherTests, limits, attachments } = wanted
  return {
    answers: checkAnswers(wanted.answers, questions),
    ...(diagnosis && { diagnosis: checkJudgement('diagnosis', diagnosis) }),
    ...(plan && { plan: checkJudgement('plan', plan) }),
    ...plain('recommendations', recommendations),
    ...plain('furtherTests', furtherTests),
    ...plain('limits', limits),
    ...(attachments && { attachments })
  }
}

function plain<Name extends string>(name: Name, text: string | undefined, shown: string = name) {
  if (text === undefined) return {}
  return { [name]: plainText(shown, text) } as Record<Name, string>
}

function checkJudgement(name: string, { agreement, comment }: NonNullable<OpinionText['plan']>) {
  return { agreement, ...plain('comment', comment, `${name}.comment`) }
}

function checkAnswers(wanted: Answer[], questions: Question[]): Answer[] {
  const known = new Set(questions.map(({ number }) => number))
  const seen = new Set<number>()
  const answers = wanted.map(({ number, stance, answer, declined }) => {
    const problems = [`question ${number}`]
    if (!known.has(number)) throw new Refusal('opinion-question-unknown', undefined, { problems })
    if (seen.has(number)) throw new Refusal('opinion-question-twice', undefined, { problems })
    seen.add(number)
    if (declined !== undefined && (answer !== undefined || stance !== undefined)) {
      throw new Refusal('opinion-answer-mixed', undefined, { problems })
    }
    return {
      number,
      ...(stance !== undefined && { stance }),
      ...plain('answer', answer, `answer to question ${number}`),
      ...plain('declined', declined, `reason for declining question ${number}`)
    }
  })
  return answers.sort((a, b) => a.number - b.number)
}

/**
 * What an opinion lacks to be submitted, one sentence each: every question is answered in words or
 * declined with a reason, and diagnosis and plan are judged, if only as something that cannot be said.
 */
export function missingOf(text: OpinionText | undefined, questions: Question[]): string[] {
  const answers = new Map(text?.answers.map(answer => [answer.number, answer]))
  const missing = questions
    .filter(({ number }) => {
      const given = answers.get(number)
      return given?.answer === undefined && given?.declined === undefined
    })
    .map(({ number }) => `question ${number} is neither answered nor declined`)
  // A draft that went on under another share may answer what is not asked there.
  const asked = new Set(questions.map(({ number }) => number))
  const unasked = [...answers.keys()].filter(number => !asked.has(number))
  missing.push(...unasked.map(number => `question ${number} is not asked by this share`))
  if (text?.diagnosis === undefined) missing.push('agreement with the diagnosis is missing')
  if (text?.plan === undefined) missing.push('agreement with the plan is missing')
  return missing
}
