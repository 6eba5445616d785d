import { type Static, Type } from 'typebox'
import { roles } from './account.ts'
import { Id, idOf, Next, Timestamp } from './common.ts'

const Country = Type.String({ pattern: '^[A-Z]{2}$', description: 'ISO 3166-1 alpha-2.' })
const text = (maxLength: number, description?: string) =>
  Type.String({ minLength: 1, maxLength, ...(description && { description }) })
const registration = {
  professionalBody: Type.Optional(text(100, 'Who registered them, e.g. GMC.')),
  registrationNumber: Type.Optional(text(40))
}

/** A person of an organisation as its administrators see them. */
export const StaffView = Type.Object(
  {
    id: Id,
    name: Type.String(),
    role: Type.Enum(roles),
    ...registration,
    country: Country,
    disabled: Type.Boolean(),
    passkeys: Type.Integer({ description: 'How many they can sign in with.' }),
    signsInElsewhere: Type.Boolean({
      description: 'Whether they can sign in through another issuer, as that of their hospital.'
    }),
    codeUntil: Type.Optional(Timestamp),
    recoveredAt: Type.Optional(Timestamp)
  },
  { $id: 'Staff' }
)
export type StaffView = Static<typeof StaffView>

export const StaffList = Type.Object({ accounts: Type.Array(StaffView), next: Next })

export const StaffAdd = Type.Object(
  {
    role: Type.Enum(roles),
    name: text(200),
    ...registration,
    country: Type.Optional(Country),
    email: Type.Optional(text(254, 'Where notices go. Never a way to sign in.')),
    organisation: Type.Optional(
      idOf('Another organisation: for who runs the exchange, to give it an administrator.')
    )
  },
  { additionalProperties: false }
)
export type StaffAdd = Static<typeof StaffAdd>

export const RoleChange = Type.Object(
  { role: Type.Enum(roles), ...registration },
  { additionalProperties: false }
)
export type RoleChange = Static<typeof RoleChange>

/** The way to a first passkey. Link and code travel by different ways. */
export const EnrolmentMade = Type.Object({
  account: Id,
  link: Type.String(),
  code: Type.String({ description: 'Told this once.' }),
  expiresAt: Timestamp
})
export type EnrolmentMade = Static<typeof EnrolmentMade>

/** `replaced` by a newer code of the same account, or ended by a restore. */
export const enrolmentStates = [
  'open',
  'used',
  'withdrawn',
  'locked',
  'expired',
  'replaced'
] as const

/** A code for a first passkey as administrators see it: never the code itself. */
export const EnrolmentView = Type.Object(
  {
    id: Id,
    account: Id,
    name: Type.String(),
    createdBy: Type.Optional(Id),
    createdAt: Timestamp,
    expiresAt: Timestamp,
    state: Type.Enum(enrolmentStates)
  },
  { $id: 'Enrolment' }
)
export type EnrolmentView = Static<typeof EnrolmentView>

export const EnrolmentList = Type.Object({ enrolments: Type.Array(EnrolmentView), next: Next })

export const OrganisationAdd = Type.Object(
  {
    name: text(200),
    odsCode: Type.Optional(text(12)),
    country: Country,
    timeZone: Type.Optional(text(60, 'IANA name; Europe/London without it.')),
    publicAuthority: Type.Optional(Type.Enum(['yes', 'no'] as const))
  },
  { additionalProperties: false }
)

/** An organisation as those see it who run the exchange: nothing of what it holds. */
export const OrganisationView = Type.Object(
  {
    id: Id,
    name: Type.String(),
    odsCode: Type.Optional(Type.String()),
    country: Country,
    timeZone: Type.String()
  },
  { $id: 'Organisation' }
)
export type OrganisationView = Static<typeof OrganisationView>

export const OrganisationList = Type.Object({
  organisations: Type.Array(OrganisationView),
  next: Next
})
