import { type Static, Type } from 'typebox'
import { Id, idOf, Timestamp } from './common.ts'

// The request for a second opinion: what is asked, of what, by when, and who pays.

export const conditionGroups = [
  'cancer',
  'cardiac',
  'neurological',
  'musculoskeletal',
  'rare-disease',
  'general'
] as const
export type ConditionGroup = (typeof conditionGroups)[number]

export const coverages = ['consultation', 'tests', 'global-expert-review'] as const
export type Coverage = (typeof coverages)[number]

/** Bounds of a request. Texts are of people, for people: what is longer belongs in a letter. */
export const QUESTIONS_MAX = 20
/** Numbers are never given twice, so those of removed questions count too. */
export const QUESTION_NUMBER_MAX = 999
const LINE_CHARACTERS_MAX = 200
const QUESTION_CHARACTERS_MAX = 2000
const TEXT_CHARACTERS_MAX = 10_000

const line = (description: string) =>
  Type.String({ minLength: 1, maxLength: LINE_CHARACTERS_MAX, description })
const text = (description: string) =>
  Type.String({ minLength: 1, maxLength: TEXT_CHARACTERS_MAX, description })
const closed = { additionalProperties: false }

const Condition = Type.Object(
  {
    text: line('As the clinician calls it.'),
    snomed: Type.Optional(
      Type.String({ maxLength: 24, description: 'SNOMED CT concept id, with its check digit' })
    ),
    icd10: Type.Optional(Type.String({ maxLength: 10, description: 'ICD-10 code, such as C71.2' }))
  },
  closed
)

const Authorisation = Type.Object(
  {
    code: Type.String({ minLength: 1, maxLength: 64, description: 'As the insurer gave it.' }),
    from: Type.String({ format: 'date', description: 'The first day it holds.' }),
    until: Type.String({ format: 'date', description: 'The last day it holds.' }),
    covers: Type.Array(Type.Enum(coverages), { minItems: 1, maxItems: 3, uniqueItems: true })
  },
  closed
)

const Insurance = Type.Object(
  {
    insurer: line('Name of the insurer.'),
    policyReference: Type.Optional(line('Policy or membership number.')),
    authorisation: Type.Optional(Authorisation)
  },
  closed
)

const urgency = Type.Enum(['routine', 'soon', 'urgent'])
const dueDate = Type.String({
  format: 'date',
  description: 'The last day for the answer, in the time zone of your organisation.'
})

const fields = {
  condition: Type.Optional(Condition),
  diagnosis: Type.Optional(text('The current diagnosis.')),
  proposedTreatment: Type.Optional(text('What is planned now; say so if nothing is.')),
  reason: Type.Optional(text('Why another view is sought. The specialist does not see it.')),
  urgency: Type.Optional(urgency),
  dueDate: Type.Optional(dueDate),
  referringClinician: Type.Optional(
    Type.Object(
      { name: line('Who refers.'), organisation: Type.Optional(line('Where they work.')) },
      closed
    )
  ),
  referralLetter: Type.Optional(idOf('The record of this case that is the GP letter.')),
  funding: Type.Optional(
    Type.Enum(['insurer', 'nhs', 'self'], {
      description: 'Who pays. Without it an insurer is assumed, and missed.'
    })
  ),
  insurance: Type.Optional(Insurance)
}
const conditionGroup = Type.Enum(conditionGroups, {
  description: 'Decides the checklist of what a reviewer needs.'
})
const questionText = Type.String({ minLength: 1, maxLength: QUESTION_CHARACTERS_MAX })
const questionNumber = Type.Integer({
  minimum: 1,
  maximum: QUESTION_NUMBER_MAX,
  description: 'Stays with the question for good. Leave it out for a new one.'
})

/** A request as it is written, whole. A draft may leave out what is not known yet. */
export const RequestWrite = Type.Object(
  {
    conditionGroup,
    ...fields,
    questions: Type.Array(
      Type.Object({ number: Type.Optional(questionNumber), text: questionText }, closed),
      { maxItems: QUESTIONS_MAX }
    )
  },
  closed
)
export type RequestWrite = Static<typeof RequestWrite>

const Question = Type.Object({ number: questionNumber, text: questionText })
export type Question = Static<typeof Question>

/** Something to see to. It stops nothing. */
export const Warning = Type.Object({
  code: Type.String(),
  detail: Type.String({ description: 'What to do.' })
})
export type Warning = Static<typeof Warning>

export const RequestView = Type.Object(
  {
    case: Id,
    version: Type.Integer({ description: 'The same as in the ETag; 0 before it is written.' }),
    conditionGroup,
    checklistVersion: Type.Integer(),
    ...fields,
    questions: Type.Array(Question),
    changedAt: Type.Optional(Timestamp),
    changedBy: Type.Optional(Id),
    warnings: Type.Array(Warning)
  },
  { $id: 'Request' }
)
export type RequestView = Static<typeof RequestView>

/**
 * What a specialist is shown of a request: frozen in the share when it is made. Nothing of insurer,
 * policy or reason.
 */
export const SharedRequest = Type.Object(
  {
    version: Type.Integer({ description: 'Of the request, when it was shared.' }),
    conditionGroup,
    condition: fields.condition,
    diagnosis: fields.diagnosis,
    proposedTreatment: fields.proposedTreatment,
    urgency: fields.urgency,
    dueDate: fields.dueDate,
    dueAt: Type.Optional(Timestamp),
    questions: Type.Array(Question)
  },
  { $id: 'SharedRequest' }
)
export type SharedRequest = Static<typeof SharedRequest>
