import type { Agreement, Answer, Compared, OpinionSummary } from '../../schemas/opinion.ts'
import type { OpinionText } from './opinion.ts'

/** One submitted opinion, and what it was asked. */
export interface ToCompare {
  share: string
  /** Of the specialist: who gives two opinions does not differ with themselves by office. */
  account: string
  opinion: OpinionText
  /** Under which number each question is compared: that of the case itself stands apart, as 0. */
  questions: { key: number; number: number; text: string }[]
}

/**
 * Opinions side by side. Two differ where they agree otherwise with diagnosis or plan, or where their
 * answers to one question come to something else. Who cannot say contradicts nobody.
 */
export function compare(
  opinions: ToCompare[]
): Pick<OpinionSummary, 'diagnosis' | 'plan' | 'questions' | 'differs' | 'hint'> {
  const diagnosis = judged(opinions, ({ diagnosis }) => diagnosis?.agreement)
  const plan = judged(opinions, ({ plan }) => plan?.agreement)
  const questions = questionsOf(opinions)
  const differs = diagnosis.differs || plan.differs || questions.some(question => question.differs)
  const specialists = new Set(opinions.map(({ account }) => account)).size
  return {
    diagnosis,
    plan,
    questions,
    differs,
    ...(differs && specialists === 2 && { hint: HINT })
  }
}

const HINT =
  'The two specialists differ. A third opinion may be sought: share the case with another specialist.'

const isDifferent = (values: (string | undefined)[]): boolean =>
  new Set(values.filter(value => value !== undefined && value !== 'cannot-say')).size > 1

function judged(
  opinions: ToCompare[],
  of: (opinion: OpinionText) => Agreement | undefined
): Compared {
  const by = opinions.flatMap(({ share, opinion }) => {
    const agreement = of(opinion)
    return agreement === undefined ? [] : [{ share, agreement }]
  })
  return { differs: isDifferent(by.map(({ agreement }) => agreement)), by }
}

function questionsOf(opinions: ToCompare[]): OpinionSummary['questions'] {
  const asked = new Map<number, { number: number; text: string; answers: AnswerOf[] }>()
  for (const { share, opinion, questions } of opinions) {
    const answers = new Map(opinion.answers.map(answer => [answer.number, answer]))
    for (const { key, number, text } of questions) {
      const question = asked.get(key) ?? { number, text, answers: [] }
      asked.set(key, question)
      const answer = answers.get(number)
      if (answer !== undefined) question.answers.push(answerOf(share, answer))
    }
  }
  return [...asked]
    .sort(([a], [b]) => a - b)
    .map(([, { number, text, answers }]) => ({
      number,
      text,
      differs: isDifferent(answers.map(({ stance }) => stance)),
      answers
    }))
}

type AnswerOf = OpinionSummary['questions'][number]['answers'][number]

function answerOf(share: string, { stance, answer, declined }: Answer): AnswerOf {
  return {
    share,
    ...(stance !== undefined && { stance }),
    ...(answer !== undefined && { answer }),
    ...(declined !== undefined && { declined })
  }
}
