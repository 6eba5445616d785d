import { type Static, Type } from 'typebox'
import { dayOf, Id, idOf } from './common.ts'

export const conditionNames = ['pipeda', 'appi', 'pipa', 'dpf-uk-extension'] as const
export type ConditionName = (typeof conditionNames)[number]

export const safeguardTypes = [
  'adequacy-condition',
  'idta',
  'addendum',
  'explicit-consent',
  'vital-interests'
] as const
export type SafeguardType = (typeof safeguardTypes)[number]

/** What a transfer risk assessment came to (UK GDPR, Article 46(6): not materially lower). */
export const riskOutcomes = [
  'not-materially-lower',
  'not-materially-lower-with-measures',
  'materially-lower'
] as const

const text = (maxLength: number, description: string) =>
  Type.String({ minLength: 1, maxLength, description })

/**
 * What makes a transfer lawful where the country alone does not. Which members belong to which type
 * is checked by `src/transfers/safeguard.ts`, which names what is missing.
 */
export const Safeguard = Type.Object(
  {
    type: Type.Enum(safeguardTypes, {
      description:
        'adequacy-condition: the recipient meets the condition of a conditional adequacy decision. idta, addendum: agreement with transfer risk assessment. explicit-consent, vital-interests: the exceptions of UK GDPR Article 49(1)(a) and (f).'
    }),
    reference: Type.Optional(
      text(200, 'Of an agreement: where it is on file. Of a condition: the entry in the list.')
    ),
    date: Type.Optional(dayOf('When it was signed, checked or approved.')),
    expires: Type.Optional(dayOf('The last day it holds.')),
    condition: Type.Optional(
      Type.Enum(conditionNames, { description: 'Of adequacy-condition: what the recipient meets.' })
    ),
    markedSensitive: Type.Optional(
      Type.Boolean({
        description: 'Of adequacy-condition: the recipient was told that the data are sensitive.'
      })
    ),
    riskAssessment: Type.Optional(
      Type.Object(
        {
          id: text(200, 'Where it is on file.'),
          date: dayOf('When it was finished.'),
          outcome: Type.Enum(riskOutcomes)
        },
        { additionalProperties: false, description: 'Of idta and addendum.' }
      )
    ),
    consent: Type.Optional(
      idOf('Of explicit-consent: a consent of the kind transfer, of the same case.')
    ),
    publicAuthority: Type.Optional(
      Type.Object(
        {
          reason: text(1000, 'Why the exception is open to the sender all the same.'),
          dpoReference: text(200, 'Where the view of the data protection officer is on file.')
        },
        {
          additionalProperties: false,
          description:
            'Of explicit-consent by a public authority: the warning that this exception is not for the exercise of its public powers is understood.'
        }
      )
    ),
    incapacity: Type.Optional(
      Type.Enum(['physical', 'legal'] as const, {
        description: 'Of vital-interests: why the patient cannot consent.'
      })
    ),
    reason: Type.Optional(text(1000, 'Of vital-interests: what is at stake.')),
    approver: Type.Optional(
      Type.Object(
        { name: text(200, 'Who approved it.'), post: text(200, 'As what: Caldicott Guardian.') },
        { additionalProperties: false, description: 'Of vital-interests.' }
      )
    )
  },
  { additionalProperties: false }
)
export type Safeguard = Static<typeof Safeguard>

/** Why records may go to a country, as it was judged when the share was made. */
export const TransferBasis = Type.Object({
  country: Type.String(),
  basis: Type.String({ description: 'uk, adequacy or the type of safeguard' }),
  listAsOf: Type.String({ description: 'Date of the table of countries it was judged by.' }),
  safeguard: Type.Optional(Safeguard)
})
export type TransferBasis = Static<typeof TransferBasis>

export const rulings = ['home', 'adequate', 'conditional'] as const

/** The table of countries, as it was on a day. */
export const CountryTableView = Type.Object(
  {
    on: Type.String({ format: 'date' }),
    asOf: Type.String({ description: 'When the sources were last read.' }),
    checkAgainBy: Type.String(),
    owner: Type.String(),
    notes: Type.Array(Type.String()),
    countries: Type.Array(
      Type.Object({
        country: Type.String({ description: 'ISO 3166-1 alpha-2' }),
        ruling: Type.Enum(rulings),
        from: Type.String({ format: 'date' }),
        until: Type.Optional(Type.String({ format: 'date', description: 'The last day.' })),
        law: Type.String(),
        condition: Type.Optional(
          Type.Object({
            name: Type.Enum(conditionNames),
            says: Type.String(),
            reference: Type.String(),
            sensitive: Type.Boolean(),
            daysMax: Type.Integer({ description: 'So many days after it was checked it must end.' })
          })
        )
      }),
      { description: 'Every other country needs a safeguard.' }
    )
  },
  { $id: 'CountryTable' }
)
export type CountryTableView = Static<typeof CountryTableView>

/** A safeguard that does not hold any more, whoever relies on it. */
export const SafeguardWithdraw = Type.Object(
  {
    type: Type.Enum(['adequacy-condition', 'idta', 'addendum'] as const),
    reference: text(200, 'As shares named it. Case and blanks do not matter.'),
    reason: text(1000, 'Why, for the access log.')
  },
  { additionalProperties: false }
)
export type SafeguardWithdraw = Static<typeof SafeguardWithdraw>

export const SafeguardWithdrawn = Type.Object(
  {
    withdrawnShares: Type.Array(Id, { description: 'Shares that rested on it, expired ones too.' })
  },
  { $id: 'SafeguardWithdrawn' }
)
export type SafeguardWithdrawn = Static<typeof SafeguardWithdrawn>
