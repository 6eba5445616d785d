import type { FastifyRequest } from 'fastify'
import { Refusal } from '../errors.ts'

/** What a form sent. A field that is absent reads as empty. */
export interface Form {
  /** One line or several, without blanks around it; lines end as they do everywhere here. */
  text(name: string): string
  /** Every value of a field that may be there many times. */
  list(name: string): string[]
}

/** Reads a form as a browser sends it, and whatever else was sent in its place. */
export const formOf = ({ body }: Pick<FastifyRequest, 'body'>): Form => fieldsOf(body)

/** The same of an address. It holds ids and words of ours only: never what somebody typed. */
export const addressOf = ({ query }: Pick<FastifyRequest, 'query'>): Form => fieldsOf(query)

function fieldsOf(sent: unknown): Form {
  const fields = (typeof sent === 'object' && sent !== null ? sent : {}) as Record<string, unknown>
  const list = (name: string): string[] =>
    Object.hasOwn(fields, name)
      ? [fields[name]].flat().filter(value => typeof value === 'string')
      : []
  // Of several the last counts, as everywhere on the web; browsers end lines with CR LF.
  return { list, text: name => (list(name).at(-1) ?? '').replaceAll('\r\n', '\n').trim() }
}

/** Only what was filled in, so that flows find absent what was left empty. */
export function filled<T extends Record<string, string>>(fields: T): Partial<T> {
  return Object.fromEntries(
    Object.entries(fields).filter(([, value]) => value !== '')
  ) as Partial<T>
}

/** The day of a date input of three fields as YYYY-MM-DD; '' when nothing was typed. */
export function dayOf(form: Form, name: string): string {
  const parts = ['year', 'month', 'day'].map(part => form.text(`${name}-${part}`))
  if (parts.every(part => part === '')) return ''
  const [year = '', month = '', day = ''] = parts
  return `${year.padStart(4, '0')}-${month.padStart(2, '0')}-${day.padStart(2, '0')}`
}

/** Whether a day is one of the calendar: 2026-02-30 is none. */
export function isDay(day: string): boolean {
  if (!/^\d{4}-\d\d-\d\d$/.test(day)) return false
  const at = new Date(`${day}T00:00:00Z`)
  return !Number.isNaN(at.getTime()) && at.toISOString().startsWith(day)
}

/** Refuses a form with every sentence that says what is wrong with it, if there is one. */
export function requireNoProblem(problems: string[]): void {
  if (problems.length > 0) throw new Refusal('request-invalid', 'a form', { problems })
}

/** A whole number from 1 as it was typed, or undefined. */
export function wholeNumber(text: string, max: number): number | undefined {
  const value = Number(text)
  return /^\d{1,6}$/.test(text) && value >= 1 && value <= max ? value : undefined
}

/** Throws Refusal `request-invalid` for a text longer than the API takes. */
export function requireShort(name: string, text: string, charactersMax: number): void {
  if (text.length <= charactersMax) return
  const problems = [`${name} is longer than ${charactersMax.toLocaleString('en-GB')} characters.`]
  throw new Refusal('request-invalid', undefined, { problems })
}
