import { type Static, Type } from 'typebox'
import { Id, Next, Timestamp } from './common.ts'
import { Warning } from './request.ts'

export const NHS_NUMBER_SYSTEM = 'https://fhir.nhs.uk/Id/nhs-number'

/** FHIR Identifier, reduced to the two parts that identify. */
export const PatientIdentifier = Type.Object(
  {
    system: Type.String({
      format: 'uri',
      maxLength: 200,
      description: `Who issued it; ${NHS_NUMBER_SYSTEM} for an NHS number`
    }),
    value: Type.String({ minLength: 1, maxLength: 64 })
  },
  { additionalProperties: false }
)
export type PatientIdentifier = Static<typeof PatientIdentifier>

export const Patient = Type.Object(
  {
    identifier: PatientIdentifier,
    name: Type.String({ minLength: 1, maxLength: 200 }),
    birthDate: Type.String({ format: 'date' })
  },
  { additionalProperties: false }
)
export type Patient = Static<typeof Patient>

export const CaseCreate = Type.Object(
  {
    patient: Patient,
    question: Type.String({
      minLength: 1,
      maxLength: 10_000,
      description: 'What the specialist is asked.'
    })
  },
  { additionalProperties: false }
)
export type CaseCreate = Static<typeof CaseCreate>

/** Where a case stands. `shared`: at least one share of it has not ended. */
export const caseStates = ['draft', 'complete', 'shared', 'opinion-received', 'closed'] as const
export type CaseState = (typeof caseStates)[number]

/** One step of a case, by whom and when. */
const CaseMove = Type.Object({
  move: Type.String(),
  from: Type.Enum(caseStates),
  to: Type.Enum(caseStates),
  at: Timestamp,
  by: Id,
  share: Type.Optional(Id),
  reason: Type.Optional(Type.String())
})
export type CaseMove = Static<typeof CaseMove>

const ofCase = {
  id: Id,
  organisation: Id,
  createdBy: Id,
  createdAt: Timestamp,
  patient: Patient,
  question: Type.String(),
  state: Type.Enum(caseStates),
  completeAt: Type.Optional(
    Type.String({ format: 'date-time', description: 'The turnaround clock runs from here.' })
  ),
  dueDate: Type.Optional(Type.String({ format: 'date' })),
  dueAt: Type.Optional(
    Type.String({ format: 'date-time', description: 'The moment at which that day is over.' })
  ),
  sharesLive: Type.Integer({ description: 'Shares of it that have not ended.' }),
  warnings: Type.Array(Warning),
  lastEventAt: Type.Optional(
    Type.String({
      format: 'date-time',
      description: 'When something was last done to it, or a specialist read of it.'
    })
  )
}

export const CaseSummary = Type.Object(ofCase, { $id: 'CaseSummary' })
export type CaseSummary = Static<typeof CaseSummary>

export const CaseView = Type.Object(
  {
    ...ofCase,
    moves: Type.Array(CaseMove, { description: 'Oldest first.' })
  },
  { $id: 'Case' }
)
export type CaseView = Static<typeof CaseView>

export const CaseList = Type.Object({ cases: Type.Array(CaseSummary), next: Next })
export const CaseSearch = Type.Object(
  { identifier: PatientIdentifier },
  { additionalProperties: false }
)

const reason = Type.String({
  minLength: 1,
  maxLength: 1000,
  description: 'Why, for the record. Sealed.'
})
export const CaseClose = Type.Object(
  {
    reason,
    revokeShares: Type.Optional(
      Type.Boolean({
        description: 'Withdraw the shares that have not ended. Otherwise they refuse.'
      })
    )
  },
  { additionalProperties: false }
)
export type CaseClose = Static<typeof CaseClose>
export const CaseReopen = Type.Object({ reason }, { additionalProperties: false })
export type CaseReopen = Static<typeof CaseReopen>
