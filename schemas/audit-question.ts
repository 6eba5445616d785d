import { type Static, Type } from 'typebox'
import { PatientIdentifier } from './case.ts'
import { Id, Next, PageBody, PageQuery, Timestamp } from './common.ts'

/** From (inclusive) and to (exclusive). */
const period = { from: Type.Optional(Timestamp), to: Type.Optional(Timestamp) }

export const PatientQuestion = Type.Object(
  { patient: PatientIdentifier, ...period, ...PageBody },
  { additionalProperties: false }
)
export const PersonQuestion = Type.Object(
  { actor: Id, ...period, ...PageQuery },
  { additionalProperties: false }
)
export const PeriodQuestion = Type.Object(
  { ...period, ...PageQuery },
  { additionalProperties: false }
)
export const PresentQuestion = Type.Object(PageQuery, { additionalProperties: false })

/** A share that can be opened or read now. Times are those of its latest events. */
export const LiveShare = Type.Object(
  {
    id: Id,
    case: Id,
    specialist: Type.Object({ id: Id, name: Type.Optional(Type.String()) }),
    country: Type.String({ description: 'Where the specialist works, ISO 3166-1' }),
    createdAt: Timestamp,
    expiresAt: Timestamp,
    openings: Type.Integer(),
    openingsMax: Type.Optional(Type.Integer()),
    lastOpened: Type.Optional(Timestamp),
    lastDownload: Type.Optional(
      Type.String({ format: 'date-time', description: 'When content was last granted' })
    )
  },
  { $id: 'LiveShare' }
)
export type LiveShare = Static<typeof LiveShare>
export const LiveSharePage = Type.Object({ shares: Type.Array(LiveShare), next: Next })

export const QuestionList = Type.Object({
  questions: Type.Array(
    Type.Object({
      name: Type.String(),
      answers: Type.String(),
      method: Type.Union([Type.Literal('GET'), Type.Literal('POST')]),
      path: Type.String(),
      required: Type.Array(Type.String()),
      optional: Type.Array(Type.String())
    })
  )
})
export type QuestionList = Static<typeof QuestionList>
