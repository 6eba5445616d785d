import { type ActionGroup, actionGroupNames } from '../../../schemas/action-groups.ts'
import { type Outcome, outcomes } from '../../../schemas/audit-event.ts'
import { type AuditSearch, selections } from '../../../schemas/audit-query.ts'
import { NHS_NUMBER_SYSTEM } from '../../../schemas/case.ts'
import { timestamp } from '../../../schemas/common.ts'
import { countries } from '../../../schemas/countries.ts'
import { dayEnds, dayIn } from '../../calendar.ts'
import { Refusal } from '../../errors.ts'
import { isId } from '../../http/page.ts'

export const periods = ['all', 'today', 'week', 'month'] as const
const DAYS = { today: 1, week: 7, month: 30 } as const
const DAY_MILLISECONDS = 86_400_000

/** Everything the form asks for, by the name of its field; what is not asked for is ''. */
export const fields = [
  'period',
  'from',
  'to',
  'person',
  'actor',
  'nhs-number',
  'case',
  'record',
  'share',
  'group',
  'outcome',
  'country',
  'question'
] as const
export type Field = (typeof fields)[number]
export type Question = Record<Field, string>

/** What may not be in an address: a name or a number of somebody. */
export const inBodyOnly: readonly Field[] = ['person', 'nhs-number']

export type FieldErrors = Partial<Record<Field, string>>

/** Names of problems, as the texts of this area have them. */
type Problem = 'id' | 'date' | 'dates' | 'country' | 'choice'

/** What a question amounts to for the flow. */
export type Asked = Omit<AuditSearch, 'cursor' | 'limit'> & {
  question?: (typeof selections)[number]
}

/**
 * Reads a question, whose days are those of this time zone. Throws Refusal `request-invalid` with every
 * problem; `errors` then has them by field.
 */
export function readQuestion(
  question: Question,
  zone: { timeZone: string; now: number },
  tell: (problem: Problem) => string,
  errors: FieldErrors
): Asked {
  const wrong = (field: Field, problem: Problem) => {
    errors[field] ??= tell(problem)
    return undefined
  }
  const id = (field: Field) => {
    const text = question[field].toLowerCase()
    if (text === '') return undefined
    return isId(text) ? text : wrong(field, 'id')
  }
  const choice = <T extends string>(field: Field, from: readonly T[]): T | undefined => {
    if (question[field] === '') return undefined
    return from.find(name => name === question[field]) ?? wrong(field, 'choice')
  }
  const nhsNumber = question['nhs-number']
  const country = question.country.toUpperCase()
  const asked = {
    ...periodOf(question, zone, wrong),
    actor: id('actor'),
    case: id('case'),
    record: id('record'),
    share: id('share'),
    group: choice<ActionGroup>('group', actionGroupNames),
    outcome: choice<Outcome>('outcome', outcomes),
    question: choice('question', selections),
    country: country === '' || countries.has(country) ? country : wrong('country', 'country'),
    patient: nhsNumber === '' ? undefined : { system: NHS_NUMBER_SYSTEM, value: nhsNumber }
  }
  const problems = Object.values(errors)
  if (problems.length > 0) throw new Refusal('request-invalid', 'question', { problems })
  return Object.fromEntries(
    Object.entries(asked).filter(([, value]) => value !== undefined && value !== '')
  ) as Asked
}

type Wrong = (field: Field, problem: Problem) => undefined

/** Whole days, so that all pages of an answer, and its export, are about the same time. */
function periodOf(
  { period, from, to }: Question,
  { timeZone, now }: { timeZone: string; now: number },
  wrong: Wrong
): { from?: string | undefined; to?: string | undefined } {
  const isOwn = from !== '' || to !== ''
  if (isOwn) return ownDays(from, to, timeZone, wrong)
  if (period === 'today' || period === 'week' || period === 'month') {
    // By the calendar: a day on which the clocks change is no 24 hours long.
    return { from: dayBegins(timeZone, daysBefore(dayIn(timeZone, now), DAYS[period] - 1)) }
  }
  return {}
}

function ownDays(from: string, to: string, timeZone: string, wrong: Wrong) {
  const [first, last] = [readDate(from), readDate(to)]
  if (from !== '' && first === undefined) wrong('from', 'date')
  if (to !== '' && last === undefined) wrong('to', 'date')
  if (first !== undefined && last !== undefined && first > last) wrong('to', 'dates')
  return {
    from: first && dayBegins(timeZone, first),
    to: last && timestamp(dayEnds(timeZone, last))
  }
}

/** The first moment of a day is the end of the day before. */
function dayBegins(timeZone: string, date: string): string {
  return timestamp(dayEnds(timeZone, daysBefore(date, 1)))
}

const daysBefore = (date: string, days: number): string =>
  new Date(Date.parse(date) - days * DAY_MILLISECONDS).toISOString().slice(0, 10)

/** As browsers send a date, or as people in the United Kingdom write one: 3/5/2026. */
export function readDate(text: string): string | undefined {
  const [, day, month, year] = /^(\d{1,2})[/. ](\d{1,2})[/. ](\d{4})$/.exec(text) ?? []
  const iso =
    day === undefined ? text : `${year}-${month?.padStart(2, '0')}-${day.padStart(2, '0')}`
  if (!/^(19|20)\d\d-\d\d-\d\d$/.test(iso)) return undefined
  const at = new Date(`${iso}T00:00:00Z`)
  return Number.isNaN(at.getTime()) || at.toISOString().slice(0, 10) !== iso ? undefined : iso
}
