import {
  type Agreement,
  type Answer,
  agreements,
  type Judgement,
  type OpinionView,
  type OpinionWrite,
  type Stance,
  stances
} from '../../../schemas/opinion.ts'
import { formOf, requireNoProblem, requireShort } from '../form.ts'
import type { Texts } from '../texts.ts'

const TEXT_CHARACTERS_MAX = 10_000

/** An opinion as it stands in its form: what was typed, by the names of the fields. */
export interface Typed {
  version: string
  values: Record<string, string>
  attachments: string[]
}

type Questions = OpinionView['questions']

/** Fields beside those of each question. */
const SINGLE = [
  'diagnosis',
  'diagnosis-comment',
  'plan',
  'plan-comment',
  'recommendations',
  'further-tests',
  'limits'
]
const OF_QUESTION = ['stance', 'answer', 'declined']

const namesOf = (questions: Questions): string[] => [
  ...questions.flatMap(({ number }) => OF_QUESTION.map(name => `${name}-${number}`)),
  ...SINGLE
]

/** What somebody sent. */
export function typedIn(body: unknown, questions: Questions): Typed {
  const values = namesOf(questions).map(name => [name, formOf({ body }).text(name)] as const)
  return {
    version: formOf({ body }).text('version'),
    values: Object.fromEntries(values),
    attachments: formOf({ body }).list('attachments')
  }
}

/** What is stored, as if it had been typed. */
export function typedBefore(view: OpinionView): Typed {
  const values: Record<string, string> = {
    diagnosis: view.diagnosis?.agreement ?? '',
    'diagnosis-comment': view.diagnosis?.comment ?? '',
    plan: view.plan?.agreement ?? '',
    'plan-comment': view.plan?.comment ?? '',
    recommendations: view.recommendations ?? '',
    'further-tests': view.furtherTests ?? '',
    limits: view.limits ?? ''
  }
  for (const { number, stance = '', answer = '', declined = '' } of view.answers) {
    Object.assign(values, {
      [`stance-${number}`]: stance,
      [`answer-${number}`]: answer,
      [`declined-${number}`]: declined
    })
  }
  return { version: String(view.version), values, attachments: view.attachments ?? [] }
}

/** Throws Refusal `request-invalid` for a text that is too long, called as the form calls it. */
export function requireShortTexts({ values }: Typed, t: Texts): void {
  for (const [name, text] of Object.entries(values)) {
    requireShort(labelOf(name, t), text, TEXT_CHARACTERS_MAX)
  }
}

/**
 * Throws Refusal `request-invalid` for words about the diagnosis or the plan that stand without a
 * judgement: there would be no place to keep them, and nobody is told that they are saved.
 */
export function requireJudged({ values }: Typed, t: Texts): void {
  const alone = Object.keys(values).filter(
    name => isJudged(name) && values[`${name}-comment`] && !isAgreement(values[name])
  )
  requireNoProblem(
    alone.map(name => {
      const label = labelOf(`${name}-comment`, t)
      return t('reviews.comment-alone', { question: labelOf(name, t), label })
    })
  )
}

const isAgreement = (text: string | undefined): boolean => agreements.some(each => each === text)

/** The opinion that was typed; what was left empty is left out. */
export function opinionTyped({ values, attachments }: Typed, questions: Questions): OpinionWrite {
  const text = (name: string) => {
    const value = values[name] ?? ''
    return value === '' ? undefined : value
  }
  const given = <Name extends string>(name: Name, value: string | undefined) =>
    (value === undefined ? {} : { [name]: value }) as { [name in Name]?: string }
  const judged = (name: 'diagnosis' | 'plan'): Judgement | undefined => {
    const agreement = agreements.find((each): each is Agreement => each === values[name])
    if (agreement === undefined) return undefined
    return { agreement, ...given('comment', text(`${name}-comment`)) }
  }
  const answers = questions.flatMap(({ number }): Answer[] => {
    const stance = stances.find((each): each is Stance => each === values[`stance-${number}`])
    const answer = text(`answer-${number}`)
    const declined = text(`declined-${number}`)
    if (stance === undefined && answer === undefined && declined === undefined) return []
    return [
      {
        number,
        ...(stance !== undefined && { stance }),
        ...given('answer', answer),
        ...given('declined', declined)
      }
    ]
  })
  const diagnosis = judged('diagnosis')
  const plan = judged('plan')
  return {
    answers,
    ...(diagnosis && { diagnosis }),
    ...(plan && { plan }),
    ...given('recommendations', text('recommendations')),
    ...given('furtherTests', text('further-tests')),
    ...given('limits', text('limits')),
    ...(attachments.length > 0 && { attachments })
  }
}

/** What is stored and differs from what was typed: nothing of either is lost in a conflict. */
export function differences(typed: Typed, stored: Typed): { name: string; text: string }[] {
  return Object.entries(stored.values)
    .filter(([name, text]) => text !== '' && text !== (typed.values[name] ?? ''))
    .map(([name, text]) => ({ name, text }))
}

/** Fields and what is in them, in the words that the form has for them. */
export function inWords(
  fields: { name: string; text: string }[],
  t: Texts
): { name: string; text: string }[] {
  return fields.map(({ name, text }) => {
    const isStance = name.startsWith('stance-')
    const choices: readonly string[] = isStance ? stances : isJudged(name) ? agreements : []
    const kind = isStance ? 'stance' : 'agreement'
    return {
      name: labelOf(name, t),
      text: choices.includes(text) ? t(`reviews.${kind}-${text}`) : text
    }
  })
}

const isJudged = (name: string): boolean => name === 'diagnosis' || name === 'plan'

/** What the form calls a field; the name of what is no field of it. */
function labelOf(name: string, t: Texts): string {
  const [, field = name, number = ''] = /^([a-z]+)-(\d+)$/.exec(name) ?? []
  if (![...SINGLE, ...OF_QUESTION].includes(field)) return name
  return t(`reviews.${isJudged(field) ? 'agree-' : ''}${field}`, { number })
}
