import { type Static, Type } from 'typebox'
import { Id, idOf, Next, PageQuery, Timestamp } from './common.ts'

const Country = Type.String({ pattern: '^[A-Z]{2}$', description: 'ISO 3166-1 alpha-2.' })
const Day = Type.String({ format: 'date' })
const text = (maxLength: number, description?: string) =>
  Type.String({ minLength: 1, maxLength, ...(description && { description }) })

/** How an entry stands. Only `verified` may be sent a share. */
export const specialistStates = ['unverified', 'verified', 'expired'] as const
export type SpecialistState = (typeof specialistStates)[number]

/**
 * Why an entry is not verified. Wire constants. Those that begin with `register-` were found in the
 * file of the professional body; `new`, `changed` and `enrolled` wait for the first look.
 */
export const unverifiedReasons = [
  'new',
  'changed',
  'enrolled',
  'register-suspended',
  'register-erased',
  'register-no-licence',
  'register-not-full',
  'register-not-registered',
  'register-missing',
  'register-not-specialist'
] as const
export type UnverifiedReason = (typeof unverifiedReasons)[number]

export const Condition = Type.Object(
  {
    text: text(200),
    snomed: Type.Optional(
      Type.String({ pattern: '^[1-9][0-9]{5,17}$', description: 'SNOMED CT concept id.' })
    ),
    icd10: Type.Optional(
      Type.String({ pattern: '^[A-Z][0-9][0-9](\\.[0-9]{1,2})?$', description: 'As C50 or C50.9.' })
    )
  },
  { additionalProperties: false }
)
export type Condition = Static<typeof Condition>

const SpecialistRegister = Type.Object(
  { specialty: text(100), since: Type.Optional(Day) },
  { additionalProperties: false }
)

const Availability = Type.Object(
  {
    from: Type.Optional(Day),
    until: Type.Optional(
      Type.String({ format: 'date', description: 'The last day they are available.' })
    ),
    capacity: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 1000, description: 'Live shares they take at once.' })
    )
  },
  { additionalProperties: false }
)

/** What an administrator keeps about a specialist. A change replaces the whole of it. */
export const SpecialistInput = Type.Object(
  {
    name: text(200),
    email: Type.Optional(text(254)),
    country: Country,
    organisation: text(200, 'Where they work.'),
    organisationId: Type.Optional(idOf('Of the organisation here, if it is enrolled.')),
    specialty: text(100),
    subSpecialties: Type.Optional(Type.Array(text(100), { maxItems: 20 })),
    conditions: Type.Optional(
      Type.Array(Condition, { maxItems: 100, description: 'What they treat.' })
    ),
    languages: Type.Array(text(35, 'BCP 47, as en-GB.'), { minItems: 1, maxItems: 20 }),
    professionalBody: Type.Optional(text(100, 'Who registered them, e.g. GMC.')),
    registrationSystem: Type.Optional(
      text(
        200,
        'URI of the numbers of that body, where it is not GMC, NMC, GPhC or HCPC: http://hl7.org/fhir/sid/us-npi.'
      )
    ),
    registrationNumber: Type.Optional(text(40, 'For the GMC 7 digits.')),
    specialistRegister: Type.Optional(SpecialistRegister),
    availability: Type.Optional(Availability)
  },
  { additionalProperties: false }
)
export type SpecialistInput = Static<typeof SpecialistInput>

/** One entry of the register. */
export const SpecialistView = Type.Object(
  {
    id: Id,
    account: Type.Optional(
      Type.String({ format: 'uuid', description: 'Name it in a share. Absent until enrolled.' })
    ),
    name: Type.String(),
    email: Type.Optional(Type.String({ description: 'For administrators only.' })),
    country: Country,
    organisation: Type.String(),
    organisationId: Type.Optional(Id),
    specialty: Type.Optional(Type.String()),
    subSpecialties: Type.Array(Type.String()),
    conditions: Type.Array(Condition),
    languages: Type.Array(Type.String()),
    professionalBody: Type.Optional(Type.String()),
    registrationSystem: Type.Optional(Type.String()),
    registrationNumber: Type.Optional(Type.String()),
    specialistRegister: Type.Optional(SpecialistRegister),
    availability: Availability,
    state: Type.Enum(specialistStates),
    unverifiedReason: Type.Optional(Type.Enum(unverifiedReasons)),
    verification: Type.Optional(
      Type.Object({
        at: Timestamp,
        by: Type.String({ description: 'Account id, or operator console, or the register file.' }),
        evidence: Type.String(),
        until: Type.String({ format: 'date-time', description: 'To be verified anew by then.' })
      })
    )
  },
  { $id: 'Specialist' }
)
export type SpecialistView = Static<typeof SpecialistView>

/** A page may hold fewer specialists than asked for, even none, and still have a next one. */
export const SpecialistPage = Type.Object(
  { specialists: Type.Array(SpecialistView), next: Next },
  { $id: 'SpecialistPage' }
)
export type SpecialistPage = Static<typeof SpecialistPage>

export const SpecialistQuery = Type.Object(
  {
    ...PageQuery,
    q: Type.Optional(Type.String({ maxLength: 100, description: 'Part of the name' })),
    condition: Type.Optional(
      Type.String({ maxLength: 100, description: 'Words, each the beginning of one, or a code' })
    ),
    specialty: Type.Optional(Type.String({ maxLength: 100, description: 'Words, as above' })),
    country: Type.Optional(Country),
    language: Type.Optional(
      Type.String({ maxLength: 35, description: 'BCP 47; en finds en-GB too' })
    ),
    state: Type.Optional(Type.Enum(specialistStates)),
    available: Type.Optional(
      Type.Literal('true', {
        description: 'Only those who could be sent a share now: enrolled, verified, with room'
      })
    )
  },
  { additionalProperties: false }
)
export type SpecialistQuery = Static<typeof SpecialistQuery>

export const SpecialistVerify = Type.Object(
  {
    evidence: text(1000, 'What was looked at, and where it is on file. No patient data.'),
    until: Type.Optional(
      Type.String({
        format: 'date',
        description: 'The last day it holds: a year from now if none.'
      })
    )
  },
  { additionalProperties: false }
)
export type SpecialistVerify = Static<typeof SpecialistVerify>

export const SpecialistExpire = Type.Object({ reason: text(1000) }, { additionalProperties: false })

export const importResults = ['created', 'updated', 'unchanged', 'refused'] as const

/** What an import did, row by row. Rows are counted from 1, the header not included. */
export const SpecialistImport = Type.Object(
  {
    dryRun: Type.Boolean(),
    created: Type.Integer(),
    updated: Type.Integer(),
    unchanged: Type.Integer(),
    refused: Type.Integer(),
    rows: Type.Array(
      Type.Object({
        row: Type.Integer(),
        line: Type.Integer({ description: 'Line of the file at which the row begins.' }),
        result: Type.Enum(importResults),
        id: Type.Optional(Id),
        problems: Type.Optional(
          Type.Array(Type.Object({ column: Type.Optional(Type.String()), code: Type.String() }))
        )
      })
    )
  },
  { $id: 'SpecialistImport' }
)
export type SpecialistImport = Static<typeof SpecialistImport>
