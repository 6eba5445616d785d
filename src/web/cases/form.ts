import type { TSchema } from 'typebox'
import { Value } from 'typebox/value'
import { Refusal, type RefusalCode } from '../../errors.ts'
import type { Form } from '../form.ts'
import type { Texts } from '../texts.ts'

/** What is wrong with one field, in words for whoever fills it in. */
export interface FieldProblem {
  field: string
  text: string
}

/** What a template is given of what is wrong: at the head of the page, and beside each field. */
export interface ToldProblems {
  problems: { text: string; href?: string }[]
  errors: Record<string, { text: string }>
}

/** The three fields of a date, as they were typed. */
export interface TypedDate {
  day: string
  month: string
  year: string
}

export function typedDate(form: Form, name: string): TypedDate {
  const part = (of: string) => form.text(`${name}-${of}`)
  return { day: part('day'), month: part('month'), year: part('year') }
}

/** The date as the API has it; what is no date stays one that no schema lets pass. '' when nothing was typed. */
export function dateOf({ day, month, year }: TypedDate): string {
  if (day + month + year === '') return ''
  return `${year}-${month.padStart(2, '0')}-${day.padStart(2, '0')}`
}

/** A stored date as the three fields of a form. */
export function dateToType(date = ''): TypedDate {
  const [year = '', month = '', day = ''] = date.split('-')
  return { day: day.replace(/^0/, ''), month: month.replace(/^0/, ''), year }
}

/** The value under this name unless it is empty: what is not filled in is not sent. */
export function given<Name extends string, T extends string | object>(
  name: Name,
  value: T | undefined
): { [Key in Name]?: T } {
  return (value === undefined || value === '' ? {} : { [name]: value }) as { [Key in Name]?: T }
}

/**
 * What of a form does not fit the shape that the API asks for, one problem for each field. A field is
 * called by its place in the shape: `patient-name`, `questions-0-text`; its label is the text
 * `cases.label-…`, with numbers left out, unless `labels` has another key of a text for it.
 */
export function problemsOf(
  schema: TSchema,
  value: unknown,
  t: Texts,
  labels: Record<string, string> = {}
): FieldProblem[] {
  const found = new Map<string, FieldProblem>()
  for (const { keyword, instancePath, params } of Value.Errors(schema, value)) {
    const name = instancePath.slice(1).replaceAll('/', '-')
    if (name === '' || found.has(name)) continue
    const label = t(labels[name] ?? `cases.label-${name.replaceAll(/-\d+/g, '')}`)
    const limit = Number((params as { limit?: number }).limit ?? 0)
    const text = sentences[keyword] ?? 'cases.problem-choose'
    found.set(name, { field: name, text: t(text, { label: label.toLowerCase(), limit }) })
  }
  return [...found.values()]
}

const sentences: Record<string, string> = {
  minLength: 'cases.problem-empty',
  maxLength: 'cases.problem-long',
  format: 'cases.problem-date',
  pattern: 'cases.problem-empty'
}

/** Refuses a form with these problems, if there are any. The sentences name no value that was typed. */
export function requireNone(problems: FieldProblem[]): void {
  if (problems.length === 0) return
  throw new Refusal('request-invalid', 'a form', { problems: problems.map(({ text }) => text) })
}

/** Which field a refusal is about, and the text that says it to people rather than to programs. */
export type RefusalsOfForm = Partial<Record<RefusalCode, { field?: string; text?: string }>>

/** Puts what is wrong where it can be put right: each problem leads to its field, and is said beside it. */
export function tell(
  told: { text: string }[],
  refusal: Refusal,
  found: FieldProblem[],
  known: RefusalsOfForm,
  t: Texts
): ToldProblems {
  const about = known[refusal.code]
  const said = about?.text === undefined ? told : [{ text: t(about.text) }]
  const problems: (Partial<FieldProblem> & { text: string })[] =
    found.length > 0 ? found : said.map(one => ({ ...one, ...given('field', about?.field) }))
  const errors: ToldProblems['errors'] = {}
  for (const { field: name, text } of problems) if (name !== undefined) errors[name] ??= { text }
  return {
    problems: problems.map(({ field: name, text }) => ({
      text,
      ...(name && { href: `#${name}` })
    })),
    errors
  }
}
