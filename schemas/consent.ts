import { type Static, Type } from 'typebox'
import { dayOf, Id, idOf, Timestamp } from './common.ts'
import { recordKinds } from './record.ts'

/** To what a patient agrees: to the second opinion, or to a transfer abroad (Article 49(1)(a)). */
export const consentKinds = ['second-opinion', 'transfer'] as const
export type ConsentKind = (typeof consentKinds)[number]

const text = (maxLength: number, description: string) =>
  Type.String({ minLength: 1, maxLength, description })
const Sha256 = Type.String({ pattern: '^[0-9a-f]{64}$', description: 'SHA-256 in hex.' })

/** A text that patients are asked to agree to, for good under its version. */
export const ConsentText = Type.Object({
  kind: Type.Enum(consentKinds),
  version: Type.Integer({ minimum: 1 }),
  asOf: Type.String({ format: 'date' }),
  language: Type.String(),
  owner: Type.String(),
  text: Type.String(),
  sha256: Type.String({ description: 'Of the text in UTF-8, in hex.' })
})
export type ConsentText = Static<typeof ConsentText>
export const ConsentTextList = Type.Object(
  { texts: Type.Array(ConsentText) },
  { $id: 'ConsentTextList' }
)

const strict = { additionalProperties: false }

/** UK GDPR, Article 49(1)(a), with what the Information Commissioner asks the patient to be told. */
export const Disclosures = Type.Object(
  {
    recipient: text(500, 'Who receives the records, or what kind of recipient.'),
    specialist: Type.Optional(idOf('Then it is for shares with this account alone.')),
    country: Type.String({ minLength: 2, maxLength: 2, description: 'ISO 3166-1 alpha-2' }),
    why: text(2000, 'Why the records go there.'),
    dataTypes: Type.Array(Type.Enum(recordKinds), {
      minItems: 1,
      uniqueItems: true,
      description: 'Shares that rest on it may hold records of these kinds and no other.'
    }),
    rightToWithdraw: Type.Literal(true, {
      description: 'The patient was told that they may withdraw at any time.'
    }),
    risks: text(4000, 'The risks of a transfer without other safeguards, as they were told.')
  },
  strict
)

const given = {
  kind: Type.Enum(consentKinds),
  givenBy: Type.Object(
    {
      who: Type.Enum(['patient', 'representative'] as const),
      name: Type.Optional(text(200, 'Of the representative.')),
      capacity: Type.Optional(text(200, 'By what right a representative speaks for the patient.'))
    },
    strict
  ),
  takenBy: text(200, 'Name and post of whoever asked for it.'),
  how: Type.Enum([
    'in-writing',
    'in-person',
    'by-telephone',
    'by-video',
    'electronically'
  ] as const),
  givenAt: Timestamp,
  evidence: Type.Optional(text(500, 'Where a signed form, a recording or a note is on file.')),
  expires: Type.Optional(
    dayOf('The last day it holds, where the organisation is. Without it: until withdrawn.')
  ),
  transfer: Type.Optional(Disclosures)
}

export const ConsentRecord = Type.Object(
  {
    ...given,
    text: Type.Object(
      { version: Type.Integer({ minimum: 1 }), sha256: Sha256 },
      { ...strict, description: 'What the patient was shown: see GET /v1/consent-texts.' }
    )
  },
  strict
)
export type ConsentRecord = Static<typeof ConsentRecord>

export const consentStates = ['given', 'expired', 'withdrawn'] as const
export type ConsentState = (typeof consentStates)[number]

/** A consent as the organisation of its case reads it. */
export const ConsentView = Type.Object(
  {
    id: Id,
    case: Id,
    ...given,
    text: Type.Object({ version: Type.Integer(), sha256: Type.String() }),
    state: Type.Enum(consentStates),
    expiresAt: Type.Optional(
      Type.String({ format: 'date-time', description: 'The moment at which its last day is over.' })
    ),
    recordedBy: Id,
    recordedAt: Timestamp,
    withdrawn: Type.Optional(Type.Object({ at: Timestamp, by: Id, reason: Type.String() }))
  },
  { $id: 'Consent' }
)
export type ConsentView = Static<typeof ConsentView>

export const ConsentList = Type.Object(
  {
    consents: Type.Array(ConsentView, { description: 'Newest first.' }),
    secondOpinion: Type.Enum(['none', ...consentStates] as const, {
      description: 'Whether the patient has agreed to the second opinion, as it stands now.'
    }),
    required: Type.Boolean({ description: 'Whether nothing can be shared without it.' })
  },
  { $id: 'ConsentList' }
)
export type ConsentList = Static<typeof ConsentList>

export const ConsentWithdraw = Type.Object(
  { reason: text(1000, 'Why, as the patient said it. Sealed.') },
  strict
)
export type ConsentWithdraw = Static<typeof ConsentWithdraw>

export const ConsentWithdrawn = Type.Object(
  {
    consent: ConsentView,
    withdrawnShares: Type.Array(Id, { description: 'What rested on it, expired ones too.' })
  },
  { $id: 'ConsentWithdrawn' }
)
export type ConsentWithdrawn = Static<typeof ConsentWithdrawn>
