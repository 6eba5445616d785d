import type { Question, RequestWrite } from '../../schemas/request.ts'
import { QUESTION_NUMBER_MAX } from '../../schemas/request.ts'
import { daysBetween } from '../calendar.ts'
import { Refusal } from '../errors.ts'
import { normalIcd10, normalSnomed } from './codes.ts'
import type { RequestDetails } from './request.ts'

/** Two years: what is due later is a mistyped year. */
const DUE_DAYS_MAX = 731
const AUTHORISATION_CODE = /^[\p{L}\p{N}]([\p{L}\p{N} ./_-]*[\p{L}\p{N}])?$/u
/** But for line breaks and tabs, which people type. */
const CONTROL_CHARACTER = /[^\P{Cc}\n\r\t]|\p{Zl}|\p{Zp}|[\u202a-\u202e\u2066-\u2069]/u

/** What was written before, and what a question's number may still be. */
export interface Before {
  details: RequestDetails | undefined
  questionsShared: number
}

/**
 * The request in its one spelling, every question with its number. Throws the Refusal of the first
 * field that is wrong. `today` is the date where the organisation is.
 */
export function checkRequest(
  wanted: RequestWrite,
  before: Before,
  today: string
): Omit<RequestDetails, 'checklist'> {
  const { condition, diagnosis, proposedTreatment, reason, referringClinician, insurance } = wanted
  checkDueDate(wanted.dueDate, before.details?.dueDate, today)
  const { questions, lastNumber } = numbered(wanted.questions, before)
  return {
    ...wanted,
    ...(condition && { condition: checkCondition(condition) }),
    ...(diagnosis !== undefined && { diagnosis: plainText('diagnosis', diagnosis) }),
    ...(proposedTreatment !== undefined && {
      proposedTreatment: plainText('proposedTreatment', proposedTreatment)
    }),
    ...(reason !== undefined && { reason: plainText('reason', reason) }),
    ...(referringClinician && {
      referringClinician: plainLines('referringClinician', referringClinician)
    }),
    ...(insurance && { insurance: checkInsurance(insurance) }),
    questions,
    lastNumber
  }
}

/** Throws Refusal `text-invalid` for what shows as nothing, or as something else than it is. */
export function plainText(field: string, text: string): string {
  const value = text.trim().normalize('NFC')
  if (value === '' || !value.isWellFormed() || CONTROL_CHARACTER.test(value)) {
    throw new Refusal('text-invalid', undefined, {
      problems: [`${field} is empty or holds control characters`]
    })
  }
  return value
}

function plainLines<T extends Record<string, string | undefined>>(field: string, lines: T): T {
  const entries = Object.entries(lines).map(([name, line]) => [
    name,
    plainText(`${field}.${name}`, line ?? '')
  ])
  return Object.fromEntries(entries) as T
}

function checkCondition({ text, snomed, icd10 }: NonNullable<RequestWrite['condition']>) {
  return {
    text: plainText('condition.text', text),
    ...(snomed !== undefined && { snomed: normalSnomed(snomed) }),
    ...(icd10 !== undefined && { icd10: normalIcd10(icd10) })
  }
}

function checkInsurance({ authorisation, ...lines }: NonNullable<RequestWrite['insurance']>) {
  const insurance = plainLines('insurance', lines)
  if (authorisation === undefined) return insurance
  const code = authorisation.code.trim().normalize('NFC')
  if (!AUTHORISATION_CODE.test(code)) throw new Refusal('authorisation-code-invalid')
  if (authorisation.until < authorisation.from) throw new Refusal('authorisation-dates-invalid')
  return { ...insurance, authorisation: { ...authorisation, code } }
}

/** A day that was set before may pass while other fields are corrected. */
function checkDueDate(dueDate: string | undefined, before: string | undefined, today: string) {
  if (dueDate === undefined || dueDate === before) return
  if (dueDate < today) throw new Refusal('due-date-past')
  if (daysBetween(today, dueDate) > DUE_DAYS_MAX) throw new Refusal('due-date-far')
}

/**
 * Numbers are given once and stay: an opinion answers by number, and specialists are compared by it.
 * A question that was put to a specialist can be neither changed nor taken back.
 */
function numbered(
  wanted: RequestWrite['questions'],
  { details, questionsShared }: Before
): { questions: Question[]; lastNumber: number } {
  const known = new Map(details?.questions.map(({ number, text }) => [number, text]))
  const given = wanted.flatMap(({ number }) => number ?? [])
  if (new Set(given).size !== given.length) throw new Refusal('question-number-twice')
  if (given.some(number => !known.has(number))) throw new Refusal('question-number-unknown')

  let lastNumber = details?.lastNumber ?? 0
  const questions = wanted.map(({ number, text }, place) => ({
    number: number ?? ++lastNumber,
    text: plainText(`questions[${place}].text`, text)
  }))
  if (lastNumber > QUESTION_NUMBER_MAX) throw new Refusal('question-numbers-spent')
  questions.sort((a, b) => a.number - b.number)

  const now = new Map(questions.map(({ number, text }) => [number, text]))
  for (const [number, text] of known) {
    if (number > questionsShared || now.get(number) === text) continue
    throw new Refusal('question-shared', undefined, { problems: [`question ${number}`] })
  }
  return { questions, lastNumber }
}
