import { QUESTIONS_MAX, type RequestView, type RequestWrite } from '../../../schemas/request.ts'
import type { Form } from '../form.ts'
import { dateOf, dateToType, given, type TypedDate, typedDate } from './form.ts'

/** Fields of one line or text, by their place in the request. */
export const textFields = [
  'conditionGroup',
  'condition-text',
  'condition-snomed',
  'condition-icd10',
  'diagnosis',
  'proposedTreatment',
  'reason',
  'urgency',
  'referringClinician-name',
  'referringClinician-organisation',
  'referralLetter',
  'funding',
  'insurance-insurer',
  'insurance-policyReference',
  'insurance-authorisation-code'
] as const
type TextField = (typeof textFields)[number]

const dateFields = [
  'dueDate',
  'insurance-authorisation-from',
  'insurance-authorisation-until'
] as const
type DateField = (typeof dateFields)[number]

/** A request as it stands in its form, whether that makes sense or not. */
export interface TypedRequest {
  /** Which version it changes. */
  version: string
  texts: Record<TextField, string>
  dates: Record<DateField, TypedDate>
  covers: string[]
  questions: { number: string; text: string }[]
}

/**
 * Reads the form. A new question without a word in it is none; nor is the one at the place `removed`,
 * which is counted among all that the form has.
 */
export function typedRequest(form: Form, removed?: number): TypedRequest {
  const questions = Array.from({ length: QUESTIONS_MAX + 1 }, (_, n) => ({
    number: form.text(`questions-${n}-number`),
    text: form.text(`questions-${n}-text`)
  }))
  return {
    version: form.text('version'),
    texts: each(textFields, name => form.text(name)),
    dates: each(dateFields, name => typedDate(form, name)),
    covers: form.list('insurance-authorisation-covers'),
    questions: questions.filter(
      ({ number, text }, place) => place !== removed && (number !== '' || text !== '')
    )
  }
}

/** A stored request as its form is filled in with. */
export function requestToType(view: RequestView): TypedRequest {
  const { condition, referringClinician, insurance } = view
  const authorisation = insurance?.authorisation
  return {
    version: String(view.version),
    texts: {
      conditionGroup: view.conditionGroup,
      'condition-text': condition?.text ?? '',
      'condition-snomed': condition?.snomed ?? '',
      'condition-icd10': condition?.icd10 ?? '',
      diagnosis: view.diagnosis ?? '',
      proposedTreatment: view.proposedTreatment ?? '',
      reason: view.reason ?? '',
      urgency: view.urgency ?? '',
      'referringClinician-name': referringClinician?.name ?? '',
      'referringClinician-organisation': referringClinician?.organisation ?? '',
      referralLetter: view.referralLetter ?? '',
      funding: view.funding ?? '',
      'insurance-insurer': insurance?.insurer ?? '',
      'insurance-policyReference': insurance?.policyReference ?? '',
      'insurance-authorisation-code': authorisation?.code ?? ''
    },
    dates: {
      dueDate: dateToType(view.dueDate),
      'insurance-authorisation-from': dateToType(authorisation?.from),
      'insurance-authorisation-until': dateToType(authorisation?.until)
    },
    covers: authorisation?.covers ?? [],
    // Before it is written the question of the case stands there, and has no number of its own yet.
    questions: view.questions.map(({ number, text }) => ({
      number: view.version === 0 ? '' : String(number),
      text
    }))
  }
}

/** What is typed in the shape of the API; whether it fits is for the schema to say. */
export function requestToWrite({ texts, dates, covers, questions }: TypedRequest): RequestWrite {
  const text = (name: TextField) => texts[name]
  const wanted = {
    conditionGroup: text('conditionGroup'),
    ...given(
      'condition',
      group('text', {
        text: text('condition-text'),
        snomed: text('condition-snomed'),
        icd10: text('condition-icd10')
      })
    ),
    ...given('diagnosis', text('diagnosis')),
    ...given('proposedTreatment', text('proposedTreatment')),
    ...given('reason', text('reason')),
    ...given('urgency', text('urgency')),
    ...given('dueDate', dateOf(dates.dueDate)),
    ...given(
      'referringClinician',
      group('name', {
        name: text('referringClinician-name'),
        organisation: text('referringClinician-organisation')
      })
    ),
    ...given('referralLetter', text('referralLetter')),
    ...given('funding', text('funding')),
    ...given('insurance', insuranceOf(texts, dates, covers)),
    questions: questions.map(({ number, text }) => ({
      ...(number !== '' && { number: Number(number) }),
      text
    }))
  }
  return wanted as RequestWrite
}

function insuranceOf(
  texts: TypedRequest['texts'],
  dates: TypedRequest['dates'],
  covers: string[]
): object | undefined {
  const code = texts['insurance-authorisation-code']
  const from = dateOf(dates['insurance-authorisation-from'])
  const until = dateOf(dates['insurance-authorisation-until'])
  const isAuthorised = code + from + until !== '' || covers.length > 0
  const lines = group('insurer', {
    insurer: texts['insurance-insurer'],
    policyReference: texts['insurance-policyReference']
  })
  if (!isAuthorised) return lines
  const { insurer = '', ...rest } = lines ?? {}
  return { insurer, ...rest, authorisation: { code, from, until, covers } }
}

/** Fields that go together, the first of which must be there when any is. */
function group(first: string, lines: Record<string, string>): Record<string, string> | undefined {
  const filled = Object.entries(lines).filter(([name, value]) => value !== '' || name === first)
  return filled.some(([, value]) => value !== '') ? Object.fromEntries(filled) : undefined
}

function each<Name extends string, T>(
  names: readonly Name[],
  read: (name: Name) => T
): Record<Name, T> {
  return Object.fromEntries(names.map(name => [name, read(name)])) as Record<Name, T>
}
