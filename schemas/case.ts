import { type Static, Type } from 'typebox'
import { Id, Next, Timestamp } from './common.ts'

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

export const CaseView = Type.Object(
  {
    id: Id,
    organisation: Id,
    createdBy: Id,
    createdAt: Timestamp,
    patient: Patient,
    question: Type.String()
  },
  { $id: 'Case' }
)
export type CaseView = Static<typeof CaseView>

export const CaseList = Type.Object({ cases: Type.Array(CaseView), next: Next })
export const CaseSearch = Type.Object(
  { identifier: PatientIdentifier },
  { additionalProperties: false }
)
