import { type Static, Type } from 'typebox'
import { Id } from './common.ts'

/** What an account may be. Wire constants: stored, so never renamed. */
export const roles = ['clinician', 'specialist', 'auditor', 'administrator'] as const
export type Role = (typeof roles)[number]

const Country = Type.String({ pattern: '^[A-Z]{2}$', description: 'ISO 3166-1 alpha-2.' })
const person = {
  id: Id,
  name: Type.String(),
  professionalBody: Type.Optional(Type.String({ description: 'Who registered them, e.g. GMC.' })),
  registrationNumber: Type.Optional(Type.String()),
  email: Type.Optional(Type.String()),
  country: Country
}

/** One enrolled account, as its own holder sees it. */
export const AccountView = Type.Object(
  {
    ...person,
    email: Type.Optional(Type.String({ description: 'Where notices go.' })),
    role: Type.Enum(roles),
    organisation: Type.Object({
      id: Id,
      name: Type.String(),
      odsCode: Type.Optional(Type.String()),
      country: Country
    })
  },
  { $id: 'Account' }
)
export type AccountView = Static<typeof AccountView>

export const RecipientPut = Type.Object(
  {
    recipient: Type.String({
      minLength: 10,
      maxLength: 3000,
      description: 'An age recipient (age1pq1…, or a classic age1…). Never an identity.'
    })
  },
  { additionalProperties: false }
)

/** What senders encrypt to for one account. */
export const RecipientView = Type.Object(
  {
    account: Id,
    recipient: Type.String({ description: 'An age recipient.' }),
    fingerprint: Type.String({
      description: 'The first half of its SHA-256, in hex, to be compared over another channel.'
    }),
    postQuantum: Type.Boolean({ description: 'A quantum computer does not help against it.' }),
    registeredAt: Type.String({ format: 'date-time', description: 'Since when it is valid.' }),
    registeredBy: Id
  },
  { $id: 'Recipient' }
)
export type RecipientView = Static<typeof RecipientView>
