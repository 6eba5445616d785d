import { type Static, Type } from 'typebox'
import { Id, Timestamp } from './common.ts'
import type { recordKinds } from './record.ts'

// How long things stay, what keeps them longer, and what is left once they are erased.

const REASON_CHARACTERS_MAX = 1000

const Reason = Type.String({
  minLength: 1,
  maxLength: REASON_CHARACTERS_MAX,
  description: 'Why, without naming the patient.'
})

/** What goes at a time of its own. Wire constants. */
export const partsOfCase = ['copies', 'opinion', 'consent', 'request', 'audit'] as const
export type PartOfCase = (typeof partsOfCase)[number]

const part = Type.Enum(partsOfCase, {
  description:
    'copies: the records that were sent in. opinion, consent: where there is one. request: patient, request and all else under the key of the case. audit: what the access log says beside its leaves.'
})

const Due = Type.Object({
  what: part,
  lastDay: Type.Optional(
    Type.String({
      format: 'date',
      description: 'The last day it stays, in the time zone of the organisation.'
    })
  ),
  at: Type.Optional(Timestamp),
  isDue: Type.Boolean(),
  why: Type.String()
})
export type DueView = Static<typeof Due>

export const HoldPut = Type.Object({ reason: Reason }, { additionalProperties: false })
export type HoldPut = Static<typeof HoldPut>

export const HoldView = Type.Object(
  {
    id: Id,
    case: Id,
    putBy: Id,
    putAt: Timestamp,
    reason: Type.Optional(
      Type.String({
        description: 'For administrators and auditors; gone with the key of the case.'
      })
    ),
    liftedBy: Type.Optional(Id),
    liftedAt: Type.Optional(Timestamp),
    liftReason: Type.Optional(Type.String())
  },
  { $id: 'LegalHold' }
)
export type HoldView = Static<typeof HoldView>

export const ErasureOrder = Type.Object({ reason: Reason }, { additionalProperties: false })
export type ErasureOrder = Static<typeof ErasureOrder>

const Stayed = Type.Object({
  what: part,
  until: Type.Optional(Type.String({ format: 'date', description: 'The last day it stays.' })),
  why: Type.String()
})
export type Stayed = Static<typeof Stayed>

/** What the store made of it: `removing`, `removed`, or `kept-by-store`. */
export const fileStates = ['removing', 'removed', 'kept-by-store'] as const

const erasure = {
  id: Id,
  case: Id,
  organisation: Id,
  scope: Type.Enum(['copies', 'case'] as const, {
    description:
      'copies: the records that were sent in. case: everything under the key of the case.'
  }),
  ground: Type.Enum(['retention', 'request'] as const),
  orderedBy: Type.Optional(Id),
  at: Timestamp,
  policy: Type.String({ description: 'Version of the retention policy.' }),
  records: Type.Integer(),
  objects: Type.Integer(),
  bytes: Type.Integer(),
  copies: Type.Integer({ description: 'Pseudonymised copies that went with them.' }),
  manifest: Type.String({
    description: 'SHA-256, in hex, of what was erased. The event on the access log has it too.'
  }),
  stayed: Type.Array(Stayed),
  files: Type.Object({
    state: Type.Enum(fileStates, {
      description:
        'Without their key they are noise. removing: some are still to be removed. kept-by-store: the store does not let go of some, as under Object Lock.'
    }),
    at: Type.Optional(Timestamp),
    kept: Type.Integer({ description: 'Files of which the store keeps something.' })
  }),
  event: Type.String({ format: 'uuid', description: 'On the access log.' })
}

export const ErasureView = Type.Object(erasure, { $id: 'Erasure' })
export type ErasureView = Static<typeof ErasureView>

/** What was erased, down to the digest of each file. Its canonical JSON is what is hashed. */
export type Manifest = {
  id: string
  kind: (typeof recordKinds)[number] | string
  objects: { id: string; sha256: string; bytes: number }[]
}[]

export const ErasureReceipt = Type.Object(
  {
    erasure: ErasureView,
    receipt: Type.String({
      description: 'Signed JWS, typ consilium-erasure+jwt. Its keys are at /.well-known/jwks.json.'
    }),
    proof: Type.String({
      description: 'That its event is on the access log, as a C2SP tlog-proof.'
    })
  },
  { $id: 'ErasureReceipt' }
)
export type ErasureReceipt = Static<typeof ErasureReceipt>

const OnRequest = Type.Object(
  {
    scope: Type.Enum(['copies', 'case'] as const),
    records: Type.Integer(),
    objects: Type.Integer(),
    bytes: Type.Integer(),
    sharesLive: Type.Integer({ description: 'Shares that it would end.' }),
    stays: Type.Array(Stayed),
    held: Type.Boolean({ description: 'A legal hold keeps all of it for now.' })
  },
  {
    description:
      'What an erasure on request would take at this moment. Absent when nothing is left that may go.'
  }
)
export type OnRequest = Static<typeof OnRequest>

export const RetentionView = Type.Object(
  {
    case: Id,
    policy: Type.String({ description: 'Version of the retention policy.' }),
    closedAt: Type.Optional(Timestamp),
    parts: Type.Array(Due),
    holds: Type.Array(HoldView),
    erasures: Type.Array(ErasureView),
    onRequest: Type.Optional(OnRequest)
  },
  { $id: 'Retention' }
)
export type RetentionView = Static<typeof RetentionView>
