import { type Static, Type } from 'typebox'
import { Id, Next, Timestamp } from './common.ts'
import { Turnaround } from './share.ts'

// What was sent to a specialist, as they see it before and after they open it.

/** Where a share stands for its own specialist, and so what they can do next. */
export const receivedStates = [
  'new',
  'open',
  'closed',
  'openings-spent',
  'not-yet-valid',
  'expired',
  'revoked',
  'declined',
  'replaced',
  'transfer-not-allowed',
  'unverified'
] as const
export type ReceivedState = (typeof receivedStates)[number]

export const ReceivedShare = Type.Object(
  {
    id: Id,
    from: Type.Object({ organisation: Type.String(), clinician: Type.String() }),
    records: Type.Integer({ description: 'How many records it names.' }),
    state: Type.Enum(receivedStates, {
      description:
        'new: never opened. open: it can be read now. closed: the link has to be opened again.'
    }),
    question: Type.Optional(
      Type.String({ description: 'The first question. Told while it can be read, never before.' })
    ),
    questions: Type.Optional(Type.Integer({ description: 'How many are asked.' })),
    notBefore: Timestamp,
    expiresAt: Timestamp,
    openUntil: Type.Optional(Timestamp),
    openings: Type.Integer(),
    openingsMax: Type.Optional(Type.Integer()),
    opinion: Type.Enum(['none', 'draft', 'submitted'] as const),
    submittedAt: Type.Optional(Timestamp),
    moreTimeAsked: Type.Optional(Type.Boolean()),
    replacedBy: Type.Optional(Type.String({ format: 'uuid', description: 'It gave more time.' })),
    dueAt: Type.Optional(Timestamp),
    turnaround: Turnaround
  },
  { $id: 'ReceivedShare' }
)
export type ReceivedShare = Static<typeof ReceivedShare>

export const ReceivedList = Type.Object(
  { reviews: Type.Array(ReceivedShare), next: Next },
  { $id: 'ReceivedList' }
)
export type ReceivedList = Static<typeof ReceivedList>
